"""A block of outcomes as it lies in the journal: packed where it was made, expanded when asked for.

A block is two byte strings, each one MessagePack array: ``directories`` is what look-ups go by
(``Directories``), ``rows`` holds a column for each field of an ``Outcome`` (``Rows``).

Paths are kept to the byte and in two parts: the directory with its slash as it stands in the path
(``b""`` where there is none), and the name, in which there can be no slash.

Workers import this module: it takes nothing along but msgspec.
"""

from __future__ import annotations

import os
from itertools import accumulate, chain, groupby, islice, pairwise, repeat
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from fsworkers.model import Outcome, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

Block: TypeAlias = tuple[bytes, bytes]
"""``directories`` and ``rows``."""

Part: TypeAlias = "tuple[bytes, Sequence[int]]"
"""A directory, and the positions of some of its files among the rows."""

LARGEST_VALUE_BYTES = 500_000_000
"""SQLite holds a billion bytes in one place. A larger value is left out of the journal."""

_LARGEST_BLOCK_BYTES = 32_000_000


class Directories(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What look-ups go by.

    Attributes:
        names: The directory of the block's first files, then that of the next ones…
        counts: How many files each of these has here.
        statuses: The outcomes that occur.
        is_scan_failure: These are no files but what the scan could not look at.
    """

    names: list[bytes]
    counts: list[int]
    statuses: list[Status]
    is_scan_failure: bool = False

    @property
    def parts(self) -> Iterator[tuple[bytes, range]]:
        """Each directory with the positions of its files."""
        ends = pairwise(accumulate(self.counts, initial=0))
        return zip(self.names, (range(first, stop) for first, stop in ends), strict=True)


class Rows(msgspec.Struct, array_like=True, gc=False):
    """The columns, in the order of the fields of an ``Outcome``.

    A column is a list with an entry a file, or one entry that is true of all. ``names`` are joined
    by slashes, ``values`` is a JSON array (on disk, perhaps a shorter form of it) or empty where no
    file has a value, texts are UTF-8 by ``surrogatepass`` because they may be of any kind.
    """

    names: bytes
    statuses: Status | list[Status]
    values: bytes
    errors: bytes | list[bytes | None] | None
    attempts: int | list[int]
    sizes: int | list[int | None] | None
    durations_s: float | list[float]
    workers: int | list[int | None] | None
    tracebacks: bytes | list[bytes | None] | None
    mtimes_ns: int | list[int | None] | None
    made: int | list[int | None] | None = None
    """The stamps of what was made of files, by which it is known again: no field, an output's."""


unpack_directories = msgspec.msgpack.Decoder(Directories).decode
"""Unpacks ``directories``; ``msgspec.DecodeError`` where they are damaged."""

_encode = msgspec.msgpack.Encoder().encode
_decode_rows = msgspec.msgpack.Decoder(Rows).decode
_NULL = msgspec.Raw(b"null")
_decode_values = msgspec.json.Decoder(list[Any]).decode
_decode_raw_values = msgspec.json.Decoder(list[msgspec.Raw]).decode


def pack_done(
    paths: Sequence[str],
    values_json: bytes,
    sizes: Sequence[int | None],
    mtimes_ns: Sequence[int | None],
    durations_s: Sequence[float],
    worker: int,
    made: Sequence[int | None] | None = None,
) -> Block:
    """Pack files that were done at their first attempt: 0.2 µs each.

    A file takes some 22 bytes, and those of its name and value.

    Args:
        paths: At least one; ``os.fsencode`` gives their exact bytes.
        values_json: The values as one JSON array. What has more than its share of
            ``LARGEST_VALUE_BYTES`` is left out, and its file never counts as known.
        sizes: Bytes of each file.
        mtimes_ns: Modification times.
        durations_s: Seconds each took.
        worker: Number of the worker.
        made: Stamps of their outputs, if they have some.
    """
    if len(values_json) > LARGEST_VALUE_BYTES:
        values: list[Any] = _decode_raw_values(values_json)
        mtimes_ns = list(mtimes_ns)
        _leave_out_large(values, mtimes_ns, LARGEST_VALUE_BYTES // len(paths))
        values_json = _array(values)
    columns: Any = list(sizes), list(durations_s), worker, None, list(mtimes_ns)
    rows = Rows(b"", "done", values_json, None, 1, *columns)
    rows.made = None if made is None else list(made)
    return _pack(paths, rows)


def pack_untried(
    paths: Sequence[str],
    status: Status,
    reason: str | None,
    sizes: Sequence[int] | None = None,
    mtimes_ns: Sequence[int] | None = None,
    values: Sequence[msgspec.Raw] | None = None,
    made: Sequence[int | None] | None = None,
) -> Block:
    """Pack files that all came to one end without an attempt: ``cancelled``, or unchanged.

    Args:
        paths: At least one.
        status: What became of them.
        reason: Why, in words.
        sizes: Bytes of each file, if they were looked at.
        mtimes_ns: Modification times likewise.
        values: What an earlier run made of each file, if they are unchanged since.
        made: Stamps of their outputs likewise.
    """
    size_column, time_column = (None if one is None else list(one) for one in (sizes, mtimes_ns))
    columns: Any = (
        _bytes(reason), 0, size_column, 0.0, None, None, time_column, made and list(made)
    )  # fmt: skip
    return _pack(paths, Rows(b"", status, b"" if values is None else _array(values), *columns))


def pack_outcomes(
    outcomes: Sequence[Outcome],
    encode_value: Callable[[Any], bytes],
    stamp: Callable[[str], int | None] | None = None,
) -> Iterator[Block]:
    """Pack any outcomes, in one block unless their values are large: 0.7 µs each.

    What the scan could not look at goes into blocks of its own, which a new scan replaces.

    Args:
        outcomes: Of two for one path, the later one is packed.
        encode_value: Turns a task's value into JSON.
        stamp: Given the path of one that is done: the stamp of its output, if it makes one.
    """
    latest = {one.path: one for one in outcomes}.values()
    for is_scan_failure, group in groupby(latest, _is_scan_failure):
        some = list(group)
        values = [b"null" if one.value is None else encode_value(one.value) for one in some]
        mtimes_ns = [one.mtime_ns for one in some]
        _leave_out_large(values, mtimes_ns, LARGEST_VALUE_BYTES)
        made = None
        if stamp is not None:
            made = [stamp(one.path) if one.status == "done" else None for one in some]
        yield from _pack_some(some, values, mtimes_ns, made, is_scan_failure)


def _is_scan_failure(outcome: Outcome) -> bool:
    return outcome.status == "failed" and outcome.attempts == 0


def _leave_out_large(values: list[Any], mtimes_ns: list[int | None], largest_bytes: int) -> None:
    """A file whose value is left out has no time either, so that it never counts as known."""
    for at, value in enumerate(values):
        if memoryview(value).nbytes > largest_bytes:
            values[at], mtimes_ns[at] = b"null", None


def _pack_some(
    outcomes: list[Outcome],
    values: list[bytes],
    mtimes_ns: list[int | None],
    made: list[int | None] | None,
    is_scan_failure: bool,
) -> Iterator[Block]:
    def column(field: str) -> Any:
        entries = list(map(attrgetter(field), outcomes))
        return entries[0] if entries.count(entries[0]) == len(entries) else entries

    rows = Rows(
        b"",
        column("status"),
        b"" if values.count(b"null") == len(values) else _array(values),
        _bytes(column("error")),
        column("attempts"),
        column("size"),
        column("duration_s"),
        column("worker"),
        _bytes(column("traceback")),
        mtimes_ns,
        made,
    )
    paths = [os.fsdecode(one.path) for one in outcomes]
    block = _pack(paths, rows, is_scan_failure=is_scan_failure)
    if len(block[1]) <= _LARGEST_BLOCK_BYTES or len(outcomes) == 1:
        yield block
        return
    half = len(outcomes) // 2
    for some in slice(half), slice(half, None):
        stamps = made and made[some]
        yield from _pack_some(
            outcomes[some], values[some], mtimes_ns[some], stamps, is_scan_failure
        )


def _pack(paths: Sequence[str], rows: Rows, *, is_scan_failure: bool = False) -> Block:
    groups = by_directory(paths)
    rows.values = shortened(rows.values, len(paths))
    rows.names = os.fsencode("/".join(chain.from_iterable(names for _, names in groups)))
    directories = Directories(
        [os.fsencode(directory) for directory, _ in groups],
        [len(names) for _, names in groups],
        list(set(rows.statuses)) if isinstance(rows.statuses, list) else [rows.statuses],
        is_scan_failure,
    )
    return _encode(directories), _encode(rows)


def by_directory(paths: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Divide paths where the directory changes: each directory with its slash, and the names."""
    groups: list[tuple[str, list[str]]] = []
    start = 0
    while start < len(paths):
        directory = paths[start][: paths[start].rfind("/") + 1]
        stop = _guess_end(directory, paths, start)
        if not _are_all_in(directory, paths[start:stop]):
            others = (at for at in range(start, stop) if not _is_in(directory, paths[at]))
            stop = next(others, stop)
        names = map(itemgetter(slice(len(directory), None)), paths[start:stop])
        groups.append((directory, list(names)))
        start = stop
    return groups


def _guess_end(directory: str, paths: Sequence[str], start: int) -> int:
    """Where the directory's files end that begin at ``start``, if no others are among them."""
    stop, step = start + 1, 1
    while step:
        last = stop + step - 1
        if last < len(paths) and _is_in(directory, paths[last]):
            stop += step
            step *= 2
        else:
            step //= 2
    return stop


def _is_in(directory: str, path: str) -> bool:
    return path.startswith(directory) and path.rfind("/") < len(directory)


def _are_all_in(directory: str, paths: Sequence[str]) -> bool:
    """The same of many at once; ``False`` also where there is a NUL, which no path has."""
    joined, count = "\0".join(paths), len(paths)
    is_everywhere = joined.count("\0" + directory) == joined.count("\0") == count - 1
    return is_everywhere and joined.count("/") == directory.count("/") * count


def unpack_rows(packed: bytes) -> Rows:
    """The columns; ``msgspec.DecodeError`` where they are damaged."""
    rows = _decode_rows(packed)
    rows.values = lengthened(rows.values)
    count = rows.names.count(b"/") + 1
    for field in Rows.__struct_fields__:
        _check_length(getattr(rows, field), count)
    return rows


def _check_length(column: Any, count: int) -> None:
    if isinstance(column, list) and len(column) != count:
        raise msgspec.DecodeError(f"a column of {count} files has {len(column)} entries")


def names_of(rows: Rows) -> list[str]:
    """The files' names."""
    return os.fsdecode(rows.names).split("/")


def values_of(rows: Rows) -> list[msgspec.Raw | None]:
    """The values as JSON; ``None`` where none is recorded.

    A skipped file has one only if that was carried over from the run that it is unchanged since.
    """
    if rows.values:
        return list(_decode_raw_values(rows.values))
    count = rows.names.count(b"/") + 1
    statuses = list(islice(spread(rows.statuses, range(count)), count))
    return [_NULL if status == "done" else None for status in statuses]


def spread(column: Any, at: range) -> Iterable[Any]:
    """The entries of a column at some positions; without end where it is one entry for all."""
    return column[at.start : at.stop] if isinstance(column, list) else repeat(column)


def spread_texts(column: Any, at: range) -> Iterable[str | None]:
    """The same of a column of texts."""
    if isinstance(column, list):
        return map(_text, column[at.start : at.stop])
    return repeat(_text(column))


def outcomes_of(block: Block) -> Iterator[tuple[bytes, list[Outcome]]]:
    """The outcomes in a block, directory by directory: 0.3 µs each.

    A value is what its JSON says: a tuple is now a list.

    Raises:
        msgspec.DecodeError: It is damaged.
        UnicodeDecodeError: Likewise.
    """
    rows = unpack_rows(block[1])
    names = names_of(rows)
    values = _decode_values(rows.values) if rows.values else None
    _check_length(values, len(names))
    directories = unpack_directories(block[0])
    _check_length(names, sum(directories.counts))
    for directory, at in directories.parts:
        columns = rows.attempts, rows.sizes, rows.durations_s, rows.workers
        outcomes = map(
            Outcome,
            map(os.fsdecode(directory).__add__, names[at.start : at.stop]),
            spread(rows.statuses, at),
            spread(values, at),
            spread_texts(rows.errors, at),
            *(spread(column, at) for column in columns),
            spread_texts(rows.tracebacks, at),
            spread(rows.mtimes_ns, at),
        )
        yield directory, list(outcomes)


def cut(packed: bytes, pieces: Iterable[Sequence[Part]]) -> Iterator[Block]:
    """Divide a block's ``rows``: the files that go together become a block of their own.

    Raises:
        msgspec.DecodeError: They are damaged.
    """
    rows = unpack_rows(packed)
    names = rows.names.split(b"/")
    values = _decode_raw_values(rows.values) if rows.values else None
    for parts in pieces:
        directories = Directories([name for name, _ in parts], [len(at) for _, at in parts], [])
        piece = packed
        if sum(directories.counts) < len(names):
            some = Rows(*(_taken(getattr(rows, field), parts) for field in Rows.__struct_fields__))
            some.names = b"/".join(_taken(names, parts))
            some.values = b"" if values is None else _array(_taken(values, parts))
            some.values = shortened(some.values, sum(directories.counts))
            piece = _encode(some)
        yield _encode(directories), piece


def _taken(column: Any, parts: Sequence[Part]) -> Any:
    if not isinstance(column, list):
        return column
    entries: list[Any] = []
    for _, at in parts:
        if isinstance(at, range):
            entries += column[at.start : at.stop]
        else:
            entries += map(column.__getitem__, at)
    return entries


_SHORT = b"\0"
"""Begins what ``shortened`` made, as no JSON does; the bytes of a digest come next."""


def shortened(values: bytes, count: int) -> bytes:
    """Digests in half the space: hexadecimal texts of one length as the bytes they stand for."""
    step = (len(values) - 1) // max(count, 1)
    width = step - len('"",')
    if width <= 0 or width % 2:
        return values
    quotes, digits = b'"' * count, values.translate(None, b'[]",')
    is_regular = (
        values[1::step] == values[step - 1 :: step] == quotes
        and values[step::step] == b"," * (count - 1) + b"]"
        and len(digits) == width * count
    )
    try:
        digests = bytes.fromhex(digits.decode("ascii")) if is_regular else b""
        if not digests or digests.hex().encode() != digits:
            return values
        return _SHORT + (width // 2).to_bytes(1) + digests
    except (ValueError, OverflowError):
        return values


def lengthened(values: bytes) -> bytes:
    """The JSON array that ``shortened`` was given."""
    if not values.startswith(_SHORT):
        return values
    text = values[2:].hex(",", values[1]).replace(",", '","')
    return f'["{text}"]'.encode("ascii")


def _array(values: Iterable[bytes | msgspec.Raw]) -> bytes:
    return b"[" + b",".join(values) + b"]"


def _bytes(text: Any) -> Any:
    if isinstance(text, list):
        return list(map(_bytes, text))
    return None if text is None else text.encode("utf-8", "surrogatepass")


def _text(text: bytes | None) -> str | None:
    return None if text is None else text.decode("utf-8", "surrogatepass")
