"""A worker process: ``python -m fsworkers.pool.worker``, its lifeline as standard input.

Started by ``pool.supervision`` as a clean process. It reads its configuration from the lifeline,
binds its sockets before any task code is imported, and then runs jobs on its main thread until it
is told to stop, or its master is gone.
"""

from __future__ import annotations

import os
import pickle
import resource
import signal
import sys

from fsworkers import graceful
from fsworkers.pool.courier import Courier
from fsworkers.pool.functions import note_fork
from fsworkers.pool.slots import Slots
from fsworkers.pool.wire import Config, Descriptors


def main() -> None:
    """Run one worker."""
    # The master decides when to stop; a handler, unlike SIG_IGN, is not inherited by children.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    lifeline = take_lifeline()
    config = read_config(lifeline)
    sys.path[:] = config.sys_path
    courier = Courier(config, lifeline, descriptors)
    # Only now are the sockets there that the budget must leave alone.
    graceful.configure(max_open_files=config.max_open_files)
    courier.start()
    os.register_at_fork(after_in_child=note_fork)
    Slots(courier.backlog).run()
    courier.finish()


def take_lifeline() -> int:
    """Move the lifeline away from standard input, where a task's children would inherit it."""
    lifeline = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return lifeline


def read_config(lifeline: int) -> Config:
    """Read what the master wrote into the lifeline before it started this process."""
    with open(lifeline, "rb", buffering=0, closefd=False) as stream:
        length = int.from_bytes(stream.read(4))
        data = b""
        while len(data) < length:
            data += stream.read(length - len(data))
    config: Config = pickle.loads(data)
    return config


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
