"""Writes one run into a journal while it goes on: the only writer there.

Outcomes are recorded before anybody else is told of them, a batch in one transaction, together
with the run's figures. So whatever kills the process, the journal holds whole batches.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from msgspec.structs import replace

from fsworkers.journal.errors import RunNotFound
from fsworkers.journal.filing import file_batches
from fsworkers.journal.known import KnownFiles
from fsworkers.journal.locks import RunLock
from fsworkers.journal.queries import count_outcomes, forget_scan_failures, read_outcomes
from fsworkers.journal.record import (
    RunRecord,
    insert_run,
    read_runs,
    update_figures,
    update_state,
)
from fsworkers.journal.rows import packed_batches
from fsworkers.journal.schema import connect, files_of, open_journal, transaction, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from fsworkers.journal.record import State
    from fsworkers.model import Outcome, Status


class Recorder:
    """A run's place in a journal, with the lock on it. Made by ``begin`` or ``go_on``.

    Leaving it without ``end`` marks the run as interrupted.

    Attributes:
        path: The journal.
        run: The run's record, as it was when it began or was taken up again.
        counts: The outcomes that were there then.
        size_bytes: The bytes of the files done by then.
        is_ended: What became of the run has been written.
    """

    def __init__(
        self,
        path: Path,
        lock: RunLock,
        connection: sqlite3.Connection,
        run: RunRecord,
        encode_value: Callable[[Any], bytes],
    ) -> None:
        self.path = path
        self.run = run
        self.counts: Counter[Status] = Counter()
        self.size_bytes = 0
        self._lock = lock
        self._connection = connection
        self._readers: list[sqlite3.Connection] = []
        self._encode_value = encode_value
        self.is_ended = False
        self._is_closed = False

    @classmethod
    def begin(cls, path: Path, run: RunRecord, encode_value: Callable[[Any], bytes]) -> Self:
        """Record a run that begins, in a journal that is made if there is none.

        Args:
            path: The journal.
            run: The run.
            encode_value: Turns a task's value into JSON.

        Raises:
            JournalError: The journal can't be used, or another run is writing to it.
        """
        lock = RunLock(path, run.id)
        try:
            connection = open_journal(path)
            try:
                with writing(path):
                    run = replace(run, number=insert_run(connection, run))
                    return cls(path, lock, connection, run, encode_value)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            lock.release()
            raise

    @classmethod
    def go_on(cls, path: Path, run_id: str, encode_value: Callable[[Any], bytes]) -> Self:
        """Take up a run that has ended or was killed.

        Raises:
            JournalError: The journal can't be used, has no such run, or the run is still going on.
        """
        lock = RunLock(path, run_id)
        try:
            connection = connect(path)
            try:
                with writing(path):
                    run = next((one for one in read_runs(connection) if one.id == run_id), None)
                    if run is None:
                        raise RunNotFound(run_id, os.fspath(path))
                    file_batches(connection)
                    update_state(connection, run.number, "running")
                    recorder = cls(path, lock, connection, run, encode_value)
                    recorder.recount()
                    return recorder
            except BaseException:
                connection.close()
                raise
        except BaseException:
            lock.release()
            raise

    @property
    def files(self) -> tuple[Path, ...]:
        """What the journal has on the disk: a run that meets these leaves them out."""
        return files_of(self.path)

    def record(
        self,
        outcomes: Sequence[Outcome],
        counts: Mapping[Status, int],
        size_bytes: int,
        seconds: float,
    ) -> None:
        """Write a batch of outcomes, and what the whole run has come to with them.

        Raises:
            JournalFailed: The system refused; nothing of the batch is recorded.
        """
        if not outcomes:
            return
        with writing(self.path), transaction(self._connection):
            self._connection.executemany(
                "INSERT INTO batch (run, rows) VALUES (?, ?)",
                [
                    (self.run.number, packed)
                    for packed in packed_batches(outcomes, self._encode_value)
                ],
            )
            update_figures(self._connection, self.run.number, counts, size_bytes, seconds)

    def known_files(self) -> KnownFiles:
        """For look-ups from another thread, on a connection of their own."""
        return KnownFiles(self._another(), self.run.number)

    def forget_scan_failures(self) -> None:
        """Drop the failures that a new scan will find again, if they still are."""
        with writing(self.path):
            forget_scan_failures(self._connection, self.run.number)
            self.recount()

    def recount(self) -> None:
        """Count the outcomes that are there now."""
        self.counts, self.size_bytes = count_outcomes(self._connection, self.run.number)

    def outcomes(self, statuses: Sequence[Status] | None = None) -> Iterator[list[Outcome]]:
        """The outcomes recorded so far, by path; for any thread, on a connection of their own."""
        return read_outcomes(self._another(), self.run.number, statuses)

    def file(self) -> None:
        """Make all outcomes recorded so far known to ``outcomes``."""
        with writing(self.path):
            file_batches(self._connection)

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

    def _another(self) -> sqlite3.Connection:
        connection = connect(self.path)
        self._readers.append(connection)
        return connection

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
