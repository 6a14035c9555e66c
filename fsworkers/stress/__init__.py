"""``fsworkers stress``: a load that breaks ordinary code, run both ways and held to account."""
