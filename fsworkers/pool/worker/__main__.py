"""A worker process: ``python -m fsworkers.pool.worker``, its lifeline as standard input.

Started by ``pool.master.process`` as a clean process. It reads its configuration from the lifeline,
binds its sockets before any task code is imported, and then runs blocks on its main thread until it
is told to stop, or its master is gone.
"""

from __future__ import annotations

import atexit
import errno
import gc
import importlib
import os
import pickle
import resource
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from zmq import ZMQError

from fsworkers import graceful
from fsworkers.pool.attempt import note_fork
from fsworkers.pool.authkey import take_authkey
from fsworkers.pool.progress import PROGRESS_DESCRIPTOR, ProgressLine
from fsworkers.pool.wire import Descriptors
from fsworkers.pool.worker.lifeline import Lifeline, leave
from fsworkers.pool.worker.line import Line
from fsworkers.pool.worker.memory import Memory
from fsworkers.pool.worker.printing import Printing

if TYPE_CHECKING:
    from fsworkers.pool.wire import Config

DEADLOCK_AFTER_S = 3.0
"""An item that waits for its neighbours as they wait for it runs again alone: no need to wait."""

LEAST_LIMIT = 19
"""With fewer libzmq aborts the process in ``accept`` (counted, libzmq 4.3.5)."""


def main() -> None:
    """Run one worker."""
    # The master decides when to stop; a handler, unlike SIG_IGN, is not inherited by children.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    gc.disable()
    lifeline = Lifeline()
    for module in sys.argv[1:]:
        importlib.import_module(module)
    config = lifeline.read_config()
    sys.path[:] = config.sys_path
    os.environ.pop("PYTHONPATH", None)  # ours, perhaps, by which this package was found
    if config.pythonpath is not None:
        os.environ["PYTHONPATH"] = config.pythonpath
    if config.nice:
        os.nice(config.nice)
    progress = ProgressLine(PROGRESS_DESCRIPTOR, config.page_line)
    printing = Printing(PROGRESS_DESCRIPTOR)
    memory = Memory() if config.wants_memory else None
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit != resource.RLIM_INFINITY and limit < LEAST_LIMIT:
        sys.exit(f"fsworkers: a worker needs {LEAST_LIMIT} descriptors: raise its limit of {limit}")
    try:
        line = Line(config, lifeline, progress, descriptors, memory)
    except ZMQError as error:
        if error.errno == errno.ENOENT:
            leave()  # the master has taken the directory away and is about to kill us: not a word
        sys.exit(f"fsworkers: a worker can't bind its sockets: {error}")
    # Only now are the sockets there that the budget must leave alone.
    try:
        graceful.configure(max_open_files=config.max_open_files, deadlock_after_s=DEADLOCK_AFTER_S)
    except graceful.TooFewDescriptors as error:
        sys.exit(f"fsworkers: {error}")
    gc.freeze()  # what is there now stays: looking through it again and again takes 3 %
    gc.enable()
    line.meet()
    initialize(config)
    line.report_ready()

    def after_fork() -> None:
        """A child that a task has forked is no worker, and does not keep the lifeline open."""
        note_fork()
        lifeline.let_go()
        for block in line.current:
            block.stop_in_child()

    os.register_at_fork(after_in_child=after_fork)
    run(line)
    line.finish()
    _leave(printing)


def initialize(config: Config) -> None:
    """Call what is to be called once in each worker; one that can't be initialised is none."""
    take_authkey(config.authkey)
    if not config.initializer:
        return
    if config.wants_install:
        graceful.install()
    try:
        initializer, arguments = pickle.loads(config.initializer)
        initializer(*arguments)
        if b"by_value" in config.initializer:
            from fsworkers.pool.by_value import keep_globals  # noqa: PLC0415  (loaded with it)

            keep_globals(initializer)
    except Exception as error:  # noqa: BLE001  (it raises anything)
        from fsworkers.pool.tracebacks import traceback_text  # noqa: PLC0415  (as it says)

        sys.exit(f"the initializer raised:\n{traceback_text(error, error.__traceback__)}")


def _leave(printing: Printing) -> NoReturn:
    """End now: threads that a task has left do not keep it, nor is the interpreter taken apart."""
    atexit._run_exitfuncs()  # noqa: SLF001  (there is no public way)
    printing.end()
    os._exit(0)


def run(line: Line) -> None:
    """Run blocks until none will come any more."""
    runner = None
    while (block := line.next_block()) is not None:
        task = block.task
        if task.is_coroutine:
            import asyncio  # noqa: PLC0415  (60 ms that plain functions need not wait for)

            from fsworkers.pool.worker.side_by_side import run_in_loop  # noqa: PLC0415

            if runner is None:
                runner = asyncio.Runner()
            runner.run(run_in_loop(line, task, block))
        elif task.slots > 1:
            from fsworkers.pool.worker.side_by_side import run_in_threads  # noqa: PLC0415

            run_in_threads(line, task, block)
        else:
            line.run(block)
    if runner is not None:
        runner.close()


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
