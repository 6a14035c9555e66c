"""A worker's end of its lifeline, the socket pair that it shares with its master.

The master writes the configuration into it when it needs the process, and one byte when it has made
the directory that is named there: so none is ever left behind by a killed master that no
worker knows of. After that nothing travels, and either side learns of the other's end by its
closing, whatever the end was.

On Linux the kernel itself acts on it: from ``arm`` on it kills the worker's whole process group
the moment the master is gone. That holds while C code has the interpreter lock or the process is
stopped, it takes along what tasks have started, and no moment can slip through, where the
parent-death signal of ``prctl`` is tied to a thread and leaves grandchildren alone (fcntl(2),
F_SETOWN and F_SETSIG). Elsewhere a thread that waits on the lifeline does the same.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import select
import signal
import threading
from typing import TYPE_CHECKING, NoReturn

from fsworkers.guard import Worker

if TYPE_CHECKING:
    from fsworkers.pool.wire import Config


class Lifeline:
    """What connects this worker to the life of its master.

    Moves it away from standard input, where a task's children would inherit it. It is a bare
    descriptor, which only the end of the process closes: an object would be closed a moment before
    that, and the master would take the worker for dead before it has an exit code.
    """

    def __init__(self) -> None:
        self._descriptor = os.dup(0)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        Worker.lifeline = self._descriptor

    def let_go(self) -> None:
        """In a forked child: the end of the worker is to be seen although the child lives on."""
        os.close(self._descriptor)
        Worker.lifeline = None

    def fileno(self) -> int:
        """The descriptor that becomes readable when the master is gone."""
        return self._descriptor

    def read_config(self) -> Config:
        """Read what the master writes when it needs this worker; end here if it never does."""
        length = int.from_bytes(self._read(4))
        config: Config = pickle.loads(self._read(length))
        return config

    def may_go_on(self) -> bool:
        """Wait for the directory of the configuration to be there, or the master to be gone."""
        return bool(os.read(self._descriptor, 1))

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = os.read(self._descriptor, count - len(data))
            if not more:
                leave()
            data += more
        return data

    def arm(self) -> None:
        """Let the kernel kill this process group when the master is gone, where it can."""
        if not hasattr(fcntl, "F_SETSIG"):
            threading.Thread(target=self._leave_with_master, daemon=True).start()
            return
        fcntl.fcntl(self._descriptor, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(self._descriptor, fcntl.F_SETSIG, signal.SIGKILL)
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
        fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags | os.O_ASYNC)

    def _leave_with_master(self) -> NoReturn:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        poll.poll()
        leave()

    def has_ended(self) -> bool:
        """Whether the master is gone: nothing else makes it readable."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(0))


def leave() -> NoReturn:
    """End this process and all that its tasks have started: nobody is left to report to."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
