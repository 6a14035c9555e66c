"""CSV as RFC 4180 has it: a header, CRLF line ends, quotes around what needs them.

The columns are those of JSON Lines, all present in every row, and then those of the task, where it
has several; what is missing is an empty field.
A value that is no text or number is written as JSON (``true``, ``[1,2]``), without quotes of its
own where that is text. Names and values are
written as they are, newlines and control characters included, inside quotes where needed.

A file name may begin with ``=`` or ``@``, which spreadsheets take for a formula. It is not altered
here, because a changed name is a wrong one: import the columns as text.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from fsworkers.model import Outcome
from fsworkers.sinks.plain import encode, lossy
from fsworkers.sinks.rows import COLUMNS, path_columns
from fsworkers.sinks.sink import Lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fsworkers.sinks.output import Output
    from fsworkers.sinks.sink import DoneEncoder

__all__ = ["CsvSink", "csv_rows", "encode_done", "field"]


class CsvSink(Lines):
    """Writes outcomes as CSV; the header comes with the first batch, or at the end.

    Args:
        output: Where the rows go.
        names: The task's columns. If it has but one, ``value`` is that.
    """

    def __init__(self, output: Output, names: Sequence[str] = ()) -> None:
        super().__init__(output)
        self._names = tuple(names) if len(names) > 1 else ()
        self.encode_done: DoneEncoder = partial(encode_done, self._names)
        self._has_header = False

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write a batch; see ``Sink.write``."""
        if outcomes:
            self._write(csv_rows(outcomes, self._names))

    def write_encoded(self, lines: bytes) -> None:
        """Write rows; see ``Sink.write_encoded``."""
        self._write(lines)

    def finish(self, *, is_whole: bool = True) -> None:
        """End the output; see ``Sink.finish``. Without any outcome it holds the header alone."""
        if not self._has_header:
            self._write(b"")
        super().finish(is_whole=is_whole)

    def _write(self, rows: bytes) -> None:
        if not self._has_header:
            own = [f"value_{name}" if name in COLUMNS else name for name in self._names]
            rows = _encoded([[*COLUMNS, *own]]) + rows
        self.output.write(rows)
        self._has_header = True


def csv_rows(outcomes: Sequence[Outcome], names: Sequence[str] = ()) -> bytes:
    """Encode outcomes as rows, without the header; ``names`` are the task's columns."""
    if not names:
        return _encoded(map(_fields, outcomes))
    return _encoded((*_fields(one), *_own(one.value, names)) for one in outcomes)


def _encoded(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _own(value: Any, names: Sequence[str]) -> Sequence[object]:
    if not isinstance(value, Mapping):
        return [""] * len(names)
    return [field(value.get(name)) for name in names]


def encode_done(
    names: Sequence[str],
    paths: Sequence[str],
    values: Sequence[Any],
    sizes: Sequence[int | None],
    durations_s: Sequence[float],
    attempts: int,
    worker: int,
    mtimes_ns: Sequence[int | None] = (),  # noqa: ARG001  (no column of this format)
) -> bytes:
    """Encode files that were done, given in columns, as rows without the header."""
    return csv_rows(
        [
            Outcome(path, "done", value, None, attempts, size, duration_s, worker)
            for path, value, size, duration_s in zip(paths, values, sizes, durations_s, strict=True)
        ],
        names,
    )


def _fields(outcome: Outcome) -> tuple[object, ...]:
    path, path_b64 = path_columns(outcome.path)
    return (
        path,
        outcome.status,
        field(outcome.value),
        lossy(outcome.error or ""),
        outcome.attempts,
        outcome.size,
        round(outcome.duration_s, 6),
        outcome.worker,
        "" if path_b64 is UNSET else path_b64,
        lossy(outcome.traceback or ""),
    )


def field(value: Any) -> object:
    """A value as one field: text and numbers as they are, all else as JSON."""
    if value is None or type(value) is float:
        return value
    if type(value) is int and value.bit_length() <= 64:
        return value
    if isinstance(value, str):
        return lossy(str.__str__(value))
    encoded = encode(value)
    text: str = msgspec.json.decode(encoded) if encoded.startswith(b'"') else encoded.decode()
    return text
