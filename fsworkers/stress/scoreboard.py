"""The scoreboard: what became of every operation, in memory that outlives whoever writes it.

A mapped file shared by the workers, the process of their side and the supervisor. A worker writes
as it goes; killed in the middle, it leaves behind what it had come to. The file is opened below the
descriptor layer: what measures takes no part in what it measures.
"""

from __future__ import annotations

import mmap
import os
import posix
from contextlib import suppress
from struct import calcsize
from time import monotonic
from typing import Any, Self

UNTOUCHED, ASKED, HELD, DONE, FAILED, WRONG = range(6)
"""States of an operation: wants a descriptor, has one, and how it ended."""

UNDELIVERED, DELIVERED, REFUSED, CRASHED = range(4)
"""What the caller has heard of it: nothing, its result, its failure, its worker's death."""

UNKNOWN_S = -1.0
"""Stands for a wait that is not known: the operation does not come by its descriptor before us."""

ROWS = 4096
"""Workers that can be told apart over a run; later ones work unseen."""

PID, BEGUN_S, BASELINE, SERVED, OVERTAKEN, RESCUED, DEADLOCKS, STRUCK = range(8)
"""The figures of a worker's row. BEGUN_S: when it began, on the monotonic clock. BASELINE:
descriptors open before its first job. STRUCK: whether we killed or stopped it."""

_FIGURES = 8


class Scoreboard:
    """A scoreboard of ``ops`` operations, in a file that ``create`` makes.

    Of each operation it has the state, the errno (0 for an error without one), the number of
    attempts, the pid of the last, how long it waited, and what the caller has heard. ``is_active``
    has one item: whether a round is going on. What disturbs it rests otherwise.
    """

    def __init__(self, path: str, ops: int) -> None:
        self._rows_path = f"{path}.rows"
        descriptor = posix.open(path, os.O_RDWR | os.O_CLOEXEC)
        plain = next(kind for kind in mmap.mmap.__mro__ if kind.__module__ == "mmap")  # no drop-in
        try:
            whole = memoryview(plain(descriptor, scoreboard_bytes(ops)))
        finally:
            posix.close(descriptor)
        views: list[memoryview[Any]] = []
        offset = 0
        for kind, count in _columns(ops):
            size = calcsize(kind) * count
            views.append(whole[offset : offset + size].cast(kind))  # type: ignore[call-overload]
            offset += size
        self._rows, self.waits_s, self.pids, self.is_active = views[:4]
        self.states, self.errnos, self.attempts, self.delivered = views[4:]

    @classmethod
    def create(cls, path: str, ops: int) -> Self:
        """Make the file, zeroed, with room on the disk for all of it.

        Raises:
            OSError: There is none. Found out later, it would kill who writes to the mapping.
        """
        with open(path, "xb") as file:
            file.write(bytes(scoreboard_bytes(ops)))
        return cls(path, ops)

    def claim_row(self, baseline: int) -> int:
        """Enter this process among the workers; its row.

        The order of appends to a file decides: each is one indivisible step (open(2), O_APPEND).
        """
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = posix.open(self._rows_path, flags, 0o600)
        try:
            os.write(descriptor, b"\n")
            row = os.lseek(descriptor, 0, os.SEEK_CUR) - 1
        finally:
            posix.close(descriptor)
        self.note(row, BASELINE, baseline)
        self.note(row, BEGUN_S, monotonic())
        self.note(row, PID, os.getpid())
        return row

    def note(self, row: int, figure: int, value: float) -> None:
        """Write one figure of a worker's row."""
        if row < ROWS:
            self._rows[row * _FIGURES + figure] = value

    def rows(self) -> list[list[float]]:
        """The figures of all workers that have entered."""
        with suppress(FileNotFoundError):
            count = min(ROWS, os.stat(self._rows_path).st_size)
            return [list(self._rows[row * _FIGURES :][:_FIGURES]) for row in range(count)]
        return []

    def mark_struck(self, pid: int) -> None:
        """A worker is about to be killed or stopped."""
        for row, figures in enumerate(self.rows()):
            if figures[PID] == pid:
                self.note(row, STRUCK, 1)

    def is_struck(self, pid: int) -> bool:
        """Whether a worker, the last of that number, was killed or stopped by us."""
        return any([figures[STRUCK] for figures in self.rows() if figures[PID] == pid][-1:])

    def deliver(self, op: int, heard: int) -> bool:
        """The caller hears of an operation; whether for the first time in this round."""
        is_first = bool(self.delivered[op] == UNDELIVERED)
        self.delivered[op] = heard
        return is_first

    def clear(self) -> None:
        """Make ready for the next round; workers keep their rows."""
        for view in (self.states, self.errnos, self.attempts, self.delivered, self.waits_s):
            view.cast("B")[:] = bytes(view.nbytes)


def scoreboard_bytes(ops: int) -> int:
    """How large the file is."""
    return sum(calcsize(kind) * count for kind, count in _columns(ops))


def _columns(ops: int) -> list[tuple[str, int]]:
    """Each column's format and items; the widest first, so none is crooked."""
    return [("d", ROWS * _FIGURES), ("f", ops), ("I", ops), ("B", 1), *[("B", ops)] * 4]
