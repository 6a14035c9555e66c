"""The record of runs in SQLite: what was asked, what came of each file, what is left to do."""
