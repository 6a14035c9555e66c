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
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from fsworkers.journal.earlier import absolute
from fsworkers.journal.errors import JournalError
from fsworkers.journal.rows import Block, by_directory, pack_untried
from fsworkers.model import Entry
from fsworkers.names import is_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from fsworkers.journal.blocks import Group, RunBlocks
    from fsworkers.journal.earlier import Earlier
    from fsworkers.journal.known import Stamp
    from fsworkers.model import Status

LOGGER = logging.getLogger("fsworkers")

_FIRST_PATHS, _MOST_PATHS = 64, 4096
_VALUES_BYTES = 4_000_000
"""Of so many files, with values of so much in all, is looked up at once what is carried over."""

T = TypeVar("T")
UP_TO_DATE = "up to date"
"""Why a file is skipped whose output is there."""

_stamp_of = attrgetter("st_size", "st_mtime_ns")


def left_to_do(
    found: Iterable[list[str] | Entry],
    blocks: RunBlocks,
    displace: Callable[[Mapping[Status, int], int], object],
    still_holds: Callable[[Any], bool] | None = None,
) -> Iterator[list[str] | Entry]:
    """What of a new scan a resumed run still has to do: everything but what is settled.

    Args:
        found: What the scan finds.
        blocks: What the run has recorded.
        displace: Told of the outcomes that will be replaced, just before: how many of each kind,
            and the bytes of those that were done.
        still_holds: Given the value of a file that is settled: whether it is still good. Without
            it all are.

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
        if still_holds is not None and any(stay):
            values = [
                each
                for (_, names), there in zip(groups, blocks.values(groups), strict=True)
                for each in map(there.get, names)
            ]
            stay = [
                stays and _is_good(value, still_holds)
                for stays, value in zip(stay, values, strict=True)
            ]
        if all(stay):
            continue
        left = list(map(not_, stay))
        replaced = list(filter(None, compress(known, left)))
        if replaced:
            done_bytes = sum(size or 0 for _, status, size, *_ in replaced if status == "done")
            displace(Counter(status for _, status, *_ in replaced), done_bytes)
        yield one if isinstance(one, Entry) else list(compress(paths, left))


class Unchanged(msgspec.Struct, frozen=True):
    """Files that are skipped because an earlier run has done them.

    Attributes:
        paths: As they were found.
        reason: Why they are skipped, with the name of the run that did them.
        sizes: Bytes of each file.
        mtimes_ns: Modification times, by which the next run knows them again.
        values: What the earlier run made of each, as JSON: the output is to be whole.
        made: The stamp of each one's own output, if it has one.
    """

    paths: list[str]
    reason: str
    sizes: list[int]
    mtimes_ns: list[int]
    values: list[msgspec.Raw]
    made: list[int | None]

    def pack(self) -> Block:
        """A block for the journal."""
        return pack_untried(
            self.paths, "skipped", self.reason, self.sizes, self.mtimes_ns, self.values, self.made
        )


class _Told(NamedTuple):
    """What an earlier run tells of a file that it has settled.

    Attributes:
        stamp: What the file was like.
        reason: Why it is skipped if it is still like that.
        run: Which one.
        made: The stamp of what it made of the file.
    """

    stamp: Stamp
    reason: str
    run: Earlier
    made: int | None


def new_or_changed(
    found: Iterable[list[str] | Entry],
    earlier: Sequence[Earlier],
    cwd: str,
    *,
    in_order: bool = False,
    is_current: Callable[[str, int, int | None], bool] | None = None,
    still_holds: Callable[[Any], bool] | None = None,
) -> Iterator[list[str] | Entry | Unchanged]:
    """Settle the files that are unchanged since an earlier run; let all others through.

    The latest run that tells of a file decides; one that was cancelled there was not looked at,
    and one whose value is not recorded there is done again. A run whose journal turns out to be
    damaged is left out from there on, with one warning.

    Args:
        found: What the scan finds.
        earlier: Runs before this one, the latest first.
        cwd: Where relative paths begin now.
        in_order: Divide a list where need be so that its files come in their order; else those
            that are unchanged come together.
        is_current: Given a path, its modification time, and the stamp of what was made of it:
            whether that is there. Without it nothing is looked for.
        still_holds: As for ``left_to_do``.
    """
    trusted = list(earlier)
    most = _FIRST_PATHS
    for one in found:
        if isinstance(one, Entry):
            yield one
            continue
        at = 0
        while at < len(one):
            paths = one[at : at + most]
            at += len(paths)
            told = _told(paths, trusted, cwd)
            if is_current is not None:
                told = [
                    one._replace(reason=UP_TO_DATE)
                    if one and is_current(path, one.stamp[1], one.made)
                    else None
                    for path, one in zip(paths, told, strict=True)
                ]
            values = _values(paths, told, trusted, cwd)
            if still_holds is not None:
                values = [value if _is_good(value, still_holds) else None for value in values]
            yield from _parted(paths, told, values, in_order=in_order)
            size = sum(memoryview(value).nbytes for value in values if value is not None)
            most = max(1, most // 2) if size > _VALUES_BYTES else min(2 * most, _MOST_PATHS)


def _parted(
    paths: Sequence[str],
    told: Sequence[_Told | None],
    values: Sequence[msgspec.Raw | None],
    *,
    in_order: bool,
) -> Iterator[list[str] | Unchanged]:
    """Part the files that are unchanged, which have a value, from those that are to be done."""
    reasons = [
        None if one is None or value is None else one.reason
        for one, value in zip(told, values, strict=True)
    ]
    positions: Iterable[int] = range(len(paths))
    if not in_order:
        positions = sorted(positions, key=lambda at: reasons[at] or "")
    for reason, group in groupby(positions, reasons.__getitem__):
        some = list(group)
        if reason is None:
            yield [paths[at] for at in some]
            continue
        then = [one for at in some if (one := told[at])]
        sizes, times = zip(*(one.stamp for one in then), strict=True)
        carried = [value for at in some if (value := values[at]) is not None]
        made = [one.made for one in then]
        yield Unchanged([paths[at] for at in some], reason, list(sizes), list(times), carried, made)


def _told(paths: Sequence[str], trusted: list[Earlier], cwd: str) -> list[_Told | None]:
    """What is told of each file that an earlier run has settled."""
    told: list[_Told | None] = [None] * len(paths)
    missing: Sequence[int] = range(len(paths))
    for other in tuple(trusted):
        if not missing:
            break
        then = _look_up(other, other.known, [paths[at] for at in missing], trusted, cwd)
        looked_at, missing = missing, []
        for at, each in zip(looked_at, then, strict=True):
            if each is None or each[1] == "cancelled":
                missing.append(at)
            elif each[0] is not None:
                reason = each[3] or f"unchanged since run {other.run.id}"
                told[at] = _Told(each[0], reason, other, each[4])
    return told


def _values(
    paths: Sequence[str], told: Sequence[_Told | None], trusted: list[Earlier], cwd: str
) -> list[msgspec.Raw | None]:
    """The values of the files that still are what they were."""
    values: list[msgspec.Raw | None] = [None] * len(paths)
    stay = _stay(paths, [one and one.stamp for one in told])
    for other in tuple(trusted):
        theirs = [at for at, one in enumerate(told) if stay[at] and one and one.run is other]
        if theirs:
            found = _look_up(other, other.values, [paths[at] for at in theirs], trusted, cwd)
            for at, value in zip(theirs, found, strict=True):
                values[at] = value
    return values


def _is_good(value: msgspec.Raw | None, still_holds: Callable[[Any], bool]) -> bool:
    return value is not None and still_holds(msgspec.json.decode(value))


def _look_up(
    other: Earlier,
    look_up: Callable[[Sequence[Group]], list[dict[str, T]]],
    paths: Sequence[str],
    trusted: list[Earlier],
    cwd: str,
) -> Sequence[T | None]:
    """What a run has of each path; one that is damaged has nothing, and is trusted no longer."""
    groups = by_directory(paths)
    try:
        known = look_up([(absolute(one, cwd), names) for one, names in groups])
    except JournalError as error:
        LOGGER.warning("%s; nothing is compared with run %s", error, other.run.id)
        trusted.remove(other)
        return [None] * len(paths)
    return [
        each
        for (_, names), there in zip(groups, known, strict=True)
        for each in map(there.get, names)
    ]


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
    if is_url(path):
        from fsworkers.storage import measure  # noqa: PLC0415  (only with URLs)

        return measure(path)
    try:
        return tuple(_stamp_of(os.stat(path)))
    except (OSError, ValueError):
        return None
