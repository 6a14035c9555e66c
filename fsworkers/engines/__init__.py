"""How a run executes: in the pool, or in this process."""
