"""How many workers this process can carry under its descriptor limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsworkers import graceful
from fsworkers.errors import PoolDoesNotFit
from fsworkers.graceful.budget.limit import MINIMUM
from fsworkers.pool.master.links import LANE_DESCRIPTORS, START_DESCRIPTORS, count_free
from fsworkers.pool.master.prespawn import held_by_prepared

if TYPE_CHECKING:
    from fsworkers.pool.master.output import PrintsTo

POOL_DESCRIPTORS = 15
"""What a pool holds beside its lanes: 6 for ZeroMQ's context and threads and the back channel, the
wakeup, the selector, 2 for the progress page, 5 for what workers print (counted, libzmq 4.3.5)."""

PRINT_DESCRIPTORS = 2
"""Of these, what is not needed where all that is printed goes to stderr."""


def fitting_workers(asked_for: int, prints_to: PrintsTo) -> int:
    """``asked_for`` workers, or as many as there are descriptors for in the master; at least 1.

    The caller keeps what the descriptor layer needs to work: it reads directories, opens outputs.

    Raises:
        PoolDoesNotFit: Not even one worker could be started.
    """
    pool = POOL_DESCRIPTORS - PRINT_DESCRIPTORS * (prints_to == "stderr") - held_by_prepared()
    least = pool + START_DESCRIPTORS
    if count_free(least) < least:
        raise PoolDoesNotFit("a pool", least, count_free(least))
    starting = START_DESCRIPTORS - LANE_DESCRIPTORS
    fixed = pool + starting + graceful.limits().reserve + MINIMUM
    free = count_free(fixed + asked_for * LANE_DESCRIPTORS)
    return max(1, min(asked_for, (free - fixed) // LANE_DESCRIPTORS))
