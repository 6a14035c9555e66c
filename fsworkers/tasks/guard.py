"""What ends commands whose worker is gone, whatever it died of.

A shell that does nothing but wait, in a process group of its own: for the end of a pipe that only
the worker holds. It then ends the process groups that the worker has noted, TERM first and KILL
two seconds later. The note is a file without a name, so that a command costs one write and nobody
wakes.
"""

from __future__ import annotations

import os
import threading

_SCRIPT = """{
read -r _
read -r groups <&4
for group in $groups; do kill -s TERM -- "-$group"; done
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    left=
    for group in $groups; do kill -s 0 -- "-$group" && left="$left $group"; done
    groups=$left
    [ "$groups" ] || exit 0
    sleep 0.1
done
for group in $groups; do kill -s KILL -- "-$group"; done
} <&3 >/dev/null 2>&1 &"""

_PIPE, _NOTE = 3, 4


class Guard:
    """Ends process groups when this process has ended, until they are taken from it.

    Raises:
        OSError: It could not be started.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: set[int] = set()
        self._length = 0
        if hasattr(os, "memfd_create"):
            self._note = os.memfd_create("fsworkers", os.MFD_CLOEXEC)
        else:
            import tempfile  # noqa: PLC0415  (not on Linux)

            with tempfile.TemporaryFile(prefix="fsworkers-") as file:
                self._note = os.dup(file.fileno())
        waiting, self._held = os.pipe()
        pid = os.posix_spawn(
            "/bin/sh",
            ["sh", "-c", _SCRIPT],
            {"PATH": "/usr/local/bin:/usr/bin:/bin"},
            file_actions=[
                # First out of the way of each other, as either may have the other's number.
                (os.POSIX_SPAWN_DUP2, waiting, 0),
                (os.POSIX_SPAWN_DUP2, self._note, 1),
                (os.POSIX_SPAWN_DUP2, 0, _PIPE),
                (os.POSIX_SPAWN_DUP2, 1, _NOTE),
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            ],
            setpgroup=0,
        )
        os.close(waiting)
        os.waitpid(pid, 0)  # the one that waits is its child, and nobody's to reap

    def add(self, group: int) -> None:
        """Watch over a process group."""
        with self._lock:
            self._groups.add(group)
            self._write()

    def remove(self, group: int) -> None:
        """It has ended."""
        with self._lock:
            self._groups.discard(group)
            self._write()

    def close(self) -> None:
        """Let it end."""
        os.close(self._held)
        os.close(self._note)

    def _write(self) -> None:
        line = b" ".join(b"%d" % group for group in self._groups)
        self._length = max(self._length, len(line))
        os.pwrite(self._note, line.ljust(self._length) + b"\n", 0)


_START = threading.Lock()
_started: list[tuple[int, Guard]] = []


def guard() -> Guard:
    """This process's guard, started when it is first wanted."""
    with _START:
        if not _started or _started[0][0] != os.getpid():
            _started[:] = [(os.getpid(), Guard())]
        return _started[0][1]


def dismiss() -> None:
    """End the guard of a process that goes on and has no more commands to run."""
    with _START:
        for pid, one in _started:
            if pid == os.getpid():
                one.close()
        _started.clear()
