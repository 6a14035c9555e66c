"""What a block tells of single files, as far as decisions rest on it.

A file is *settled* for a run over the same task when it was ``done``, or found unchanged since an
earlier run in which it was. It stays so while its size and modification time stay the same.
"""

from __future__ import annotations

from itertools import islice, repeat
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec.structs import replace

from fsworkers.journal.rows import Rows, spread, spread_texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsworkers.model import Outcome, Status

Stamp: TypeAlias = tuple[Any, Any]
"""Size in bytes and modification time in ns: what tells whether a file is still what it was."""

Known: TypeAlias = "tuple[Stamp | None, Status, int | None, str | None, int | None]"
"""Of a file: its stamp if it is settled, its outcome's status, size and error, and the stamp of
what was made of it."""


def is_settled(status: Status, attempts: int, mtime_ns: int | None) -> bool:
    """Whether a file's task was done. Only what is unchanged is skipped untried and has a time."""
    is_done = status == "done" or (status == "skipped" and attempts == 0)
    return is_done and mtime_ns is not None


def is_unchanged(outcome: Outcome) -> bool:
    """Whether a file was left out because an earlier run had done it: there may be many."""
    return outcome.status == "skipped" and is_settled("skipped", outcome.attempts, outcome.mtime_ns)


def as_written(outcome: Outcome) -> Outcome:
    """What an output says: of a file that is unchanged, the value that it had before.

    Such a line has ``attempts`` 0, as nothing was done.
    """
    return replace(outcome, status="done", error=None) if is_unchanged(outcome) else outcome


def known_at(rows: Rows, at: range) -> list[Known]:
    """What a block tells of the files at some positions: 0.1 µs each."""
    status, attempts = rows.statuses, rows.attempts
    statuses, sizes, times = (spread(one, at) for one in (status, rows.sizes, rows.mtimes_ns))
    stamps: Iterable[Stamp | None] = zip(sizes, times, strict=False)
    has_times = isinstance(times, list) and None not in times
    if isinstance(status, str) and isinstance(attempts, int) and has_times:
        if not is_settled(status, attempts, 0):
            stamps = repeat(None)
    else:
        columns = zip(at, statuses, spread(attempts, at), times, stamps, strict=False)
        stamps = [stamp if is_settled(*what) else None for _, *what, stamp in columns]
    errors, made = spread_texts(rows.errors, at), spread(rows.made, at)
    known = zip(stamps, statuses, sizes, errors, made, strict=False)
    return list(islice(known, len(at)))
