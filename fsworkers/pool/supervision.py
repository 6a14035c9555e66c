"""Worker processes from outside: start one, notice its end, kill it.

Each worker holds one end of a socket pair, its *lifeline*. The configuration travels down it at
the start; after that nothing does, and either side learns of the other's end by its closing. A
worker is the leader of its own process group, so that a terminal's Ctrl-C reaches only the master
and what a task has started dies together with its worker.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path
from typing import IO

from fsworkers.pool.wire import Config, encode


class WorkerProcess:
    """A running worker.

    Args:
        config: What it is to know.
        output: Where its stdout and stderr go.

    Raises:
        OSError: The process could not be started; nothing is left open.
    """

    def __init__(self, config: Config, output: IO[bytes] | int) -> None:
        self.number = config.worker
        ours, theirs = socket.socketpair()
        with theirs:
            message = encode(config)
            ours.sendall(len(message).to_bytes(4) + message)
            try:
                self._process = subprocess.Popen(
                    _command(theirs.fileno()),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=_environment(),
                    pass_fds=(theirs.fileno(),),
                    process_group=0,
                )
            except BaseException:
                ours.close()
                raise
        self._lifeline = ours

    def fileno(self) -> int:
        """The descriptor that becomes readable when the process has ended."""
        return self._lifeline.fileno()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def kill(self) -> None:
        """Send SIGKILL to it and to all that its tasks have started."""
        with suppress(ProcessLookupError):  # it has ended already
            os.killpg(self._process.pid, signal.SIGKILL)

    def has_ended(self) -> bool:
        """Whether the process has ended; collects its exit status then."""
        return self._process.poll() is not None

    def wait(self, wait_s: float | None = None) -> bool:
        """Wait for its end; ``False`` if ``wait_s`` seconds passed first."""
        try:
            self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def cause_of_death(self) -> str:
        """How it ended, in words: the signal's name or the exit code."""
        code = self._process.poll()
        if code is None:
            return "it closed its lifeline"
        if code < 0:
            return f"killed by {signal_name(-code)}"
        return f"exited with {code}"

    def close(self) -> None:
        """Give back the lifeline. The process has ended by then."""
        self._lifeline.close()


def signal_name(number: int) -> str:
    """The name of a signal, as ``SIGSEGV``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _command(lifeline: int) -> list[str]:
    # -P: files of the working directory must not stand in for modules of the standard library.
    utf8 = ["-X", "utf8"] if sys.flags.utf8_mode else []
    return [sys.executable, "-P", *utf8, "-m", "fsworkers.pool.worker", str(lifeline)]


def _environment() -> dict[str, str]:
    """The caller's environment; with this package's folder on the path unless it is installed."""
    environment = dict(os.environ)
    package_root = str(Path(__file__).parents[2])
    if package_root not in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        inherited = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = (
            os.pathsep.join([package_root, inherited]) if inherited else package_root
        )
    return environment
