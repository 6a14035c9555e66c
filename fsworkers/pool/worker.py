"""A worker process: ``python -m fsworkers.pool.worker``, its lifeline as standard input.

Started by ``pool.supervision`` as a clean process. It reads its configuration from the lifeline,
binds its sockets before any task code is imported, and then runs jobs on its main thread until it
is told to stop, or its master is gone.
"""

from __future__ import annotations

import os
import resource
import signal
import sys

from fsworkers import graceful
from fsworkers.pool.courier import Courier
from fsworkers.pool.functions import note_fork
from fsworkers.pool.lifeline import Lifeline
from fsworkers.pool.memory import Memory
from fsworkers.pool.slots import Slots
from fsworkers.pool.wire import Descriptors


def main() -> None:
    """Run one worker."""
    # The master decides when to stop; a handler, unlike SIG_IGN, is not inherited by children.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    lifeline = Lifeline()
    config = lifeline.read_config()
    sys.path[:] = config.sys_path
    memory = Memory() if config.wants_memory else None
    courier = Courier(config, lifeline, descriptors, memory)
    # Only now are the sockets there that the budget must leave alone.
    try:
        graceful.configure(max_open_files=config.max_open_files)
    except graceful.TooFewDescriptors as error:
        sys.exit(f"fsworkers: {error}")
    courier.start()
    os.register_at_fork(after_in_child=note_fork)
    Slots(courier.backlog).run()
    courier.finish()


def descriptors() -> Descriptors:
    """This worker's descriptor figures."""
    now = graceful.statistics()
    return Descriptors(
        limit=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        budget=now.capacity,
        lent=now.lent,
        waiting=now.waiting,
        peak=now.peak,
        waits=now.waits,
        waited_s=now.waited_s,
        refused=now.refused,
    )


if __name__ == "__main__":
    main()
