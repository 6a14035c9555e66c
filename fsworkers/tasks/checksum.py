"""The task ``checksum``: a file's digest, read in large chunks with constant memory.

Reads through the descriptor layer on the worker's own thread: no hop into another thread and no
event loop, which would cost thirty times what hashing a small file does. It works on bare
descriptors, because making a file object takes a sixth of the time that a small file does, and
under one permit for files that come one after another, because lending one for each takes a
twentieth.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from os import close as close_bare
from os import fstat, readv
from os import open as open_bare
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol, TypeAlias, get_args

from fsworkers.errors import BadSetting, MissingExtra
from fsworkers.graceful.budget.budget import BUDGET
from fsworkers.graceful.opening.retry import EXHAUSTED
from fsworkers.graceful.os import close as close_descriptor
from fsworkers.graceful.os import open as open_descriptor
from fsworkers.tasks.task import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

CHUNK_BYTES = 1 << 20
"""Reading more at once gains nothing measurable; it also stays in the second-level cache."""

Algorithm: TypeAlias = Literal[
    "sha256", "sha1", "sha224", "sha384", "sha512", "md5", "blake2b", "blake3"
]

ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)

_FLAGS = os.O_RDONLY | os.O_CLOEXEC


class Digest(Protocol):
    """What ``hashlib`` and ``blake3`` objects have in common."""

    def update(self, data: Any, /) -> Any:
        """Take more bytes."""

    def hexdigest(self) -> str:
        """The digest of all bytes taken, in lower-case hexadecimal."""


class Checksum:
    """Read each file and give its digest in lower-case hexadecimal, as sha256sum does.

    A measuring task function: beside the digest come the bytes read, and the modification time
    from before the first was.

    Args:
        algorithm: One of ``ALGORITHMS``.

    Raises:
        BadSetting: An algorithm that is not known.
        MissingExtra: ``blake3`` is asked for and not installed.
    """

    columns: ClassVar = (Column("digest", "text", meaning="in lower-case hexadecimal"),)
    example: ClassVar = "fsworkers process photos --option algorithm=blake3 -o photos.b3"
    is_measuring = True
    is_graceful = True

    def __init__(
        self,
        algorithm: Annotated[Algorithm, "blake3 needs fsworkers[blake3]"] = "sha256",
    ) -> None:
        self.algorithm = algorithm
        self._new = _constructor(algorithm)
        self._buffers: list[tuple[memoryview]] = []

    def __call__(self, path: str) -> tuple[str, int, int]:
        """Read the file at ``path``.

        Raises:
            OSError: It can't be opened or read.
        """
        (result,) = self.each_of([path])
        return result

    def each_of(self, paths: Sequence[str]) -> Generator[tuple[str, int, int]]:
        """Read one file after another; an exception is of the path at hand, and ends it.

        Where a descriptor is free, one permit is held for all of them, as long as the kernel keeps
        to it; otherwise each waits for its own.
        """
        into = self._buffers.pop() if self._buffers else (_page_aligned_buffer(),)
        (buffer,) = into
        new = self._new
        permit = BUDGET.take_now()
        open_one, close_one = open_bare, close_bare
        if permit is None:
            open_one, close_one = open_descriptor, close_descriptor
        try:
            for path in paths:
                try:
                    descriptor = open_one(path, _FLAGS)
                except OSError as error:
                    if permit is None or error.errno not in EXHAUSTED:
                        raise
                    permit.give_back()
                    permit, open_one, close_one = None, open_descriptor, close_descriptor
                    descriptor = open_one(path, _FLAGS)
                try:
                    status = fstat(descriptor)
                    count = size = readv(descriptor, into)
                    digest = new(buffer[:count])
                    # A read that ends short where the file does was the last: another one says
                    # nothing new.
                    if size != status.st_size or count == CHUNK_BYTES:
                        while count := readv(descriptor, into):
                            digest.update(buffer[:count])
                            size += count
                finally:
                    close_one(descriptor)
                yield digest.hexdigest(), size, status.st_mtime_ns
        finally:
            if permit is not None:
                permit.give_back()
            self._buffers.append(into)

    def __reduce__(self) -> tuple[type[Checksum], tuple[Algorithm]]:
        """Travel by the algorithm's name."""
        return Checksum, (self.algorithm,)


def _page_aligned_buffer() -> memoryview:
    """Memory of our own; reading into it and hashing it takes 8 % less than with a bytearray."""
    return memoryview(mmap.mmap(-1, CHUNK_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


def _constructor(algorithm: str) -> Callable[[memoryview], Digest]:
    if algorithm == "blake3":
        try:
            from blake3 import blake3  # noqa: PLC0415  (an extra)
        except ImportError as error:
            raise MissingExtra("the algorithm blake3", "blake3") from error
        return blake3
    if algorithm not in ALGORITHMS:
        raise BadSetting("algorithm", algorithm, f"one of {', '.join(ALGORITHMS)}")
    constructor: Callable[[memoryview], Digest] = getattr(hashlib, algorithm)
    return constructor
