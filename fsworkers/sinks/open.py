"""Which sink a name asks for: formats by suffix, and the checks that come before a run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fsworkers.sinks.errors import AlgorithmMismatch, UnknownFormat
from fsworkers.sinks.output import check_output, open_output, standard_output

if TYPE_CHECKING:
    from pathlib import Path

    from fsworkers.sinks.output import Output
    from fsworkers.sinks.sink import Sink

__all__ = ["FORMATS", "KNOWN_SUFFIXES", "check_sink", "named_algorithm", "open_sink"]

#: The formats that may be named outright.
FORMATS = ("jsonl", "csv", "sums", "raw")

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
    ".xxh128": "xxh3_128",  # what xxhsum calls it, whose 64-bit lists have another form
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
    is_tagged: bool = False,
) -> Sink:
    """Open the sink that a target's name asks for.

    An existing file stays as it is until the first batch is written or the sink closed.

    Args:
        target: The output file; its suffix, in any case, says the format. ``None`` and ``-`` are
            stdout; that, devices and pipes get JSON Lines unless ``format`` says otherwise.
        format: One of ``FORMATS``, to overrule the suffix.
        algorithm: What the checksum task computes, several with commas; ``None`` for other tasks,
            whose values may well be digests too.
        is_tagged: With the format ``raw``: the path before each line.

    Raises:
        UnknownFormat: Neither the suffix nor ``format`` is known.
        AlgorithmMismatch: The suffix is that of another algorithm's checksum list.
        OutputUnwritable: The target cannot be written to.
    """
    target = _without_dash(target)
    chosen, named_for = _chosen(target, format, algorithm)
    output = standard_output() if target is None else open_output(target)
    if chosen == "raw":
        from fsworkers.sinks.raw import RawSink  # noqa: PLC0415  (as in _sink)

        return RawSink(output, is_tagged=is_tagged)
    return _sink(chosen, output, named_for or algorithm)


def check_sink(target: Path | None, *, algorithm: str | None = None) -> None:
    """Refuse, before anything is begun, what ``open_sink`` would refuse; nothing is left behind.

    Raises:
        SinkError: As ``open_sink``.
    """
    target = _without_dash(target)
    _chosen(target, None, algorithm)
    if target is not None:
        check_output(target)


def named_algorithm(target: Path | None) -> str | None:
    """The algorithm whose checksum lists have such a name; ``None`` for other names."""
    if target is None:
        return None
    suffix = target.suffix.lower()
    return _SUMS_SUFFIXES.get(suffix) or _SUMS_NAMES.get(
        suffix.removeprefix(".") or target.name.lower()
    )


def _without_dash(target: Path | None) -> Path | None:
    return None if target is None or os.fspath(target) == "-" else target


def _chosen(target: Path | None, named: str | None, computed: str | None) -> tuple[str, str | None]:
    """Decide on the format, and on the algorithm that the target's name speaks of.

    Raises:
        AlgorithmMismatch: It is not the one that is computed.
        UnknownFormat: There is no such format.
    """
    chosen, algorithm = _format_of(target, named)
    if not (computed is None or algorithm is None or algorithm in computed.split(",")):
        raise AlgorithmMismatch(os.fspath(target or ""), algorithm, computed)
    return chosen, algorithm


def _format_of(target: Path | None, named: str | None) -> tuple[str, str | None]:
    if named is not None and named not in FORMATS:
        raise UnknownFormat(named, FORMATS)
    if target is None or named == "raw":
        return named or "jsonl", None
    algorithm = named_algorithm(target)
    suffix = target.suffix.lower()
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
