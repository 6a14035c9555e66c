"""A worker process: its line to the master, and how it runs blocks."""
