"""Parquet: a row a file, in row groups that bound the memory and not the file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from fsworkers.errors import MissingExtra
from fsworkers.sinks.columns import Declared, TypedRows, table_columns
from fsworkers.sinks.plain import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsworkers.model import Outcome
    from fsworkers.sinks.output import Output
    from fsworkers.sinks.sink import DoneEncoder

__all__ = ["ParquetSink", "load_pyarrow"]

GROUP_ROWS = 100_000
GROUP_BYTES = 1 << 26
"""A row group ends at so many rows, or where they take so much."""


class ParquetSink:
    """Writes outcomes as Parquet.

    Args:
        output: Where; a pipe will do.
        declared: The task's columns.
    """

    def __init__(self, output: Output, declared: Sequence[Declared]) -> None:
        self.output = output
        self._rows = TypedRows(tuple(declared), has_times=True)
        self.encode_done: DoneEncoder = self._rows
        self._arrow = arrow = load_pyarrow()
        types = {
            "text": arrow.string(), "integer": arrow.int64(), "number": arrow.float64(),
            "boolean": arrow.bool_(), "json": arrow.string(), "any": arrow.string(),
            "time": arrow.timestamp("ns", "UTC"), "bytes": arrow.binary(),
        }  # fmt: skip
        self._columns = table_columns(declared)
        self._schema = arrow.schema([(name, types[type_]) for name, type_ in self._columns])
        self._file = _Written(output)
        self._writer: Any = None
        self._waiting: list[Any] = []

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write a batch; see ``Sink.write``."""
        if outcomes:
            self._add(self._rows.columns_of(outcomes))

    def write_encoded(self, lines: bytes) -> None:
        """Write rows; see ``Sink.write_encoded``."""
        self._add(self._rows.columns_in(lines))

    def finish(self, *, is_whole: bool = True) -> None:
        """End the output; see ``Sink.finish``."""
        self._write_group()
        self._writer.close()
        self.output.finish(is_whole=is_whole)

    def close(self) -> None:
        """Let go of the output; see ``Sink.close``."""
        self._file.is_over = True
        if self._writer is not None:
            self._writer.close()  # else it would by itself, some time
        self.output.close()

    def _add(self, columns: list[Sequence[Any]]) -> None:
        arrow = self._arrow
        arrays = [
            arrow.array([*map(_text, column)] if type_ == "any" else column, field.type)
            for column, (_, type_), field in zip(columns, self._columns, self._schema, strict=True)
        ]
        self._waiting.append(arrow.record_batch(arrays, schema=self._schema))
        rows = sum(one.num_rows for one in self._waiting)
        if rows >= GROUP_ROWS or sum(one.nbytes for one in self._waiting) >= GROUP_BYTES:
            self._write_group()

    def _write_group(self) -> None:
        if self._writer is None:
            from pyarrow.parquet import ParquetWriter  # noqa: PLC0415  (an extra)

            self.output.empty()
            self._writer = ParquetWriter(self._file, self._schema, compression="zstd")
        if self._waiting:
            table = self._arrow.Table.from_batches(self._waiting)
            self._waiting = []
            self._writer.write_table(table, row_group_size=table.num_rows)


def load_pyarrow() -> Any:
    """The library.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise MissingExtra("Parquet", "parquet") from error
    return pa


def _text(value: Any) -> str | None:
    """What a column for anything holds, as the text that this format has for it."""
    if value is None or type(value) is str:
        return value
    return repr(value) if type(value) is float else encode(value).decode()  # inf is no JSON


class _Written(io.RawIOBase):
    """An output as a file: its errors stay what they are."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._written_bytes = 0
        self.is_over = False

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if not self.is_over:
            self._output.write(data)
        self._written_bytes += len(data)
        return len(data)

    def tell(self) -> int:
        return self._written_bytes
