"""What is recorded of a run as a whole, and how runs are read and written."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

import fsworkers
from fsworkers.model import STATUSES, Status
from fsworkers.names import printable

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

State: TypeAlias = Literal["running", "finished", "interrupted", "halted", "killed"]
"""``killed`` is never written: it is a run that says ``running`` while no process has its lock."""


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A run as the journal has it.

    Attributes:
        id: The run's name.
        number: Under which its outcomes are kept in this journal.
        state: What became of it.
        started: Wall-clock time in seconds since 1970.
        ended: The same for its end, the last one if it was resumed.
        seconds: How long it was at work, all sittings together.
        cwd: The directory in which it was started; its relative paths begin there.
        argv: The command line.
        roots: The PATHs as they were given.
        options: All that is needed to go on with it, as JSON; ``None`` where only the caller has
            that (``process_tree``).
        fingerprint: What its task is, code included.
        versions: Of fsworkers and Python.
        counts: How many files have each outcome.
        size_bytes: Bytes of the files that are done.
    """

    id: str
    cwd: str
    argv: tuple[str, ...]
    roots: tuple[str, ...]
    options: str | None
    fingerprint: str
    number: int = 0
    state: State = "running"
    started: float = msgspec.field(default_factory=time.time)
    ended: float | None = None
    seconds: float = 0.0
    versions: str = msgspec.field(
        default_factory=lambda: (
            f"fsworkers {fsworkers.__version__}, "
            f"Python {sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
        )
    )
    counts: dict[Status, int] = {}
    size_bytes: int = 0

    @property
    def found(self) -> int:
        """Files that have an outcome."""
        return sum(self.counts.values())

    @property
    def command(self) -> str:
        """The command line as it may be shown."""
        import shlex  # noqa: PLC0415  (only where runs are listed)

        return printable(shlex.join(self.argv))


_COLUMNS = (
    "number", "id", "state", "started", "ended", "seconds", "cwd", "argv", "roots", "options",
    "fingerprint", "versions", "size_bytes", *STATUSES,
)  # fmt: skip


def insert_run(connection: sqlite3.Connection, record: RunRecord) -> int:
    """Record a run that begins; the number under which its outcomes go."""
    cursor = connection.execute(
        "INSERT INTO run (id, state, started, cwd, argv, roots, options, fingerprint, versions)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            record.id,
            record.state,
            record.started,
            json.dumps(record.cwd),
            json.dumps(record.argv),
            json.dumps(record.roots),
            record.options,
            record.fingerprint,
            record.versions,
        ),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def update_figures(
    connection: sqlite3.Connection,
    number: int,
    counts: Mapping[Status, int],
    size_bytes: int,
    seconds: float,
) -> None:
    """Write what a run has come to so far."""
    connection.execute(
        "UPDATE run SET done = ?, failed = ?, skipped = ?, timed_out = ?, crashed = ?,"
        " cancelled = ?, size_bytes = ?, seconds = ? WHERE number = ?",
        (*(counts.get(status, 0) for status in STATUSES), size_bytes, seconds, number),
    )


def update_state(
    connection: sqlite3.Connection, number: int, state: State, *, fingerprint: str | None = None
) -> None:
    """Write what becomes of a run; a fingerprint, where the task is no longer the one it was.

    While a resumed run goes on, its counts leave out files that are about to be done again: they
    can't be relied on until it has come to its end.
    """
    connection.execute(
        "UPDATE run SET state = ?, ended = ?, fingerprint = ifnull(?, fingerprint),"
        " is_counted = CASE ? WHEN 'running' THEN 0 WHEN 'finished' THEN 1 ELSE is_counted END"
        " WHERE number = ?",
        (state, None if state == "running" else time.time(), fingerprint, state, number),
    )


def note_resumption(connection: sqlite3.Connection, number: int) -> int:
    """Note that a run goes on; how often it has by now."""
    connection.execute("CREATE TABLE IF NOT EXISTS resumption (run INTEGER NOT NULL)")
    connection.execute("INSERT INTO resumption VALUES (?)", (number,))
    query = "SELECT count(*) FROM resumption WHERE run = ?"
    count: int = connection.execute(query, (number,)).fetchone()[0]
    return count


def read_runs(connection: sqlite3.Connection) -> list[RunRecord]:
    """All runs of a journal, the oldest first.

    Raises:
        sqlite3.Error: The table can't be read, like the errors that follow.
        msgspec.ValidationError: A run's record holds something that it can't.
        ValueError: Likewise.
    """
    query = f"SELECT {', '.join(_COLUMNS)} FROM run ORDER BY number"  # noqa: S608  (our own names)
    return [_record_of(row) for row in connection.execute(query).fetchall()]


def _record_of(row: Sequence[object]) -> RunRecord:
    fields = dict(zip(_COLUMNS, row, strict=True))
    counts = {status: fields.pop(status) for status in STATUSES}
    # JSON in ASCII is what keeps names that are no UTF-8: SQLite's texts do not take them.
    for name in ("cwd", "argv", "roots"):
        fields[name] = json.loads(str(fields[name]))
    return msgspec.convert({**fields, "counts": counts}, RunRecord)
