"""The worker pool: dispatcher, lanes, workers."""
