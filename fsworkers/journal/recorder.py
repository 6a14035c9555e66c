"""Writes one run into a journal while it goes on: the only writer there.

Blocks are recorded before anybody else is told of what is in them, each call in one transaction,
together with the run's figures. So whatever kills the process, the journal holds whole blocks.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING, Self

from msgspec.structs import replace

from fsworkers.journal.blocks import RunBlocks
from fsworkers.journal.errors import RunNotFound
from fsworkers.journal.locks import RunLock
from fsworkers.journal.outcomes import count_outcomes, read_outcomes
from fsworkers.journal.record import (
    RunRecord,
    insert_run,
    note_resumption,
    read_runs,
    update_figures,
    update_state,
)
from fsworkers.journal.rows import unpack_directories
from fsworkers.journal.schema import files_of, open_journal, reading, transaction, writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from fsworkers.journal.record import State
    from fsworkers.journal.rows import Block
    from fsworkers.model import Outcome, Status


class Recorder:
    """A run's place in a journal, with the lock on it. Made by ``begin`` or ``go_on``.

    Leaving it without ``end`` marks the run as interrupted.

    Attributes:
        path: The journal.
        run: The run's record, as it was when it began or was taken up again.
        counts: The outcomes that were there then.
        size_bytes: The bytes of the files done by then.
        resumptions: How often it has been taken up again.
        is_ended: What became of the run has been written.
    """

    def __init__(
        self, path: Path, lock: RunLock, connection: sqlite3.Connection, run: RunRecord
    ) -> None:
        self.path = path
        self.run = run
        self.counts: Counter[Status] = Counter()
        self.size_bytes = 0
        self.resumptions = 0
        self._lock = lock
        self._connection = connection
        self._readers: list[RunBlocks] = []
        self.is_ended = False
        self._is_closed = False

    @classmethod
    def begin(cls, path: Path, run: RunRecord) -> Self:
        """Record a run that begins, in a journal that is made if there is none.

        Raises:
            JournalError: The journal can't be used, or another run is writing to it.
        """
        with ExitStack() as undo:
            lock = RunLock(path, run.id)
            undo.callback(lock.release)
            connection = open_journal(path)
            undo.callback(connection.close)
            with writing(path):
                run = replace(run, number=insert_run(connection, run))
            undo.pop_all()
            return cls(path, lock, connection, run)

    @classmethod
    def go_on(cls, path: Path, run_id: str) -> Self:
        """Take up a run that has ended or was killed.

        Raises:
            JournalError: The journal can't be used, has no such run, or the run is still going on.
        """
        with ExitStack() as undo:
            lock = RunLock(path, run_id)
            undo.callback(lock.release)
            connection = open_journal(path, must_exist=True)
            undo.callback(connection.close)
            with reading(path):
                run = next((one for one in read_runs(connection) if one.id == run_id), None)
            if run is None:
                raise RunNotFound(run_id, os.fspath(path))
            recorder = cls(path, lock, connection, run)
            with closing(RunBlocks(path, run.number)) as blocks:
                recorder.counts, recorder.size_bytes = count_outcomes(blocks)
            with writing(path), transaction(connection):
                update_state(connection, run.number, "running")
                recorder.resumptions = note_resumption(connection, run.number)
            undo.pop_all()
            return recorder

    @property
    def files(self) -> tuple[Path, ...]:
        """What the journal has on the disk: a run that meets these leaves them out."""
        return files_of(self.path)

    def record(
        self, blocks: Sequence[Block], counts: Mapping[Status, int], size_bytes: int, seconds: float
    ) -> None:
        """Write blocks, and what the whole run has come to with them.

        Args:
            blocks: As ``journal.rows`` packs them.
            counts: How many files have each outcome now.
            size_bytes: The bytes of those that are done.
            seconds: How long the run has been at work.

        Raises:
            JournalFailed: The system refused; nothing of these blocks is recorded.
        """
        with writing(self.path), transaction(self._connection):
            self._connection.executemany(
                "INSERT INTO block (run, directories, rows) VALUES (?, ?, ?)",
                [(self.run.number, directories, rows) for directories, rows in blocks],
            )
            update_figures(self._connection, self.run.number, counts, size_bytes, seconds)

    def blocks(self) -> RunBlocks:
        """What is recorded by now, for look-ups from any thread."""
        blocks = RunBlocks(self.path, self.run.number)
        self._readers.append(blocks)
        return blocks

    def outcomes(self, statuses: Sequence[Status] | None = None) -> Iterator[list[Outcome]]:
        """The outcomes recorded by now, for any thread; see ``read_outcomes``."""
        return read_outcomes(self.blocks(), statuses)

    def forget_scan_failures(self) -> None:
        """Drop the failures that a new scan will find again, if they still are.

        Otherwise a directory that can be read now would stay a failure beside all its files.
        """
        with reading(self.path), writing(self.path), transaction(self._connection):
            query = "SELECT number, directories FROM block WHERE run = ?"
            found = self._connection.execute(query, (self.run.number,))
            failures = [(n,) for n, packed in found if unpack_directories(packed).is_scan_failure]
            self._connection.executemany("DELETE FROM block WHERE number = ?", failures)
        if failures:
            with closing(RunBlocks(self.path, self.run.number)) as blocks:
                self.counts, self.size_bytes = count_outcomes(blocks, anew=True)

    def note_task(self, fingerprint: str) -> None:
        """Remember that the run's task is no longer the one it began with."""
        with writing(self.path):
            update_state(self._connection, self.run.number, "running", fingerprint=fingerprint)

    def end(self, state: State) -> None:
        """Write what became of the run."""
        with writing(self.path):
            update_state(self._connection, self.run.number, state)
        self.is_ended = True

    def close(self) -> None:
        """Give everything back; a run that was not ended is marked as interrupted.

        Closing it again does nothing.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if not self.is_ended:
                # What keeps it from being written, a full disk for example, is being told of.
                with suppress(sqlite3.Error):
                    update_state(self._connection, self.run.number, "interrupted")
        finally:
            for reader in self._readers:
                reader.close()
            self._connection.close()
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()
