"""The scenarios: one module a family."""
