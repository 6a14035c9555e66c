"""A page that a pool shares with its workers: what each has begun last.

It is written before an item is begun (or a chunk of very short ones), so that a death can be blamed
exactly, whatever the worker died of, and while C code has the interpreter's lock. It has no name in
any file system: a worker inherits its descriptor, and maps its own line of it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from functools import partial
from typing import TYPE_CHECKING

from fsworkers.pool.blocks import Begun

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRESS_DESCRIPTOR = 3
"""Under which number a worker inherits the page."""

_LINE = struct.Struct("=QQQ")
_LINE_BYTES = 64
"""A line of the processor's cache each, so that workers do not slow one another down."""

_LINES_AT_ONCE = 64
"""By so many the page grows: it counts against the largest file that this user may write."""

_NOTHING = (0, 0, 0)


class ProgressPage:
    """The master's side: a line for each living worker.

    Raises:
        OSError: No descriptor or memory is free for it.
    """

    def __init__(self) -> None:
        if hasattr(os, "memfd_create"):
            self.descriptor = os.memfd_create("fsworkers", os.MFD_CLOEXEC)
        else:
            import tempfile  # noqa: PLC0415  (not on Linux)

            with tempfile.TemporaryFile(prefix="fsw-") as file:
                self.descriptor = os.dup(file.fileno())
        self.descriptor = above(PROGRESS_DESCRIPTOR, self.descriptor)
        self._line_count = 0
        self._free: list[int] = []
        self._map: mmap.mmap | None = None
        try:
            self._grow()
        except OSError:
            os.close(self.descriptor)
            raise

    def take_line(self) -> int:
        """A line for a new worker, which has begun nothing."""
        if not self._free:
            self._grow()
        line = self._free.pop()
        assert self._map is not None
        _LINE.pack_into(self._map, line * _LINE_BYTES, *_NOTHING)
        return line

    def _grow(self) -> None:
        """Map more of it; workers keep what they have mapped.

        Raises:
            OSError: There is no room for it.
        """
        count = self._line_count + _LINES_AT_ONCE
        os.ftruncate(self.descriptor, count * _LINE_BYTES)
        larger = mmap.mmap(self.descriptor, count * _LINE_BYTES)
        if self._map is not None:
            self._map.close()
        self._map = larger
        self._free += range(count - 1, self._line_count - 1, -1)
        self._line_count = count

    def give_back(self, line: int) -> None:
        """Its worker has ended."""
        self._free.append(line)

    def read(self, line: int) -> Begun | None:
        """What a worker has begun last; ``None`` for nothing yet."""
        assert self._map is not None
        number, start, stop = _LINE.unpack_from(self._map, line * _LINE_BYTES)
        return Begun(number, start, stop) if stop else None

    def close(self) -> None:
        """Give everything back."""
        if self._map is not None:
            self._map.close()
        os.close(self.descriptor)


def above(most: int, descriptor: int) -> int:
    """The same under a number above ``most``: up to there a worker has descriptors of its own."""
    if descriptor > most:
        return descriptor
    higher = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, most + 1)
    os.close(descriptor)
    return higher


class ProgressLine:
    """A worker's side: its own line.

    Args:
        descriptor: Of the page; left open, as what all workers of a pool can lock on.
        line: Which is its own.
    """

    def __init__(self, descriptor: int, line: int) -> None:
        self._map = mmap.mmap(descriptor, 0)
        self._offset = line * _LINE_BYTES
        os.set_inheritable(descriptor, False)

    def of_block(self, number: int) -> Callable[[int, int], None]:
        """What is to be told before items ``start`` to before ``stop`` of that block are begun."""
        return partial(_LINE.pack_into, self._map, self._offset, number)
