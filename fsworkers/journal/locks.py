"""Who is running: an advisory lock on a file beside the journal, which a dead process can't hold.

Not on the journal itself: closing a descriptor of that would drop SQLite's own locks
(https://sqlite.org/howtocorrupt.html, "posix advisory locks canceled").
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
from contextlib import suppress
from typing import TYPE_CHECKING

from fsworkers.journal.errors import JournalUnwritable, RunInProgress
from fsworkers.names import printable

if TYPE_CHECKING:
    from pathlib import Path

_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC

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
        self._descriptor = -1
        try:
            holder = self._acquire()
            if self._descriptor >= 0:
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, f"{run} {os.getpid()}\n".encode(), 0)
        except OSError as error:
            self.release()
            reason = os.strerror(error.errno or 0)
            if error.errno == errno.ELOOP:
                reason = f"its lock '{printable(self._path)}' is a symbolic link; take that away"
            raise JournalUnwritable(os.fspath(journal), reason) from error
        if self._descriptor < 0:
            raise RunInProgress(os.fspath(journal), holder or "another run")

    def release(self) -> None:
        """Give it back, and take its file away."""
        if self._descriptor >= 0:
            with suppress(OSError):  # a directory that went read-only: the file does no harm
                self._path.unlink()
            os.close(self._descriptor)
            self._descriptor = -1

    def _acquire(self) -> str | None:
        """Lock the file, or tell who has it locked."""
        holder = None
        for _ in range(_TRIES):
            descriptor = os.open(self._path, _FLAGS | os.O_CREAT, 0o600)
            if _try_lock(descriptor) and _is_same_file(descriptor, self._path):
                self._descriptor = descriptor
                return None
            holder = _holder(descriptor)
            os.close(descriptor)
            select.select([], [], [], _PAUSE_S)
        return holder


def running(journal: Path) -> str | None:
    """The id of the run that a living process writes to this journal; ``None`` if there is none."""
    try:
        descriptor = os.open(_lock_of(journal), _FLAGS)
    except OSError:
        return None
    try:
        holder = None if _try_lock(descriptor) else _holder(descriptor)
    finally:
        os.close(descriptor)
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
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _holder(descriptor: int) -> str | None:
    try:
        run, pid = os.pread(descriptor, 200, 0).decode("ascii", "replace").split()
    except (OSError, ValueError):
        return None
    return f"run {run} (process {pid})"
