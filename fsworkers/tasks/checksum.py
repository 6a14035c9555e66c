"""The task ``checksum``: a file's digest, read in large chunks with constant memory.

Reads through the descriptor layer on the worker's own thread: no hop into another thread and no
event loop, which would cost thirty times what hashing a small file does. It works on bare
descriptors, because making a file object takes a sixth of the time that a small file does.
"""

from __future__ import annotations

import hashlib
import os
from os import fstat, readv
from typing import TYPE_CHECKING, Any, Protocol

from fsworkers.errors import BadSetting, MissingExtra
from fsworkers.graceful.os import close as close_descriptor
from fsworkers.graceful.os import open as open_descriptor

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK_BYTES = 1 << 18
"""Reading more at once gains nothing measurable; it also stays in the second-level cache."""

ALGORITHMS = ("sha256", "sha1", "md5", "blake2b", "blake3")

_FLAGS = os.O_RDONLY | os.O_CLOEXEC


class Digest(Protocol):
    """What ``hashlib`` and ``blake3`` objects have in common."""

    def update(self, data: Any, /) -> Any:
        """Take more bytes."""

    def hexdigest(self) -> str:
        """The digest of all bytes taken, in lower-case hexadecimal."""


class Checksum:
    """A task function: takes a path, gives the digest in lower-case hexadecimal.

    Beside it come the bytes read, and the modification time from before the first was.

    Args:
        algorithm: One of ``ALGORITHMS``.

    Raises:
        BadSetting: An algorithm that is not known.
        MissingExtra: ``blake3`` is asked for and not installed.
    """

    is_measuring = True
    is_graceful = True

    def __init__(self, algorithm: str = "sha256") -> None:
        self.algorithm = algorithm
        self._new = _constructor(algorithm)
        self._buffers: list[tuple[memoryview]] = []

    def __call__(self, path: str) -> tuple[str, int, int]:
        """Read the file at ``path``.

        Raises:
            OSError: It can't be opened or read.
        """
        into = self._buffers.pop() if self._buffers else (memoryview(bytearray(CHUNK_BYTES)),)
        (buffer,) = into
        descriptor = open_descriptor(path, _FLAGS)
        try:
            status = fstat(descriptor)
            count = size = readv(descriptor, into)
            digest = self._new(buffer[:count])
            # A read that ends short where the file does was the last: another one says nothing new.
            if size != status.st_size or count == CHUNK_BYTES:
                while count := readv(descriptor, into):
                    digest.update(buffer[:count])
                    size += count
        finally:
            close_descriptor(descriptor)
            self._buffers.append(into)
        return digest.hexdigest(), size, status.st_mtime_ns

    def __reduce__(self) -> tuple[type[Checksum], tuple[str]]:
        """Travel by the algorithm's name."""
        return Checksum, (self.algorithm,)


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
