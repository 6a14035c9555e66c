"""How many workers this process can carry under its descriptor limit."""

from __future__ import annotations

from fsworkers.pool.links import (
    CONTEXT_DESCRIPTORS,
    LANE_DESCRIPTORS,
    START_DESCRIPTORS,
    count_free,
)

CALLER_DESCRIPTORS = 6
"""Left to the caller beside the pool: a directory being read, an output, imports."""


def fitting_workers(asked_for: int) -> int:
    """``asked_for`` workers, or as many as there are descriptors for in the master; at least 1."""
    fixed = CONTEXT_DESCRIPTORS + START_DESCRIPTORS + CALLER_DESCRIPTORS
    free = count_free(fixed + asked_for * LANE_DESCRIPTORS)
    return max(1, min(asked_for, (free - fixed) // LANE_DESCRIPTORS))
