"""Which sink a name asks for: formats by suffix, and the checks that come before a run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fsworkers.sinks.errors import AlgorithmMismatch, UnknownFormat
from fsworkers.sinks.output import open_output, standard_output

if TYPE_CHECKING:
    from pathlib import Path

    from fsworkers.sinks.output import Output
    from fsworkers.sinks.sink import Sink

__all__ = ["FORMATS", "KNOWN_SUFFIXES", "open_sink"]

#: The formats that may be named outright.
FORMATS = ("jsonl", "csv", "sums")

_ROW_SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}
_SUMS_SUFFIXES = {
    ".md5": "md5",
    ".sha1": "sha1",
    ".sha224": "sha224",
    ".sha256": "sha256",
    ".sha384": "sha384",
    ".sha512": "sha512",
    ".b2": "blake2b",
    ".blake2b": "blake2b",
    ".b3": "blake3",
    ".blake3": "blake3",
}
# The other customs: list.sha256sum, and SHA256SUMS as a whole name.
_SUMS_NAMES = {
    f"{suffix[1:]}{ending}": algorithm
    for suffix, algorithm in _SUMS_SUFFIXES.items()
    for ending in ("sum", "sums")
}

#: What a name may end in, for help texts and messages.
KNOWN_SUFFIXES: tuple[str, ...] = (*_ROW_SUFFIXES, *_SUMS_SUFFIXES)


def open_sink(
    target: Path | None,
    *,
    format: str | None = None,  # noqa: A002 - the option of that name
    algorithm: str | None = None,
) -> Sink:
    """Open the sink that a target's name asks for.

    Everything is checked here, before a worker starts. An existing file stays as it is until the
    first batch is written or the sink closed.

    Args:
        target: The output file; its suffix, in any case, says the format. ``None`` and ``-`` are
            stdout; that, devices and pipes get JSON Lines unless ``format`` says otherwise.
        format: One of ``FORMATS``, to overrule the suffix.
        algorithm: What the checksum task computes; ``None`` for other tasks, whose values may
            well be digests too.

    Raises:
        UnknownFormat: Neither the suffix nor ``format`` is known.
        AlgorithmMismatch: The suffix is that of another algorithm's checksum list.
        OutputUnwritable: The target cannot be written to.
    """
    if target is not None and os.fspath(target) == "-":
        target = None
    chosen, suffix_algorithm = _chosen(target, format)
    if algorithm is not None and suffix_algorithm is not None and suffix_algorithm != algorithm:
        raise AlgorithmMismatch(os.fspath(target or ""), suffix_algorithm, algorithm)
    output = standard_output() if target is None else open_output(target)
    return _sink(chosen, output, algorithm or suffix_algorithm)


def _chosen(target: Path | None, named: str | None) -> tuple[str, str | None]:
    """Decide on the format, and on the algorithm that the target's name speaks of."""
    if named is not None and named not in FORMATS:
        raise UnknownFormat(named, FORMATS)
    if target is None:
        return named or "jsonl", None
    suffix = target.suffix.lower()
    algorithm = _SUMS_SUFFIXES.get(suffix) or _SUMS_NAMES.get(
        suffix.removeprefix(".") or target.name.lower()
    )
    if named is not None:
        return named, algorithm if named == "sums" else None
    if algorithm is not None:
        return "sums", algorithm
    if suffix not in _ROW_SUFFIXES and target.exists() and not target.is_file():
        return "jsonl", None  # /dev/stdout, a FIFO: they have no suffix to say it by
    if suffix not in _ROW_SUFFIXES:
        raise UnknownFormat(os.fspath(target), KNOWN_SUFFIXES)
    return _ROW_SUFFIXES[suffix], None


def _sink(chosen: str, output: Output, algorithm: str | None) -> Sink:
    # A run loads the one format that it writes.
    if chosen == "csv":
        from fsworkers.sinks.csv_rows import CsvSink  # noqa: PLC0415

        return CsvSink(output)
    if chosen == "sums":
        from fsworkers.sinks.sums import SumsSink  # noqa: PLC0415

        return SumsSink(output, algorithm)
    from fsworkers.sinks.jsonl import JsonLinesSink  # noqa: PLC0415

    return JsonLinesSink(output)
