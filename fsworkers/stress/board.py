"""The board: what became of every operation, in memory that outlives whoever writes it.

A mapped file shared by the workers, the process of their side and the conductor. A worker writes
the state of its own operations as it goes; killed in the middle, it leaves behind what it had come
to. Both sides are measured by the same writes.

What measures takes no part in what it measures: the board is opened below the descriptor layer.

For each operation: state, errno, attempts (one byte each), seconds waited (float), pid of the last
attempt. For each job: whether its result reached the caller. For each worker a row of figures.
"""

from __future__ import annotations

import mmap
import os
import posix
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType
    from typing import BinaryIO

UNTOUCHED, ASKED, HELD, DONE, FAILED, WRONG = range(6)
"""States of an operation: wants a descriptor, has one, and how it ended."""

UNDELIVERED, DELIVERED, REFUSED, CRASHED = range(4)
"""What the caller has heard of a job: nothing, its result, its failure, its worker's death."""

OTHER_ERROR = 255
"""Stands for an error that has no errno, or one above 254."""

ROWS = 4096
"""Workers that can be told apart over a run; later ones work unseen."""

PID, BASELINE, SERVED, OVERTAKEN, RESCUED, DEADLOCKS, BEGUN_MS, STRUCK = range(8)
"""The figures of a worker's row. BASELINE: descriptors open before its first job. BEGUN_MS: when
that was, on the monotonic clock, the lowest 32 bits. STRUCK: whether we killed or stopped it."""

UNKNOWN_S = -1.0
"""Stands for a wait that is not known: the operation does not come by its descriptor before us."""

_ROW_FIELDS = 8
_32_BITS = 0xFFFFFFFF
_HEADER_BYTES = 8


