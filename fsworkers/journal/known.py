"""What a journal knows of single files, and what follows from it for a run. Decisions are pure.

A file is *settled* for a run over the same task when it was ``done``, or found unchanged since an
earlier run in which it was. It stays so while its size and modification time stay the same.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from fsworkers.model import Entry

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fsworkers.journal.record import RunRecord
    from fsworkers.model import Status

_LOOKUPS_AT_ONCE = 1000
"""Look-ups in one read transaction: beginning one costs as much as a look-up. A few
milliseconds, so that the write-ahead log is not kept from being moved into the file."""


class Known(NamedTuple):
    """A file's outcome in a journal, as far as decisions rest on it."""

    status: Status
    size: int | None
    mtime_ns: int | None
    attempts: int
    error: str | bytes | None

    @property
    def is_settled(self) -> bool:
        """Whether its task was done. Only what is unchanged is skipped untried and has a time."""
        if self.status == "skipped":
            return self.attempts == 0 and self.mtime_ns is not None
        return self.status == "done" and self.mtime_ns is not None

    def is_about(self, size: int, mtime_ns: int) -> bool:
        """Whether a file that is so now is still what it was."""
        return self.size == size and self.mtime_ns == mtime_ns


class KnownFiles:
    """Looks files of one run up by path.

    Args:
        connection: Of its own: look-ups come from the thread that scans.
        run: The run's number.
    """

    def __init__(self, connection: sqlite3.Connection, run: int) -> None:
        self._connection = connection
        self._run = run
        self._count = 0

    def find(self, path: bytes) -> Known | None:
        """What is known of the file, ``None`` if nothing is."""
        if self._count % _LOOKUPS_AT_ONCE == 0:
            self.rest()
            self._connection.execute("BEGIN")
        self._count += 1
        row = self._connection.execute(
            "SELECT status, size, mtime_ns, attempts, error FROM outcome"
            " WHERE run = ? AND path = ?",
            (self._run, path),
        ).fetchone()
        return None if row is None else Known(*row)

    def rest(self) -> None:
        """End the read transaction."""
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")
        self._count = 0


def left_to_do(
    found: Iterable[str | Entry], known: KnownFiles, displace: Callable[[Known], None]
) -> Iterator[str | Entry]:
    """What of a new scan a resumed run still has to do: everything but what is settled.

    Args:
        found: What the scan finds.
        known: The outcomes that the run has already.
        displace: Told of each that will be replaced, just before.
    """
    for one in found:
        path = one if isinstance(one, str) else one.path
        row = known.find(os.fsencode(path))
        if row is not None:
            if isinstance(one, str) and row.is_settled and _is_as_it_was(path, row):
                continue
            displace(row)
        yield one
    known.rest()


class Earlier(NamedTuple):
    """A run before this one with the same task.

    Attributes:
        run: Its record.
        files: What is known from it.
    """

    run: RunRecord
    files: KnownFiles


def new_or_changed(
    found: Iterable[str | Entry], earlier: Sequence[Earlier], cwd: str
) -> Iterator[str | Entry]:
    """Settle the files that are unchanged since an earlier run; let all others through.

    The latest run that tells of a file decides; one that was cancelled there was not looked at.

    Args:
        found: What the scan finds.
        earlier: Runs before this one, the latest first.
        cwd: Where relative paths begin now.
    """
    for one in found:
        yield _unchanged(one, earlier, cwd) or one if isinstance(one, str) else one
    for other in earlier:
        other.files.rest()


def _unchanged(path: str, earlier: Sequence[Earlier], cwd: str) -> Entry | None:
    place = absolute(path, cwd)
    for other in earlier:
        known = _find_under_any_name(other, place)
        if known is None or known.status == "cancelled":
            continue
        if not (known.is_settled and _is_as_it_was(path, known)):
            return None
        reason = f"unchanged since run {other.run.id}"
        if known.status == "skipped" and known.error is not None:
            reason = os.fsdecode(known.error)  # as that run said, with the run that did it
        return Entry(path, "skipped", reason, known.size, known.mtime_ns)
    return None


def _find_under_any_name(other: Earlier, place: str) -> Known | None:
    for name in spellings(place, other.run.cwd, other.run.roots):
        known = other.files.find(os.fsencode(name))
        if known is not None:
            return known
    return None


def absolute(path: str, cwd: str) -> str:
    """Where a path leads from ``cwd``, which holds no links: leading dots are resolved.

    Dots further on are kept, because ``link/..`` is not where it seems to be.
    """
    if path.startswith("/"):
        return path
    while True:
        head, slash, rest = path.partition("/")
        if head == "..":
            cwd = os.path.dirname(cwd)
        elif head not in {".", ""}:
            break
        elif not slash:
            return cwd
        path = rest
        if not slash:
            return cwd
    return f"{cwd.rstrip('/')}/{path}"


def spellings(place: str, cwd: str, roots: Sequence[str]) -> list[str]:
    """The names that a run in ``cwd`` over ``roots`` may have given to the absolute ``place``."""
    names: list[str] = []
    for root in roots:
        start = absolute(root, cwd)
        if place == start:
            names.append(root)
        elif place.startswith(below := start.rstrip("/") + "/"):
            names.append(
                f"{root.rstrip('/') if root != '/' else ''}/{place[len(below) :].lstrip('/')}"
            )
    if place.startswith(below := cwd.rstrip("/") + "/"):
        names.append(place[len(below) :])
    names.append(place)
    return list(dict.fromkeys(names))


def _is_as_it_was(path: str, known: Known) -> bool:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return False
    return known.is_about(status.st_size, status.st_mtime_ns)
