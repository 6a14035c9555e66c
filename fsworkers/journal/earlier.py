"""The runs before this one that ``--changed`` looks files up in: same task, the latest first.

They may have been begun elsewhere and over other PATHs: what is compared are absolute places.
"""

from __future__ import annotations

import logging
import os
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from fsworkers.journal.blocks import RunBlocks
from fsworkers.journal.errors import JournalError
from fsworkers.journal.known import is_settled
from fsworkers.journal.outcomes import read_outcomes
from fsworkers.journal.places import find_runs
from fsworkers.names import is_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    import msgspec

    from fsworkers.journal.blocks import Group
    from fsworkers.journal.known import Known
    from fsworkers.journal.record import RunRecord

LOGGER = logging.getLogger("fsworkers")

T = TypeVar("T")

MOST_EARLIER = 5
"""How many runs are looked at, of those that may have met the same files. Each records what it
found unchanged, so the latest alone tells of most files; each costs three or four descriptors and,
for a file that none knows, a look-up."""


class Earlier(NamedTuple):
    """A run before this one with the same task.

    Attributes:
        run: Its record.
        blocks: What is recorded of it.
    """

    run: RunRecord
    blocks: RunBlocks

    def known(self, groups: Sequence[Group]) -> list[dict[str, Known]]:
        """What it tells of files in absolute directories, whatever it called these.

        Raises:
            JournalUnreadable: Its journal is damaged.
        """
        return self._under_any_name(groups, self.blocks.known)

    def values(self, groups: Sequence[Group]) -> list[dict[str, msgspec.Raw | None]]:
        """The values that it has of these files, as JSON, likewise.

        Raises:
            JournalUnreadable: Its journal is damaged.
        """
        return self._under_any_name(groups, self.blocks.values)

    def _under_any_name(
        self,
        groups: Sequence[Group],
        look_up: Callable[[Sequence[Group]], list[dict[str, T]]],
    ) -> list[dict[str, T]]:
        called = [
            [(name, names) for name in reversed(spellings(place, self.run.cwd, self.run.roots))]
            for place, names in groups
        ]
        found = iter(look_up(list(chain.from_iterable(called))))
        merged = []
        for names in called:  # the likeliest comes last, and usually one of them is all
            told = [one for one in islice(found, len(names)) if one]
            merged.append(told[0] if len(told) == 1 else dict(chain(*map(dict.items, told))))
        return merged


def open_earlier(stack: ExitStack, journal: Path | None, run: RunRecord) -> list[Earlier]:
    """Open the journals of earlier runs of a run's task. One that can't be read is left out.

    Args:
        stack: Closes them.
        journal: Where they are; ``None`` for the journals that nobody named.
        run: The one that is about to begin, which is left out.
    """
    runs = (
        located
        for located in reversed(find_runs(journal))
        if located.run.fingerprint == run.fingerprint
        and located.run.id != run.id
        and located.run.state != "running"
        and _may_share_files(located.run, run)
    )
    earlier: list[Earlier] = []
    for located in islice(runs, MOST_EARLIER):
        try:
            blocks = RunBlocks(located.journal, located.run.number)
        except JournalError as error:
            if located.journal.exists():  # it was thrown away just now, otherwise
                LOGGER.warning("%s; run %s is not compared with", error, located.run.id)
            continue
        stack.callback(blocks.close)
        earlier.append(Earlier(located.run, blocks))
    return earlier


def gone(earlier: Sequence[Earlier], run: RunRecord) -> Iterator[list[str]]:
    """Files of the latest run over the same PATHs that came to its end, where none is any more.

    They are called as they were then; by their absolute path if that was in another directory.

    Raises:
        JournalUnreadable: Its journal is damaged.
    """
    same = (one for one in earlier if one.run.state == "finished" and _same_paths(one.run, run))
    for other in islice(same, 1):
        for batch in read_outcomes(other.blocks, ("done", "skipped")):
            settled = (one for one in batch if is_settled(one.status, one.attempts, one.mtime_ns))
            paths = [
                (one.path, os.path.join(other.run.cwd, one.path))
                for one in settled
                if not is_url(one.path)  # each would be a request
            ]
            is_near = other.run.cwd == run.cwd
            missing = [
                path if is_near else place for path, place in paths if not os.path.lexists(place)
            ]
            if missing:
                yield missing


def _same_paths(one: RunRecord, other: RunRecord) -> bool:
    return _places(one) == _places(other)


def _may_share_files(one: RunRecord, other: RunRecord) -> bool:
    """Whether a PATH of one is, or is below, one of the other; a list of files may name any."""
    if any(not run.roots or '"files_from"' in (run.options or "") for run in (one, other)):
        return True
    ours, theirs = _places(one), _places(other)
    return not (ours.isdisjoint(_upwards(theirs)) and theirs.isdisjoint(_upwards(ours)))


def _places(run: RunRecord) -> set[str]:
    return {absolute(root, run.cwd).rstrip("/") for root in run.roots}


def _upwards(places: set[str]) -> set[str]:
    """The places, and all that is above them."""
    found = set(places)
    for place in places:
        above, slash, _ = place.rpartition("/")
        while slash and above not in found:
            found.add(above)
            above, slash, _ = above.rpartition("/")
    return found


def absolute(directory: str, cwd: str) -> str:
    """Where a directory is, seen from ``cwd``, which holds no links: leading dots are resolved.

    Dots further on are kept, because ``link/..`` is not where it seems to be.
    """
    if directory.startswith("/") or is_url(directory):
        return directory
    while True:
        head, slash, rest = directory.partition("/")
        if head == "..":
            cwd = os.path.dirname(cwd)
        elif head not in {".", ""}:
            break
        elif not slash:
            return cwd
        directory = rest
        if not slash:
            return cwd
    return f"{cwd.rstrip('/')}/{directory}"


def spellings(place: str, cwd: str, roots: Sequence[str]) -> list[str]:
    """What a run in ``cwd`` over ``roots`` may have called the absolute directory ``place``.

    The likeliest first, each with its slash; a list of files may have begun with ``./``.
    """
    place = place.rstrip("/") + "/"
    names: list[str] = []
    for root in roots:
        start = absolute(root, cwd).rstrip("/")
        if place.startswith(f"{start}/"):
            slash = "" if root.endswith("/") else "/"
            names.append(f"{root}{slash}{place[len(start) :].lstrip('/')}")
        elif os.path.dirname(start).rstrip("/") + "/" == place:
            names.append(root[: root.rfind("/") + 1])  # a PATH that is a file there
    if place.startswith(cwd.rstrip("/") + "/"):
        below = place[len(cwd.rstrip("/")) + 1 :]
        names += [below, f"./{below}"]
    return list(dict.fromkeys([*names, place]))