class Board:
    """A board of ``ops`` operations in ``jobs`` jobs.

    Args:
        path: The mapped file; ``create`` makes it.
        ops: Operations of a round.
        jobs: Jobs of a round.
    """

    def __init__(self, path: str, ops: int, jobs: int) -> None:
        self.path = path
        self.ops = ops
        descriptor = posix.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._map = _plain_mmap()(descriptor, board_bytes(ops, jobs))
        finally:
            posix.close(descriptor)
        whole = memoryview(self._map)
        flags, states, errnos, attempts, delivered, waits_s, pids, rows = (
            whole[offset : offset + size] for offset, size in _regions(ops, jobs)
        )
        self._flags, self.states, self.errnos = flags, states, errnos
        self.attempts, self.delivered = attempts, delivered
        self.waits_s = waits_s.cast("f")
        self.pids, self._rows = pids.cast("I"), rows.cast("I")
        self._views: list[memoryview[int] | memoryview[float]] = [
            whole, flags, states, errnos, attempts, delivered,
            waits_s, self.waits_s, pids, self.pids, rows, self._rows,
        ]  # fmt: skip

    @classmethod
    def create(cls, path: str, ops: int, jobs: int) -> Self:
        """Make the file, zeroed, with room on the disk for all of it.

        Raises:
            OSError: There is none. Found out later, it would kill who writes to the mapping.
        """
        with open(path, "xb") as file:
            _allocate(file, board_bytes(ops, jobs))
        return cls(path, ops, jobs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the mapping back."""
        for view in reversed(self._views):
            view.release()
        self._map.close()

    def remove(self) -> None:
        """Remove its files; the mapping stays."""
        for path in (self.path, f"{self.path}.rows"):
            with suppress(FileNotFoundError):  # no worker has entered
                os.unlink(path)

    @property
    def is_active(self) -> bool:
        """Whether a round is going on: what disturbs it rests otherwise."""
        return bool(self._flags[0])

    @is_active.setter
    def is_active(self, value: bool) -> None:
        self._flags[0] = value

    # What a worker writes

    def asked(self, op: int) -> None:
        """An operation begins: it wants its first descriptor."""
        self.attempts[op] = min(255, self.attempts[op] + 1)
        self.pids[op] = os.getpid()
        self.waits_s[op] = UNKNOWN_S
        self.states[op] = ASKED

    def granted(self, op: int, waited_s: float) -> None:
        """It has its descriptor."""
        self.waits_s[op] = waited_s
        self.states[op] = HELD

    def ended(self, op: int, *, is_right: bool) -> None:
        """It went through; was its content what it should be?"""
        self.states[op] = DONE if is_right else WRONG

    def failed(self, op: int, error: BaseException) -> None:
        """It was ended by an error."""
        number = getattr(error, "errno", None)
        self.errnos[op] = number if isinstance(number, int) and 0 < number < 255 else OTHER_ERROR
        self.states[op] = FAILED

    def claim_row(self, baseline: int) -> int:
        """Enter this process among the workers; its row.

        The order of appends to a file beside the board decides, because each is one indivisible
        step (open(2), O_APPEND).
        """
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = posix.open(f"{self.path}.rows", flags, 0o600)
        try:
            os.write(descriptor, b"\n")
            row = os.lseek(descriptor, 0, os.SEEK_CUR) - 1
        finally:
            posix.close(descriptor)
        if row < ROWS:
            self.note(row, BASELINE, baseline)
            self.note(row, BEGUN_MS, int(1000 * monotonic()) & _32_BITS)
            self.note(row, PID, os.getpid())
        return row

    def note(self, row: int, field: int, value: int) -> None:
        """Write one figure of a worker's row."""
        if row < ROWS:
            self._rows[row * _ROW_FIELDS + field] = value

    # What the caller writes, and the conductor

    def deliver(self, job: int, heard: int) -> bool:
        """The caller hears of a job; whether that is for the first time in this round."""
        is_first = self.delivered[job] == UNDELIVERED
        self.delivered[job] = heard
        return is_first

    def mark_struck(self, pid: int) -> None:
        """A worker is about to be killed or stopped."""
        row = self._row_of(pid)
        if row is not None:
            self.note(row, STRUCK, 1)

    def is_struck(self, pid: int) -> bool:
        """Whether a worker was killed or stopped by us, and did not end by itself."""
        row = self._row_of(pid)
        return row is not None and bool(self.row(row)[STRUCK])

    def _row_of(self, pid: int) -> int | None:
        """A worker's row: the last one, as numbers are used again."""
        rows = reversed(range(self.row_count()))
        return next((row for row in rows if self.row(row)[PID] == pid), None)

    # What the conductor reads

    def row_count(self) -> int:
        """How many workers have entered."""
        with suppress(FileNotFoundError):
            return min(ROWS, os.stat(f"{self.path}.rows").st_size)
        return 0

    def row(self, row: int) -> tuple[int, ...]:
        """A worker's figures."""
        return tuple(self._rows[row * _ROW_FIELDS : (row + 1) * _ROW_FIELDS])

    def count(self, state: int) -> int:
        """How many operations are in a state now."""
        return self.states.tobytes().count(state)

    def clear(self) -> None:
        """Make ready for the next round; workers keep their rows."""
        for view in (self.states, self.errnos, self.attempts, self.delivered):
            view[:] = bytes(len(view))
        self.waits_s[:] = memoryview(bytes(self.waits_s.nbytes)).cast("f")
        self.pids[:] = memoryview(bytes(self.pids.nbytes)).cast("I")


def _allocate(file: BinaryIO, size_bytes: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size_bytes)
    else:  # macOS
        file.write(bytes(size_bytes))


def _plain_mmap() -> type[mmap.mmap]:
    """The standard class, also where ``install`` has put its own in its place."""
    return next(kind for kind in mmap.mmap.__mro__ if kind.__module__ == "mmap")


def age_s(begun_ms: int, now: float) -> float:
    """Seconds since a BEGUN_MS, at ``now`` on the monotonic clock."""
    return (int(1000 * now) - begun_ms & _32_BITS) / 1000


def board_bytes(ops: int, jobs: int) -> int:
    """How large a board's file is."""
    offset, size = _regions(ops, jobs)[-1]
    return offset + size


def _regions(ops: int, jobs: int) -> list[tuple[int, int]]:
    """Offset and size in bytes of each region, in order; all begin on a multiple of eight."""
    sizes = [_HEADER_BYTES, ops, ops, ops, jobs, 4 * ops, 4 * ops, 4 * ROWS * _ROW_FIELDS]
    regions = []
    offset = 0
    for size in sizes:
        regions.append((offset, size))
        offset += -(-size // 8) * 8
    return regions
