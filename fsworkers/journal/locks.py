"""Who is running: an advisory lock on a file beside the journal, which a dead process can't hold.

Not on the journal itself: closing a descriptor of that would drop SQLite's own locks
(https://sqlite.org/howtocorrupt.html, "posix advisory locks canceled").
"""

from __future__ import annotations

import fcntl
import os
import select
from contextlib import suppress
from typing import TYPE_CHECKING

from fsworkers.journal.errors import JournalUnwritable, RunInProgress

if TYPE_CHECKING:
    from pathlib import Path

_TRIES = 10
_PAUSE_S = 0.02
"""Someone who only looks whether the lock is held holds it for an instant."""


class RunLock:
    """The right to write to a journal; its file tells by whom it is held.

    Args:
        journal: The journal; the lock's file is beside it.
        run: The run that is about to begin or go on.

    Raises:
        RunInProgress: A process that lives has it.
        JournalUnwritable: Its file can't be made.
    """

    def __init__(self, journal: Path, run: str) -> None:
        self._path = _lock_of(journal)
        try:
            descriptor = self._acquire()
        except OSError as error:
            raise JournalUnwritable(os.fspath(journal), os.strerror(error.errno or 0)) from error
        if descriptor is None:
            raise RunInProgress(os.fspath(journal), _holder(self._path) or "another run")
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{run} {os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give it back, and take its file away."""
        if self._descriptor >= 0:
            with suppress(OSError):  # a directory that went read-only: the file does no harm
                self._path.unlink()
            os.close(self._descriptor)
            self._descriptor = -1

    def _acquire(self) -> int | None:
        for _ in range(_TRIES):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if _try_lock(descriptor) and _is_same_file(descriptor, self._path):
                return descriptor
            os.close(descriptor)
            select.select([], [], [], _PAUSE_S)
        return None


def running(journal: Path) -> str | None:
    """The id of the run that a living process writes to this journal; ``None`` if there is none."""
    path = _lock_of(journal)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        is_free = _try_lock(descriptor)
    finally:
        os.close(descriptor)
    if is_free:
        return None
    holder = _holder(path)
    return holder.split()[1] if holder else None


def _lock_of(journal: Path) -> Path:
    return journal.with_name(journal.name + ".lock")


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_same_file(descriptor: int, path: Path) -> bool:
    """Whether the file is still the one at ``path``: whoever had it before may have removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str | None:
    try:
        run, pid = path.read_text("ascii", "replace").split()
    except (OSError, ValueError):
        return None
    return f"run {run} (process {pid})"
