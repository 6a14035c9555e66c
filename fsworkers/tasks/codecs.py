"""Compressed formats, as files that are read and written."""

from __future__ import annotations

import gzip
import zlib
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from fsworkers.errors import MissingExtra
from fsworkers.tasks.rewriting import write_all

if TYPE_CHECKING:
    from collections.abc import Callable

Format: TypeAlias = Literal["gz", "zst"]
Engine: TypeAlias = Literal["zlib", "isal"]


class Codec(NamedTuple):
    """A way to read and write a format.

    Attributes:
        reader: Opens what is in an unbuffered file.
        writer: Makes a file whose content goes compressed to a ``Whole``; the second argument is
            the level.
        errors: What reading damaged data raises.
        levels: The lowest, the usual and the highest level.
    """

    reader: Callable[[Any], Any]
    writer: Callable[[Any, int], Any]
    errors: tuple[type[Exception], ...]
    levels: tuple[int, int, int]


class Whole:
    """Takes everything that is written to it, where an unbuffered file may take a part.

    Args:
        target: The unbuffered file.
    """

    def __init__(self, target: Any) -> None:
        self._target = target

    def write(self, data: Any) -> int:
        """Write all of it."""
        write_all(self._target, data)
        return memoryview(data).nbytes

    def flush(self) -> None:
        """Nothing is kept."""


@cache
def codec(format: Format, engine: Engine = "zlib") -> Codec:  # noqa: A002  (it is one)
    """How to read and write a format.

    Raises:
        MissingExtra: It needs a package that is not installed.
    """
    if format == "zst":
        return _zstd()
    if engine == "isal":
        try:
            from isal import igzip, isal_zlib  # noqa: PLC0415  (an extra)
        except ImportError as error:
            raise MissingExtra("isal, the fast engine for gzip,", "isal") from error
        return _gzip(igzip.IGzipFile, isal_zlib.error, (0, 2, 3))
    return _gzip(gzip.GzipFile, zlib.error, (1, 6, 9))


def _gzip(kind: Any, error: Any, levels: tuple[int, int, int]) -> Codec:
    """Neither name nor time go in: the same content makes the same bytes."""
    return Codec(
        reader=lambda file: kind(filename="", fileobj=file, mode="rb"),
        writer=lambda file, level: kind("", "wb", level, file, 0),
        errors=(EOFError, gzip.BadGzipFile, error),
        levels=levels,
    )


def _zstd() -> Codec:
    try:
        zstd = import_module("compression.zstd")  # since Python 3.14
    except ImportError:
        try:
            zstd = import_module("backports.zstd")
        except ImportError as error:
            raise MissingExtra("zstd", "zstd") from error
    parameter = zstd.CompressionParameter

    def writer(file: Any, level: int) -> Any:
        options = {parameter.compression_level: level, parameter.checksum_flag: 1}
        packed = zstd.ZstdFile(file, "wb", options=options)
        packed.write(b"")  # it makes nothing of nothing else, which is not whole
        return packed

    return Codec(
        reader=lambda file: zstd.ZstdFile(file, "rb"),
        writer=writer,
        errors=(EOFError, zstd.ZstdError),
        levels=(1, 3, 22),
    )
