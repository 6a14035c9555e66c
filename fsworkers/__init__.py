"""fsworkers: run a function over every file of a tree, without running out of descriptors."""
