"""A table of the first results, for a person: printed at the end, the others only counted."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from fsworkers.names import printable
from fsworkers.sinks.csv_rows import field
from fsworkers.sinks.rows import path_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsworkers.model import Outcome
    from fsworkers.sinks.columns import Declared
    from fsworkers.sinks.output import Output
    from fsworkers.sinks.sink import DoneEncoder

__all__ = ["TableSink"]

MOST_ROWS = 20
MOST_OF_CELL = 200


class Shown(NamedTuple):
    """A row.

    Attributes:
        path: Printable.
        status: The outcome's.
        size: In bytes.
        cells: What it came to, a text a column.
    """

    path: str
    status: str
    size: str
    cells: tuple[str, ...]


class FirstRows(NamedTuple):
    """Makes the first rows of files that are done, and counts all of them.

    Attributes:
        names: The task's columns; ``value`` where it has none.
    """

    names: tuple[str, ...]

    def __call__(
        self,
        paths: Sequence[Any],
        values: Sequence[Any],
        sizes: Sequence[int | None],
        durations_s: Sequence[float],  # noqa: ARG002  (every encoder is given them)
        attempts: int,  # noqa: ARG002
        worker: int,  # noqa: ARG002
        mtimes_ns: Sequence[int | None],  # noqa: ARG002
    ) -> bytes:
        """Encode them."""
        first = islice(zip(paths, values, sizes, strict=True), MOST_ROWS)
        rows = [self.row(path, "done", value, size) for path, value, size in first]
        return pickle.dumps((rows, len(paths)), protocol=5)

    def row(self, path: Any, status: str, value: Any, size: int | None) -> Shown:
        """One row."""
        name = printable(os.fsdecode(path) if isinstance(path, bytes) else _text_of(path))
        cells = [value, *[None] * (len(self.names) - 1)]
        if isinstance(value, Mapping) and self.names != ("value",):
            cells = [*map(value.get, self.names)]
        return Shown(
            name, status, "" if size is None else f"{size:,}", tuple(map(_shortened, cells))
        )


class TableSink:
    """Keeps the first results, and prints them when it is finished.

    Args:
        output: Where.
        declared: The task's columns.
    """

    def __init__(self, output: Output, declared: Sequence[Declared]) -> None:
        self.output = output
        self._make = FirstRows(tuple(one.name for one in declared) or ("value",))
        self._numbers = {one.name for one in declared if one.type in {"integer", "number"}}
        self.encode_done: DoneEncoder = self._make
        self._rows: list[Shown] = []
        self._count = 0

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Take a batch; see ``Sink.write``."""
        for one in outcomes[: MOST_ROWS - len(self._rows)]:
            value = one.value if one.status == "done" else one.error
            self._rows.append(self._make.row(one.path, one.status, value, one.size))
        self._count += len(outcomes)

    def write_encoded(self, lines: bytes) -> None:
        """Take rows; see ``Sink.write_encoded``."""
        rows, count = pickle.loads(lines)
        self._rows += rows[: MOST_ROWS - len(self._rows)]
        self._count += count

    def finish(self, *, is_whole: bool = True) -> None:
        """Print the table; see ``Sink.finish``."""
        if self._rows:
            self.output.write(self._printed().encode(errors="replace"))
        self.output.finish(is_whole=is_whole)

    def close(self) -> None:
        """Let go of the output; see ``Sink.close``."""
        self.output.close()

    def _printed(self) -> str:
        from fsworkers.sinks.layout import laid_out  # noqa: PLC0415  (at the end; not in workers)

        has_status = any(one.status != "done" for one in self._rows)
        heads = ["path", "bytes", *(["status"] if has_status else []), *self._make.names]
        rows = [
            [one.path, one.size, *([one.status] if has_status else []), *one.cells]
            for one in self._rows
        ]
        is_right = [head == "bytes" or head in self._numbers for head in heads]
        lines = laid_out([heads, *rows], is_right, self.output.width)
        if more := self._count - len(self._rows):
            lines.append(f"… and {more:,} more; -o FILE keeps all")
        return "".join(f"{line}\n" for line in lines)


def _text_of(path: Any) -> Any:
    return path if isinstance(path, (str, os.PathLike)) else path_columns(path)[0]


def _shortened(value: Any) -> str:
    if value is None:
        return ""
    return printable(str(field(value))[:MOST_OF_CELL].rstrip("\n"))
