"""What ends commands whose worker is gone, whatever it died of, and removes what it was making.

A shell that does nothing but wait, in a process group of its own: for the end of a pipe that only
the worker holds. It then ends the process groups that the worker has noted, TERM first and KILL
two seconds later, and between the two removes the unfinished outputs. The note is a file without a
name, so that a command costs one write and nobody wakes.

Until these are removed it holds the worker's lifeline as well: the master does not take the worker
for dead before, nor has a file done again whose output has the same unfinished name.
"""

from __future__ import annotations

import os
import threading
from typing import Any

_SCRIPT = """{
read -r _
{
    read -r groups
    while IFS= read -r name; do
        case ${name##*/} in .fsworkers-*) set -- "$@" "$name" ;; esac
    done
} <&4
for group in $groups; do kill -s TERM -- "-$group"; done
[ $# = 0 ] || rm -rf -- "$@"
exec 5<&-
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    left=
    for group in $groups; do kill -s 0 -- "-$group" && left="$left $group"; done
    groups=$left
    [ "$groups" ] || exit 0
    sleep 0.1
done
for group in $groups; do kill -s KILL -- "-$group"; done
} <&3 >/dev/null 2>&1 &"""

_PIPE, _NOTE, _LIFELINE = 3, 4, 5

_MOST_BYTES = 4096
"""Of a note: a page, which is written whole or not at all. Names beyond are not removed."""


class Worker:
    """What is known of the worker that this process is.

    Attributes:
        lifeline: Its end of it; ``None`` in any other process.
    """

    lifeline: int | None = None


class Guard:
    """Ends process groups and removes files when this process has ended, until they are taken back.

    Raises:
        OSError: It could not be started.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: set[int] = set()
        self._names: set[bytes] = set()
        self._length = 0
        if hasattr(os, "memfd_create"):
            self._note = os.memfd_create("fsworkers", os.MFD_CLOEXEC)
        else:
            import tempfile  # noqa: PLC0415  (not on Linux)

            with tempfile.TemporaryFile(prefix="fsworkers-") as file:
                self._note = os.dup(file.fileno())
        waiting, self._held = os.pipe()
        lifeline: tuple[Any, ...] = os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_RDONLY, 0
        if Worker.lifeline is not None:
            lifeline = os.POSIX_SPAWN_DUP2, Worker.lifeline, 2
        pid = os.posix_spawn(
            "/bin/sh",
            ["sh", "-c", _SCRIPT],
            {"PATH": "/usr/local/bin:/usr/bin:/bin"},
            file_actions=[
                # First out of the way of each other, as either may have the other's number.
                (os.POSIX_SPAWN_DUP2, waiting, 0),
                (os.POSIX_SPAWN_DUP2, self._note, 1),
                lifeline,
                (os.POSIX_SPAWN_DUP2, 0, _PIPE),
                (os.POSIX_SPAWN_DUP2, 1, _NOTE),
                (os.POSIX_SPAWN_DUP2, 2, _LIFELINE),
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_DUP2, 1, 2),
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

    def add_name(self, name: bytes) -> None:
        """Watch over a file, which has an unfinished output's name; not if that has two lines."""
        with self._lock:
            self._names.add(name)
            self._write()

    def remove_name(self, name: bytes) -> None:
        """It has its own name now, or is gone."""
        with self._lock:
            self._names.discard(name)
            self._write()

    def close(self) -> None:
        """Let it end."""
        os.close(self._held)
        os.close(self._note)

    def _write(self) -> None:
        note = b" ".join(b"%d" % group for group in self._groups) + b"\n"
        for name in self._names:
            if b"\n" not in name and len(note) + len(name) < _MOST_BYTES:
                note += name + b"\n"
        self._length = max(self._length, len(note))
        os.pwrite(self._note, note.ljust(self._length, b"\n"), 0)


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
