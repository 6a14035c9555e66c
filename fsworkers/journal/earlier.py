"""The runs before this one that ``--changed`` looks files up in: same task, the latest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsworkers.journal.errors import RunInProgress
from fsworkers.journal.filing import file_batches
from fsworkers.journal.known import Earlier, KnownFiles
from fsworkers.journal.locks import RunLock
from fsworkers.journal.places import find_runs
from fsworkers.journal.schema import connect, writing

if TYPE_CHECKING:
    from contextlib import ExitStack

    from fsworkers.journal.recorder import Recorder

MOST_EARLIER = 5
"""How many runs are looked at. Each run records what it found unchanged, so the latest alone tells
of most files; each costs three descriptors and, for a file that none knows, a look-up."""


def open_earlier(
    stack: ExitStack, recorder: Recorder, *, is_shared: bool, fingerprint: str
) -> list[Earlier]:
    """Open the journals of earlier runs of a task.

    Args:
        stack: Closes them.
        recorder: Of the run that is about to begin, which is left out.
        is_shared: Earlier runs are in the same journal, else in those that nobody named.
        fingerprint: The task's.
    """
    runs = [
        located
        for located in reversed(find_runs(recorder.path if is_shared else None))
        if located.run.fingerprint == fingerprint
        and located.run.id != recorder.run.id
        and located.run.state != "running"
    ]
    if is_shared:
        recorder.file()
    earlier: list[Earlier] = []
    for located in runs[:MOST_EARLIER]:
        try:
            lock = None if is_shared else RunLock(located.journal, located.run.id)
        except RunInProgress:
            continue  # somebody has just taken it up again
        try:
            connection = connect(located.journal)
            stack.callback(connection.close)
            if lock is not None:
                with writing(located.journal):
                    file_batches(connection)
        finally:
            if lock is not None:
                lock.release()
        earlier.append(Earlier(located.run, KnownFiles(connection, located.run.number)))
    return earlier
