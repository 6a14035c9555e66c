"""What is done to a file: the built-in tasks and how a user's own is found."""
