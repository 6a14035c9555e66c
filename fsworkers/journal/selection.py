"""Which of the files that a scan finds are to be done: what is left, what is new or changed.

Lists of paths go in and come out. What is recorded is looked up a list at a time; of each file that
is settled, size and time are looked at, which is most of what all this costs.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from itertools import compress, groupby
from operator import attrgetter, eq, not_
from typing import TYPE_CHECKING

import msgspec

from fsworkers.journal.earlier import absolute
from fsworkers.journal.errors import JournalError
from fsworkers.journal.rows import Block, by_directory, pack_untried
from fsworkers.model import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from fsworkers.journal.blocks import RunBlocks
    from fsworkers.journal.earlier import Earlier
    from fsworkers.journal.known import Stamp
    from fsworkers.model import Status

LOGGER = logging.getLogger("fsworkers")

UP_TO_DATE = "up to date"
"""Why a file is skipped whose output is there."""

_stamp_of = attrgetter("st_size", "st_mtime_ns")


def left_to_do(
    found: Iterable[list[str] | Entry],
    blocks: RunBlocks,
    displace: Callable[[Mapping[Status, int], int], object],
) -> Iterator[list[str] | Entry]:
    """What of a new scan a resumed run still has to do: everything but what is settled.

    Args:
        found: What the scan finds.
        blocks: What the run has recorded.
        displace: Told of the outcomes that will be replaced, just before: how many of each kind,
            and the bytes of those that were done.

    Raises:
        JournalUnreadable: The journal is damaged.
    """
    for one in found:
        paths = [one.path] if isinstance(one, Entry) else one
        groups = by_directory(paths)
        known = [
            each
            for (_, names), there in zip(groups, blocks.known(groups), strict=True)
            for each in map(there.get, names)
        ]
        # Whatever an entry was before, it is something else now.
        stamps = [then and then[0] for then in known]
        stay = [False] if isinstance(one, Entry) else _stay(paths, stamps)
        if all(stay):
            continue
        left = list(map(not_, stay))
        replaced = list(filter(None, compress(known, left)))
        if replaced:
            done_bytes = sum(size or 0 for _, status, size, _ in replaced if status == "done")
            displace(Counter(status for _, status, *_ in replaced), done_bytes)
        yield one if isinstance(one, Entry) else list(compress(paths, left))


class Unchanged(msgspec.Struct, frozen=True):
    """Files that are skipped because an earlier run has done them.

    Attributes:
        paths: As they were found.
        reason: Why they are skipped, with the name of the run that did them.
        sizes: Bytes of each file.
        mtimes_ns: Modification times, by which the next run knows them again.
    """

    paths: list[str]
    reason: str
    sizes: list[int]
    mtimes_ns: list[int]

    def pack(self) -> Block:
        """A block for the journal."""
        return pack_untried(self.paths, "skipped", self.reason, self.sizes, self.mtimes_ns)


def new_or_changed(
    found: Iterable[list[str] | Entry],
    earlier: Sequence[Earlier],
    cwd: str,
    *,
    in_order: bool = False,
    is_current: Callable[[str, int], bool] | None = None,
) -> Iterator[list[str] | Entry | Unchanged]:
    """Settle the files that are unchanged since an earlier run; let all others through.

    The latest run that tells of a file decides; one that was cancelled there was not looked at.
    A run whose journal turns out to be damaged is left out from there on, with one warning.

    Args:
        found: What the scan finds.
        earlier: Runs before this one, the latest first.
        cwd: Where relative paths begin now.
        in_order: Divide a list where need be so that its files come in their order; else those
            that are unchanged come together.
        is_current: Given a path and its modification time: whether what was made of it is there.
            Without it nothing is looked for.
    """
    trusted = list(earlier)
    for one in found:
        if isinstance(one, Entry):
            yield one
            continue
        stamps, reasons = _told(one, trusted, cwd)
        for at, stays in enumerate(_stay(one, stamps)):
            if not stays:
                reasons[at] = None
            elif is_current is not None:
                _, mtime_ns = stamps[at] or (0, 0)
                reasons[at] = UP_TO_DATE if is_current(one[at], mtime_ns) else None
        positions: Iterable[int] = range(len(one))
        if not in_order:
            positions = sorted(positions, key=lambda at: reasons[at] or "")
        for reason, group in groupby(positions, reasons.__getitem__):
            some = list(group)
            paths = [one[at] for at in some]
            if reason is None:
                yield paths
            else:
                sizes, times = zip(*(stamps[at] or () for at in some), strict=True)
                yield Unchanged(paths, reason, list(sizes), list(times))


def _told(
    paths: Sequence[str], trusted: list[Earlier], cwd: str
) -> tuple[list[Stamp | None], list[str | None]]:
    """For each file what it was like when an earlier run settled it, and how to say so."""
    stamps: list[Stamp | None] = [None] * len(paths)
    reasons: list[str | None] = [None] * len(paths)
    missing: Sequence[int] = range(len(paths))
    for other in tuple(trusted):
        if not missing:
            break
        groups = by_directory([paths[at] for at in missing])
        try:
            known = other.known([(absolute(one, cwd), names) for one, names in groups])
        except JournalError as error:
            LOGGER.warning("%s; nothing is compared with run %s", error, other.run.id)
            trusted.remove(other)
            continue
        then = (
            each
            for (_, names), there in zip(groups, known, strict=True)
            for each in map(there.get, names)
        )
        looked_at, missing = missing, []
        for at, each in zip(looked_at, then, strict=True):
            if each is None or each[1] == "cancelled":
                missing.append(at)
            else:
                stamps[at], _, _, reason = each
                reasons[at] = reason or f"unchanged since run {other.run.id}"
    return stamps, reasons


def _stay(paths: Sequence[str], stamps: Sequence[Stamp | None]) -> list[bool]:
    """Which files still are what they were; those of which nothing is known are not looked at."""
    if None not in stamps:
        try:
            return list(map(eq, map(_stamp_of, map(os.stat, paths)), stamps))
        except (OSError, ValueError):
            pass  # one of them is gone: one by one
    return [
        stamp is not None and _look_at(path) == stamp
        for path, stamp in zip(paths, stamps, strict=True)
    ]


def _look_at(path: str) -> Stamp | None:
    try:
        return tuple(_stamp_of(os.stat(path)))
    except (OSError, ValueError):
        return None
