"""The task ``checksum``: a file's digest, read in large chunks with constant memory.

Reads through the descriptor layer on the worker's own thread: no hop into another thread and no
event loop, which would cost thirty times what hashing a small file does.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Protocol

from fsworkers import graceful
from fsworkers.errors import BadSetting, MissingExtra
from fsworkers.model import Measured

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK_BYTES = 1 << 18
"""Reading more at once gains nothing measurable; it also stays in the second-level cache."""

ALGORITHMS = ("sha256", "sha1", "md5", "blake2b", "blake3")


class Digest(Protocol):
    """What ``hashlib`` and ``blake3`` objects have in common."""

    def update(self, data: Any, /) -> Any:
        """Take more bytes."""

    def hexdigest(self) -> str:
        """The digest of all bytes taken, in lower-case hexadecimal."""


class Checksum:
    """A task function: takes a path, gives the digest in lower-case hexadecimal and the bytes read.

    Args:
        algorithm: One of ``ALGORITHMS``.

    Raises:
        BadSetting: An algorithm that is not known.
        MissingExtra: ``blake3`` is asked for and not installed.
    """

    is_measuring = True

    def __init__(self, algorithm: str = "sha256") -> None:
        self.algorithm = algorithm
        self._new = _constructor(algorithm)
        self._buffers: list[memoryview] = []

    def __call__(self, path: str) -> Measured:
        """Read the file at ``path``.

        Raises:
            OSError: It can't be opened or read.
        """
        digest = self._new()
        size = 0
        buffer = self._buffers.pop() if self._buffers else memoryview(bytearray(CHUNK_BYTES))
        try:
            with graceful.open(path, "rb", buffering=0) as file:
                while count := file.readinto(buffer):
                    digest.update(buffer[:count])
                    size += count
        finally:
            self._buffers.append(buffer)
        return Measured(digest.hexdigest(), size)

    def __reduce__(self) -> tuple[type[Checksum], tuple[str]]:
        """Travel by the algorithm's name."""
        return Checksum, (self.algorithm,)


def _constructor(algorithm: str) -> Callable[[], Digest]:
    if algorithm == "blake3":
        try:
            from blake3 import blake3  # noqa: PLC0415  (an extra)
        except ImportError as error:
            raise MissingExtra("the algorithm blake3", "blake3") from error
        return blake3
    if algorithm not in ALGORITHMS:
        raise BadSetting("algorithm", algorithm, f"one of {', '.join(ALGORITHMS)}")
    constructor: Callable[[], Digest] = getattr(hashlib, algorithm)
    return constructor
