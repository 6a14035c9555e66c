"""Worker processes from outside: start one, notice its end, kill it.

Each worker holds one end of a socket pair, its *lifeline*, as its standard input. The configuration
travels down it at the start, and one byte when the place where the two meet is there; after that
nothing does, and either side learns of the other's end by its closing. A worker is the leader of
its own process group, so that a terminal's Ctrl-C reaches only the master and what a task has
started dies together with its worker.

Workers are started by ``posix_spawn``: ``subprocess`` waits for a pipe to close that another
thread's ``fork`` may have copied, and then waits for as long as that child lives.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
import weakref
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

import fsworkers
from fsworkers.pool.progress import PROGRESS_DESCRIPTOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsworkers.pool.wire import Config


class WorkerProcess:
    """A running worker. It waits for its configuration.

    Args:
        stdout: The descriptor that its stdout goes to.
        stderr: That of its stderr.
        page: That of the page on which it notes what it has begun.
        modules: What it imports while it waits for its configuration.

    Raises:
        OSError: The process could not be started; nothing is left open.
    """

    def __init__(self, stdout: int, stderr: int, page: int, modules: Sequence[str] = ()) -> None:
        self._exit_code: int | None = None
        self._lifeline, theirs = socket.socketpair()
        with theirs:
            try:
                self._lifeline.setblocking(False)
                command = [*_command(), *modules]
                self.pid = os.posix_spawn(
                    command[0],
                    command,
                    _environment(),
                    file_actions=[
                        (os.POSIX_SPAWN_DUP2, theirs.fileno(), 0),
                        (os.POSIX_SPAWN_DUP2, stdout, 1),
                        (os.POSIX_SPAWN_DUP2, stderr, 2),
                        (os.POSIX_SPAWN_DUP2, page, PROGRESS_DESCRIPTOR),
                    ],
                    setpgroup=0,
                )
            except BaseException:
                self._lifeline.close()
                raise
        _close_lifelines_in_forked_children()
        _LIVING.add(self)

    def configure(self, config: Config) -> None:
        """Tell it what it is to know."""
        message = pickle.dumps(config)
        with suppress(ConnectionError):  # as below
            self._lifeline.sendall(len(message).to_bytes(4) + message, NO_SIGNAL)

    def fileno(self) -> int:
        """The descriptor that becomes readable when the process has ended."""
        return self._lifeline.fileno()

    def let_go_on(self) -> None:
        """Tell it that the directory for its sockets is there."""
        with suppress(ConnectionError):  # it has ended already, which its lifeline tells as well
            self._lifeline.send(GO_ON, NO_SIGNAL)

    def kill(self) -> None:
        """Send SIGKILL to it and to all that its tasks have started."""
        with suppress(ProcessLookupError):  # it has ended already
            os.killpg(self.pid, signal.SIGKILL)

    def is_stopped(self) -> bool:
        """Whether it stands still because of a signal (SIGSTOP, or a debugger)."""
        if self._exit_code is not None:
            return False
        try:
            news = os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False  # the caller's process collects its children itself
        return news is not None and news.si_code in {os.CLD_STOPPED, os.CLD_TRAPPED}

    def wait(self) -> None:
        """Wait for its end."""
        if self._exit_code is None:
            try:
                _, status = os.waitpid(self.pid, 0)
                self._exit_code = os.waitstatus_to_exitcode(status)
            except ChildProcessError:
                self._exit_code = 0  # the caller's process collects its children itself

    def cause_of_death(self) -> str:
        """How it ended, in words: the signal's name or the exit code."""
        self.wait()
        code = self._exit_code or 0
        return f"killed by {signal_name(-code)}" if code < 0 else f"exited with {code}"

    def close(self) -> None:
        """Give back the lifeline. The process has ended by then."""
        _LIVING.discard(self)
        self._lifeline.close()


GO_ON = b"\1"
"""What a worker waits for before it binds its sockets."""

NO_SIGNAL = getattr(socket, "MSG_NOSIGNAL", 0)
"""A caller that wants SIGPIPE for its output does not want it for a worker that has ended."""

_LIVING: weakref.WeakSet[WorkerProcess] = weakref.WeakSet()


@cache
def _close_lifelines_in_forked_children() -> None:
    """A forked child must not keep workers alive after their master has ended."""

    def close_all() -> None:
        for worker in list(_LIVING):
            worker.close()

    os.register_at_fork(after_in_child=close_all)


def signal_name(number: int) -> str:
    """The name of a signal, as ``SIGSEGV``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _command() -> list[str]:
    # -P: files of the working directory must not stand in for modules of the standard library.
    utf8 = ["-X", "utf8"] if sys.flags.utf8_mode else []
    return [sys.executable, "-P", *utf8, "-m", "fsworkers.pool.worker"]


def _environment() -> dict[str, str]:
    """The caller's environment; with this package's folder on the path unless it is installed."""
    environment = dict(os.environ)
    package_root = os.path.dirname(fsworkers.__path__[0])
    is_installed = package_root.startswith(sys.prefix) and os.path.basename(package_root) in {
        "site-packages",
        "dist-packages",
    }
    if not is_installed:
        inherited = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = (
            os.pathsep.join([package_root, inherited]) if inherited else package_root
        )
    return environment
