"""Where outcomes are written: one module a format."""
