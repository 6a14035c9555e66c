"""Journals of the first format: a row an outcome in ``outcome``, and later ones in ``batch``.

A batch is a MessagePack list of such rows; a text in them is bytes where it is no UTF-8.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from fsworkers.journal.rows import pack_outcomes
from fsworkers.model import Outcome

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

_OUTCOMES = (
    "SELECT path, status, size, mtime_ns, attempts, error, duration_s, worker, traceback, value"
    " FROM main.outcome WHERE run = ? ORDER BY path"
)
_AT_ONCE = 4096

_decoder = msgspec.msgpack.Decoder(list[tuple[Any, ...]])


def move_to_blocks(connection: sqlite3.Connection, table: str, run: int | None = None) -> None:
    """Put what the two tables hold, of one run or of all, into blocks; the tables stay.

    Args:
        connection: With a transaction begun.
        table: Where the blocks go.
        run: The run's number.
    """
    for (number,) in connection.execute("SELECT number FROM run").fetchall():
        if run not in {None, number}:
            continue
        outcomes = connection.execute(_OUTCOMES, (number,))
        while rows := outcomes.fetchmany(_AT_ONCE):
            _insert(connection, table, number, rows)
        for (packed,) in connection.execute(
            "SELECT rows FROM main.batch WHERE run = ? ORDER BY number", (number,)
        ):
            _insert(connection, table, number, _decoder.decode(packed))


def _insert(
    connection: sqlite3.Connection, table: str, run: int, rows: Iterable[tuple[Any, ...]]
) -> None:
    connection.executemany(
        f"INSERT INTO {table} (run, directories, rows) VALUES (?, ?, ?)",  # noqa: S608  (ours)
        ((run, *block) for block in pack_outcomes(list(map(_outcome, rows)), bytes)),
    )


def _outcome(row: tuple[Any, ...]) -> Outcome:
    """The outcome that a row tells of, its value still in JSON."""
    path, status, size, mtime_ns, attempts, error, duration_s, worker, traceback, value = row
    texts = [
        text.decode("utf-8", "surrogatepass") if isinstance(text, bytes) else text
        for text in (error, traceback)
    ]
    return Outcome(
        os.fsdecode(path), status, value, texts[0], attempts, size, duration_s, worker, texts[1],
        mtime_ns,
    )  # fmt: skip
