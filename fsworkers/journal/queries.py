"""What is asked of the outcomes that have been filed: lists of them, and their counts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fsworkers.journal.rows import ROW_COLUMNS, outcome_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from fsworkers.model import Outcome, Status

FAILURES: tuple[Status, ...] = ("failed", "timed_out", "crashed")

_AT_ONCE = 1000


def read_outcomes(
    connection: sqlite3.Connection, run: int, statuses: Sequence[Status] | None = None
) -> Iterator[list[Outcome]]:
    """A run's outcomes by path, byte by byte, in lists; only those of some statuses if asked.

    Each list is a query of its own: however slowly they are drawn, nothing is held up.
    """
    wanted = "" if statuses is None else f" AND status IN ({', '.join('?' * len(statuses))})"
    query = (
        f"SELECT {ROW_COLUMNS} FROM outcome WHERE run = ? AND path > ?{wanted}"  # noqa: S608
        f" ORDER BY path LIMIT {_AT_ONCE}"
    )
    last = b""
    while rows := connection.execute(query, (run, last, *(statuses or ()))).fetchall():
        last = rows[-1][0]
        yield [outcome_of(row) for row in rows]


def count_outcomes(connection: sqlite3.Connection, run: int) -> tuple[Counter[Status], int]:
    """How many files have each outcome, and the bytes of those that are done."""
    counts: Counter[Status] = Counter()
    size_bytes = 0
    for status, count, total in connection.execute(
        "SELECT status, count(*), sum(size) FROM outcome WHERE run = ? GROUP BY status", (run,)
    ):
        counts[status] = count
        if status == "done":
            size_bytes = total or 0
    return counts, size_bytes


def forget_scan_failures(connection: sqlite3.Connection, run: int) -> None:
    """Drop what no task ever saw, such as an unreadable directory: the next scan tells anew.

    Otherwise a directory that can be read now would stay a failure beside all its files.
    """
    connection.execute(
        "DELETE FROM outcome WHERE run = ? AND status = 'failed' AND attempts = 0", (run,)
    )
