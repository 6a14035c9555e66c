"""Moves packed batches into the table where each path of a run has one row.

It is done when single outcomes are first asked for, and by whoever asks, so that a run itself
pays a sixth of it. It may be interrupted at any point and goes on from there: what is moved and
what is left always make up the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsworkers.journal.rows import unpack_batch
from fsworkers.journal.schema import OUTCOME_COLUMNS, transaction

if TYPE_CHECKING:
    import sqlite3

_ROWS_AT_ONCE = 50_000

_INSERT = (
    "INSERT OR REPLACE INTO {table} (run, path, status, size, mtime_ns, attempts, error,"
    " duration_s, worker, traceback, value) VALUES ({run}, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def file_batches(connection: sqlite3.Connection) -> None:
    """Move all batches of a journal; of two outcomes for one path, the later one stands."""
    while True:
        with transaction(connection):
            last = _copy(connection, "outcome", after=0)
            if last is None:
                return
            connection.execute("DELETE FROM batch WHERE number <= ?", (last,))


def shadow_outcomes(connection: sqlite3.Connection) -> None:
    """The same for someone who only reads while a run goes on: in a table of one's own.

    It has the name of the real one, so that whatever is asked of this connection sees it.
    """
    connection.execute(f"CREATE TEMP TABLE outcome ({OUTCOME_COLUMNS}) WITHOUT ROWID")
    with transaction(connection):
        connection.execute("INSERT INTO temp.outcome SELECT * FROM main.outcome")
        last: int | None = 0
        while last is not None:
            last = _copy(connection, "temp.outcome", after=last)


def _copy(connection: sqlite3.Connection, table: str, after: int) -> int | None:
    """Copy some batches, the oldest first; the number of the last, ``None`` if there was none."""
    count, last = 0, None
    batches = connection.execute(
        "SELECT number, run, rows FROM batch WHERE number > ? ORDER BY number", (after,)
    )
    for number, run, packed in batches:
        rows = unpack_batch(packed)
        connection.executemany(_INSERT.format(table=table, run=int(run)), rows)
        count, last = count + len(rows), number
        if count >= _ROWS_AT_ONCE:
            break
    batches.close()
    return last
