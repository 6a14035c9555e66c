"""The registry of formats, which one a name asks for, and the checks that come before a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fsworkers.names import is_url, printable
from fsworkers.sinks.errors import AlgorithmMismatch, NoDigest, OutputUnwritable, UnknownFormat
from fsworkers.sinks.output import check_output, open_output, partial_of, standard_output

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fsworkers.sinks.output import Output
    from fsworkers.sinks.sink import Sink
    from fsworkers.sinks.template import Template

__all__ = [
    "FORMATS",
    "KNOWN_SUFFIXES",
    "Wanted",
    "check_sink",
    "named_algorithm",
    "open_sink",
    "output_path",
]

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


class Wanted(NamedTuple):
    """What a sink is told of its run.

    Attributes:
        algorithm: What the checksum task computes; ``None`` for other tasks, whose values may
            well be digests too.
        columns: What the task's values hold: names and types first.
        is_tagged: With the format ``raw``: the path before each line.
        template: What ``template`` is to make lines of.
    """

    algorithm: str | None = None
    columns: Sequence[Sequence[str]] = ()
    is_tagged: bool = False
    template: str = ""

    @property
    def declared(self) -> list[Any]:
        """The columns as ``fsworkers.sinks.columns`` has them."""
        from fsworkers.sinks.columns import Declared  # noqa: PLC0415  (only for tables)

        return [Declared(*one[:2]) for one in self.columns]


class Format(NamedTuple):
    """A way to write outcomes.

    Attributes:
        open: Makes the sink; a run loads the one format that it writes.
        suffixes: What names of such files end in.
        needs_file: It can't be written to a pipe.
        check: Refuses what it can't do, before the run.
        check_replaced: Refuses to replace what is there.
    """

    open: Callable[[Output, Wanted], Sink]
    suffixes: tuple[str, ...] = ()
    needs_file: bool = False
    check: Callable[[Wanted], object] | None = None
    check_replaced: Callable[[Path], object] | None = None


def _jsonl(output: Output, _wanted: Wanted) -> Sink:
    from fsworkers.sinks.jsonl import JsonLinesSink  # noqa: PLC0415  (see Format; likewise below)

    return JsonLinesSink(output)


def _csv(output: Output, wanted: Wanted) -> Sink:
    from fsworkers.sinks.csv_rows import CsvSink  # noqa: PLC0415

    return CsvSink(output, [one[0] for one in wanted.columns])


def _parquet(output: Output, wanted: Wanted) -> Sink:
    from fsworkers.sinks.parquet import ParquetSink  # noqa: PLC0415

    return ParquetSink(output, wanted.declared)


def _check_parquet(_wanted: Wanted) -> None:
    from fsworkers.sinks.parquet import load_pyarrow  # noqa: PLC0415

    load_pyarrow()


def _sqlite(output: Output, wanted: Wanted) -> Sink:
    from fsworkers.sinks.sqlite import SqliteSink  # noqa: PLC0415

    return SqliteSink(output, wanted.declared)


def _refuse_other_databases(target: Path) -> None:
    from fsworkers.sinks.sqlite import refuse_others  # noqa: PLC0415

    refuse_others(target)


def _sums(output: Output, wanted: Wanted) -> Sink:
    from fsworkers.sinks.sums import SumsSink  # noqa: PLC0415

    return SumsSink(output, wanted.algorithm)


def _check_sums(wanted: Wanted) -> None:
    columns = [one[0] for one in wanted.columns]
    if len(columns) > 1 and not {wanted.algorithm, "digest"} & {*columns}:
        raise NoDigest(columns)


def _raw(output: Output, wanted: Wanted) -> Sink:
    from fsworkers.sinks.raw import RawSink  # noqa: PLC0415

    return RawSink(output, is_tagged=wanted.is_tagged)


def _table(output: Output, wanted: Wanted) -> Sink:
    from fsworkers.sinks.table import TableSink  # noqa: PLC0415

    return TableSink(output, wanted.declared)


def _template(output: Output, wanted: Wanted) -> Sink:
    from fsworkers.sinks.template import TemplateSink  # noqa: PLC0415

    return TemplateSink(output, _parsed(wanted))


def _parsed(wanted: Wanted) -> Template:
    from fsworkers.sinks.template import parse  # noqa: PLC0415

    return parse(wanted.template, [one[0] for one in wanted.columns])


#: The formats by name.
FORMATS = {
    "jsonl": Format(_jsonl, (".jsonl", ".ndjson")),
    "csv": Format(_csv, (".csv",)),
    "parquet": Format(_parquet, (".parquet",), check=_check_parquet),
    "sqlite": Format(
        _sqlite, (".db", ".sqlite"), needs_file=True, check_replaced=_refuse_other_databases
    ),
    "sums": Format(_sums, tuple(_SUMS_SUFFIXES), check=_check_sums),
    "raw": Format(_raw),
    "table": Format(_table),
    "template": Format(_template, check=_parsed),
}

_BY_SUFFIX = {suffix: name for name, one in FORMATS.items() for suffix in one.suffixes}

#: What a name may end in, for help texts and messages.
KNOWN_SUFFIXES = tuple(_BY_SUFFIX)

_NOTHING = Wanted()


def open_sink(
    target: Path | None,
    *,
    format: str | None = None,  # noqa: A002 - the option of that name
    wanted: Wanted = _NOTHING,
) -> Sink:
    """Open the sink that a target's name asks for.

    An existing file stays as it is until the sink is finished.

    Args:
        target: The output file; its suffix, in any case, says the format. ``None`` and ``-`` are
            stdout; that, devices and pipes get JSON Lines unless ``format`` says otherwise.
        format: One of ``FORMATS``, to overrule the suffix, or a template: what has a brace.
        wanted: What the sink has to know.

    Raises:
        UnknownFormat: Neither the suffix nor ``format`` is known.
        AlgorithmMismatch: The suffix is that of another algorithm's checksum list.
        OutputUnwritable: The target cannot be written to.
        BadTemplate: The template means nothing.
    """
    target = _without_dash(target)
    format, wanted = _with_template(format, wanted)  # noqa: A001
    chosen, wanted = _chosen(target, format, wanted)
    output = standard_output() if target is None else _opened(target)
    return FORMATS[chosen].open(output, wanted)


def _opened(target: Path) -> Output:
    if is_url(os.fspath(target)):
        from fsworkers.sinks.remote import RemoteOutput  # noqa: PLC0415  (only with URLs)

        return RemoteOutput(target)
    return open_output(target)


def check_sink(
    target: Path | None,
    *,
    format: str | None = None,  # noqa: A002
    wanted: Wanted = _NOTHING,
) -> None:
    """Refuse, before anything is begun, what ``open_sink`` would refuse; nothing is left behind.

    Raises:
        SinkError: As ``open_sink``.
        BadTemplate: Likewise.
        MissingExtra: A package is needed that is not installed.
    """
    target = _without_dash(target)
    format, wanted = _with_template(format, wanted)  # noqa: A001
    chosen, wanted = _chosen(target, format, wanted)
    kind = FORMATS[chosen]
    if kind.check is not None:
        kind.check(wanted)
    if target is None:
        return
    if is_url(os.fspath(target)):
        from fsworkers.upload import check_place  # noqa: PLC0415  (only with URLs)

        url = os.fspath(target)
        check_place(url, f"-o {printable(url)}")
        return
    check_output(target)
    if kind.needs_file and partial_of(target) is None:
        raise OutputUnwritable(os.fspath(target), f"it is no file, which {chosen} needs")
    if kind.check_replaced is not None:
        kind.check_replaced(target)


def output_path(name: str) -> Path:
    """What an output is called, as a path; a URL stays one."""
    if is_url(name):
        from fsworkers.storage import RemotePath  # noqa: PLC0415  (only with URLs)

        return RemotePath(name)
    return Path(name)


def named_algorithm(target: Path | None) -> str | None:
    """The algorithm whose checksum lists have such a name; ``None`` for other names."""
    if target is None:
        return None
    suffix = target.suffix.lower()
    return _SUMS_SUFFIXES.get(suffix) or _SUMS_NAMES.get(
        suffix.removeprefix(".") or target.name.lower()
    )


def _with_template(named: str | None, wanted: Wanted) -> tuple[str | None, Wanted]:
    if named is None or not {"{", "}"} & set(named):
        return named, wanted
    return "template", wanted._replace(template=named)


def _without_dash(target: Path | None) -> Path | None:
    return None if target is None or os.fspath(target) in {"-", "/dev/stdout"} else target


def _chosen(target: Path | None, named: str | None, wanted: Wanted) -> tuple[str, Wanted]:
    """Decide on the format, and on the algorithm that the target's name speaks of.

    Raises:
        AlgorithmMismatch: It is not one that is computed.
        UnknownFormat: There is no such format.
    """
    chosen, algorithm = _format_of(target, named)
    computed = wanted.algorithm
    if not (computed is None or algorithm is None or algorithm in computed.split(",")):
        raise AlgorithmMismatch(os.fspath(target or ""), algorithm, computed)
    return chosen, wanted._replace(algorithm=algorithm or computed)


def _format_of(target: Path | None, named: str | None) -> tuple[str, str | None]:
    if named is not None and named not in FORMATS:
        raise UnknownFormat(named, tuple(FORMATS))
    if target is None or named in {"raw", "template"}:
        return named or "jsonl", None
    algorithm = named_algorithm(target)
    if named is not None:
        return named, algorithm if named == "sums" else None
    if algorithm is not None:
        return "sums", algorithm
    chosen = _BY_SUFFIX.get(target.suffix.lower())
    is_remote = is_url(os.fspath(target))
    if chosen is None and not is_remote and (target.is_dir() or partial_of(target) is None):
        return "jsonl", None  # /dev/fd/3, a FIFO: they have no suffix to say it by
    if chosen is None:
        raise UnknownFormat(os.fspath(target), KNOWN_SUFFIXES)
    return chosen, None
