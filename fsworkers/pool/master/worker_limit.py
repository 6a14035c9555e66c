"""How many workers this process can carry under its descriptor limit."""

from __future__ import annotations

from fsworkers import graceful
from fsworkers.errors import PoolDoesNotFit
from fsworkers.graceful.budget.limit import MINIMUM
from fsworkers.pool.master.links import LANE_DESCRIPTORS, START_DESCRIPTORS, count_free

POOL_DESCRIPTORS = 11
"""What a pool holds beside its lanes: ZeroMQ's context and threads, the back channel, the wakeup,
the pipe for what workers print, the progress page, the selector (counted, libzmq 4.3.5)."""


def fitting_workers(asked_for: int) -> int:
    """``asked_for`` workers, or as many as there are descriptors for in the master; at least 1.

    The caller keeps what the descriptor layer needs to work: it reads directories, opens outputs.

    Raises:
        PoolDoesNotFit: Not even one worker could be started.
    """
    least = POOL_DESCRIPTORS + START_DESCRIPTORS
    if count_free(least) < least:
        raise PoolDoesNotFit("a pool", least, count_free(least))
    starting = START_DESCRIPTORS - LANE_DESCRIPTORS
    fixed = POOL_DESCRIPTORS + starting + graceful.limits().reserve + MINIMUM
    free = count_free(fixed + asked_for * LANE_DESCRIPTORS)
    return max(1, min(asked_for, (free - fixed) // LANE_DESCRIPTORS))
