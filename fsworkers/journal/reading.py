"""A run's outcomes for someone who only wants to look, whether it has ended or not."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from fsworkers.journal.errors import JournalUnwritable, RunInProgress
from fsworkers.journal.filing import file_batches, shadow_outcomes
from fsworkers.journal.locks import RunLock
from fsworkers.journal.schema import connect, writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fsworkers.journal.record import RunRecord


@contextmanager
def open_outcomes(journal: Path, run: RunRecord) -> Iterator[sqlite3.Connection]:
    """Give a connection that ``queries`` can ask for all outcomes of a run recorded by now.

    Where nobody writes to the journal its batches are filed for good, else for this once.

    Raises:
        JournalError: The journal can't be read.
    """
    connection = connect(journal)
    try:
        with writing(journal):
            if not _file(connection, journal, run):
                shadow_outcomes(connection)
        yield connection
    finally:
        connection.close()


def _file(connection: sqlite3.Connection, journal: Path, run: RunRecord) -> bool:
    try:
        lock = RunLock(journal, run.id)
    except (RunInProgress, JournalUnwritable):
        return False
    try:
        with suppress(sqlite3.OperationalError):  # a medium that can only be read
            file_batches(connection)
            return True
    finally:
        lock.release()
    return False
