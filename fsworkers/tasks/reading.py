"""Reading files from their beginning to their end, in large chunks with constant memory.

Reads through the descriptor layer on the worker's own thread: no hop into another thread and no
event loop, which would cost thirty times what hashing a small file does. It works on bare
descriptors, because making a file object takes a sixth of the time that a small file does, and
under one permit for files that come one after another, because lending one for each takes a
twentieth.
"""

from __future__ import annotations

import mmap
import os
from os import close as close_bare
from os import fstat, readv
from os import open as open_bare
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from fsworkers.graceful.budget.budget import BUDGET
from fsworkers.graceful.opening.retry import EXHAUSTED
from fsworkers.graceful.os import close as close_descriptor
from fsworkers.graceful.os import open as open_descriptor

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from typing import Self

CHUNK_BYTES = 1 << 20
"""Reading more at once gains nothing measurable; it also stays in the second-level cache."""

_FLAGS = os.O_RDONLY | os.O_CLOEXEC


class Taking(Protocol):
    """What is made of a file's first chunk, and takes those that follow."""

    def update(self, data: Any, /) -> Any:
        """Take more bytes; they are there only during the call."""


class Reader:
    """Memory to read into and one descriptor at a time, for files that come one after another.

    Where a descriptor is free, one permit is held for all of them, as long as the kernel keeps to
    it; otherwise each waits for its own.

    Attributes:
        into: The memory, as ``os.readv`` wants it.
        close: Closes what ``open`` has opened.
    """

    __slots__ = ("_open", "_permit", "close", "into")
    _free: ClassVar[list[tuple[memoryview]]] = []

    def __enter__(self) -> Self:
        free = self._free
        self.into = free.pop() if free else (_page_aligned_buffer(CHUNK_BYTES),)
        self._permit = BUDGET.take_now()
        self._open, self.close = open_bare, close_bare
        if self._permit is None:
            self._open, self.close = open_descriptor, close_descriptor
        return self

    def __exit__(self, *_: object) -> None:
        """Give the permit and the memory back."""
        if self._permit is not None:
            self._permit.give_back()
        self._free.append(self.into)

    def open(self, path: str) -> int:
        """Open a file; nothing else may be open.

        Raises:
            OSError: It can't be opened.
        """
        try:
            return self._open(path, _FLAGS)
        except OSError as error:
            if self._permit is None or error.errno not in EXHAUSTED:
                raise
        self._permit.give_back()
        self._permit, self._open, self.close = None, open_descriptor, close_descriptor
        return self._open(path, _FLAGS)


class ReadsWhole:
    """A measuring task function that reads each file once.

    Beside the value come the bytes read, and the modification time from before the first was.

    Args:
        begin: Takes the first chunk of a file, which may be empty.
        value_of: Makes the value of what ``begin`` returned, once it has taken everything.
    """

    is_measuring = True
    is_graceful = True
    chunk_bytes = CHUNK_BYTES

    def __init__(self, begin: Callable[[memoryview], Any], value_of: Callable[[Any], Any]) -> None:
        self._begin = begin
        self._value_of = value_of

    def __call__(self, path: str) -> tuple[Any, int, int]:
        """Read the file at ``path``.

        Raises:
            OSError: It can't be opened or read.
        """
        (result,) = self.each_of([path])
        return result

    def of_chunks(self, chunks: Iterator[bytes]) -> Any:
        """The value of a file whose content comes in pieces."""
        taking: Taking = self._begin(memoryview(next(chunks, b"")))
        for chunk in chunks:
            taking.update(memoryview(chunk))
        return self._value_of(taking)

    def each_of(self, paths: Sequence[str]) -> Generator[tuple[Any, int, int]]:
        """Read one file after another; an exception is of the path at hand, and ends it."""
        begin: Callable[[memoryview], Taking] = self._begin
        value_of, chunk_bytes = self._value_of, self.chunk_bytes
        with Reader() as reader:
            buffer = reader.into[0][:chunk_bytes]
            into = (buffer,)
            for path in paths:
                descriptor = reader.open(path)
                try:
                    status = fstat(descriptor)
                    count = size = readv(descriptor, into)
                    taking = begin(buffer[:count])
                    # A read that ends short where the file does was the last: another one says
                    # nothing new.
                    if size != status.st_size or count == chunk_bytes:
                        while count := readv(descriptor, into):
                            taking.update(buffer[:count])
                            size += count
                finally:
                    reader.close(descriptor)
                yield value_of(taking), size, status.st_mtime_ns


def _page_aligned_buffer(size_bytes: int) -> memoryview:
    """Memory of our own; reading into it and hashing it takes 8 % less than with a bytearray."""
    return memoryview(mmap.mmap(-1, size_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
