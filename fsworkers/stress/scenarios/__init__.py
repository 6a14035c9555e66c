"""The loads, and the registry that names them."""
