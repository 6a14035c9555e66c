"""A SQLite database with one table, ``files``: a row a file, with typed columns.

Nothing but ``FILE.partial`` is made: what a kill leaves of that is thrown away by the next run, so
no rollback journal is kept, and what is whole has been synced before it takes its name.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from fsworkers.sinks.columns import Declared, TypedRows, table_columns
from fsworkers.sinks.errors import OutputFailed, OutputUnwritable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from fsworkers.model import Outcome
    from fsworkers.sinks.output import Output
    from fsworkers.sinks.sink import DoneEncoder

__all__ = ["SqliteSink", "refuse_others"]

_TYPES = {
    "text": "TEXT", "integer": "INTEGER", "number": "REAL", "boolean": "BOOLEAN", "json": "TEXT",
    "time": "TEXT", "bytes": "BLOB", "any": "",
}  # fmt: skip


_TABLES = """
    SELECT name, name = 'files' AND 3 = (
        SELECT count(*) FROM pragma_table_info('files') WHERE name IN ('path', 'status', 'attempts')
    ) FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite!_%' ESCAPE '!'
"""
"""What is in a database, and whether that is ours."""


class SqliteSink:
    """Writes outcomes into a database, a transaction a block.

    Args:
        output: Where, a file.
        declared: The task's columns.
    """

    def __init__(self, output: Output, declared: Sequence[Declared]) -> None:
        self.output = output
        self._rows = TypedRows(tuple(declared), has_times=False)
        self.encode_done: DoneEncoder = self._rows
        self._columns = table_columns(declared)
        self._insert = f"INSERT INTO files VALUES ({', '.join('?' * len(self._columns))})"  # noqa: S608
        self._connection: sqlite3.Connection | None = None

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write a batch; see ``Sink.write``."""
        if outcomes:
            self._write(self._rows.columns_of(outcomes))

    def write_encoded(self, lines: bytes) -> None:
        """Write rows; see ``Sink.write_encoded``."""
        self._write(self._rows.columns_in(lines))

    def finish(self, *, is_whole: bool = True) -> None:
        """End the output; see ``Sink.finish``."""
        with self._failing():
            self._open().execute("CREATE INDEX files_path ON files (path)")
        self._close()
        self.output.finish(is_whole=is_whole)

    def close(self) -> None:
        """Let go of the output; see ``Sink.close``."""
        self._close()
        self.output.close()

    def _write(self, columns: list[Sequence[Any]]) -> None:
        with self._failing():
            connection = self._open()
            connection.execute("BEGIN")
            connection.executemany(self._insert, zip(*columns, strict=True))
            connection.execute("COMMIT")

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self.output.empty()
            path = os.fsencode(self.output.partial or self.output.name)
            self._connection = sqlite3.connect(path, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = OFF")
            self._connection.execute("PRAGMA synchronous = OFF")
            named = [f"{_quoted(name)} {_TYPES[type_]}" for name, type_ in self._columns]
            self._connection.execute(f"CREATE TABLE files ({', '.join(named)})")
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _failing(self) -> Iterator[None]:
        with self.output.failing():
            try:
                yield
            except sqlite3.Error as error:
                raise OutputFailed(self.output.partial or self.output.name, str(error)) from error


def refuse_others(path: Path) -> None:
    """Refuse a database that holds more than an output of ours: it would be replaced as a whole.

    Raises:
        OutputUnwritable: It does, or it can't be told.
    """
    if not path.is_file():
        return
    from urllib.parse import quote  # noqa: PLC0415  (only where there is something)

    # Where there is no write-ahead log, none shall be made.
    how = "mode=ro" if os.path.exists(f"{path}-wal") else "immutable=1"
    try:
        uri = f"file:{quote(os.fsencode(path.absolute()))}?{how}"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            tables = connection.execute(_TABLES).fetchall()
            others = [name for name, is_ours in tables if not is_ours]
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            return  # a file like any other
        raise OutputUnwritable(os.fspath(path), f"it is a database, and {error}") from error
    if others:
        held = ", ".join(others[:3])
        reason = f"it is a database that holds {held}, and would be replaced as a whole"
        raise OutputUnwritable(os.fspath(path), reason)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
