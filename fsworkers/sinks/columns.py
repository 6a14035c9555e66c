"""Outcomes as rows of a table whose columns have types: what SQLite and Parquet hold.

The columns are those of an outcome, then the task's own, then ``value``, which holds what no column
does: all of it where the task declares none, a key that it does not declare, something of another
type than is declared. There it is JSON, or plain where it is one text or number.

A path is text, with U+FFFD for bytes that are no UTF-8; ``path_bytes`` has the exact ones of those.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from itertools import repeat
from time import gmtime, strftime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from fsworkers.sinks.csv_rows import field
from fsworkers.sinks.plain import encode, lossy
from fsworkers.sinks.rows import path_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fsworkers.model import Outcome

__all__ = ["Declared", "TypedRows", "iso_time", "table_columns"]

_SMALLEST, _LARGEST = -(1 << 63), (1 << 63) - 1

_PLAIN = frozenset({str, int, float, bool, type(None), dict, list})


class Declared(NamedTuple):
    """A column: of an outcome, or one that a task declares.

    Attributes:
        name: What it is called.
        type: ``text``, ``integer``, ``number``, ``boolean``, ``json``; of an outcome's ``bytes``,
            ``time`` and ``any`` as well.
    """

    name: str
    type: str


_FIRST = (
    Declared("path", "text"), Declared("status", "text"), Declared("error", "text"),
    Declared("attempts", "integer"), Declared("size", "integer"), Declared("duration_s", "number"),
    Declared("worker", "integer"), Declared("mtime", "time"),
)  # fmt: skip
_LAST = (Declared("value", "any"), Declared("traceback", "text"), Declared("path_bytes", "bytes"))


def table_columns(declared: Sequence[Declared]) -> list[Declared]:
    """All columns in their order; a task's own whose name is taken is called ``value_…``."""
    taken = {one.name for one in (*_FIRST, *_LAST)}
    own = []
    for name, type_ in declared:
        while name.lower() in taken:  # SQLite does not tell capital letters apart
            name = f"value_{name}"  # noqa: PLW2901
        taken.add(name.lower())
        own.append(Declared(name, type_))
    return [*_FIRST, *own, *_LAST]


class TypedRows(NamedTuple):
    """Makes columns of outcomes; of those that are done, in the worker.

    Attributes:
        declared: The task's columns.
        has_times: Whether the format has times; they are text otherwise.
    """

    declared: tuple[Declared, ...]
    has_times: bool

    def __call__(
        self,
        paths: Sequence[str],
        values: Sequence[Any],
        sizes: Sequence[int | None],
        durations_s: Sequence[float],
        attempts: int,
        worker: int,
        mtimes_ns: Sequence[int | None],
    ) -> bytes:
        """Encode files that were done, for ``columns_in``."""
        same = ("done", None, attempts, worker, None)
        status, error, tried, by, trace = ([one] * len(paths) for one in same)
        return pickle.dumps(
            self._columns(
                paths, values, (status, error, tried, sizes, durations_s, by), mtimes_ns, trace
            ),
            protocol=5,
        )

    def columns_in(self, encoded: bytes) -> list[Sequence[Any]]:
        """What ``table_columns`` names, each a list."""
        columns: list[Sequence[Any]] = pickle.loads(encoded)
        return columns

    def columns_of(self, outcomes: Iterable[Outcome]) -> list[Sequence[Any]]:
        """The same of outcomes of any status."""
        rows = [
            (
                one.path, one.value, one.status, None if one.error is None else lossy(one.error),
                one.attempts, one.size, round(one.duration_s, 6), one.worker, one.mtime_ns,
                None if one.traceback is None else lossy(one.traceback),
            )
            for one in outcomes
        ]  # fmt: skip
        paths, values, *same, mtimes_ns, traces = zip(*rows, strict=True)
        return self._columns(paths, values, same, mtimes_ns, traces)

    def _columns(
        self,
        paths: Sequence[Any],
        values: Sequence[Any],
        same: Iterable[Sequence[Any]],
        mtimes_ns: Sequence[int | None],
        traces: Sequence[Any],
    ) -> list[Sequence[Any]]:
        texts: Sequence[str] = paths
        exact: Sequence[bytes | None] = [None] * len(paths)
        if set(map(type, paths)) != {str} or not all(map(str.isascii, paths)):
            texts, exact = zip(*map(_path_cells, paths), strict=True)
        times: Sequence[Any] = [*map(_fitting, mtimes_ns)]
        if not self.has_times:
            times = [None if each is None else iso_time(each) for each in times]
        *own, rest = zip(*map(_cells, repeat(self.declared), values), strict=True)
        return [texts, *same, times, *own, rest, traces, exact]


def iso_time(time_ns: int) -> str:
    """A time as ISO 8601 has it, to the nanosecond, in UTC: SQLite's functions read it."""
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    return f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(seconds))}.{rest_ns:09}Z"


def _path_cells(path: Any) -> tuple[str, bytes | None]:
    text, encoded = path_columns(path)
    return text, None if encoded is msgspec.UNSET else os.fsencode(path)


def _cells(declared: Sequence[Declared], value: Any) -> list[Any]:
    """What the task's columns hold of a value, and what none does."""
    if not isinstance(value, Mapping):
        value = _plain(value)
    rest: Any = value
    given: dict[str, Any] = {}
    if isinstance(value, Mapping):
        given = rest = dict(value)
    elif len(declared) == 1:
        given = {declared[0].name: value}
    cells: list[Any] = []
    for name, type_ in declared:
        one = given.get(name)
        cell = None if one is None else _cell(type_, one)
        cells.append(cell)
        if one is not None and cell is None:
            continue  # it is none of that type
        if given is rest:
            given.pop(name, None)
        elif one is not None:
            rest = None
    is_empty = given is rest and not given
    return [*cells, None if is_empty and cells else _any(rest)]


def _plain(value: Any) -> Any:
    """What JSON makes of a value that is none of Python's plain ones."""
    return value if type(value) in _PLAIN else msgspec.json.decode(encode(value))


def _any(value: Any) -> Any:
    shown = field(value)
    return str(shown) if type(shown) is int and _fitting(shown) is None else shown


def _cell(type_: str, value: Any) -> Any:
    """A value as a column of a type holds it; ``None`` if it does not."""
    if type_ == "json":
        return encode(value).decode()
    value = _plain(value)
    kind = type(value)
    if type_ == "text" and kind is str:
        return value if value.isascii() else lossy(value)
    if type_ == "integer" and kind is int:
        return _fitting(value)
    if type_ == "number" and kind in {int, float}:
        return float(value) if kind is float or _fitting(value) is not None else None
    return value if type_ == "boolean" and kind is bool else None


def _fitting(number: int | None) -> int | None:
    """A number that 64 bits hold."""
    return number if number is not None and _SMALLEST <= number <= _LARGEST else None
