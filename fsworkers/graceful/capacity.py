"""How many descriptors may be lent: free numbers below the soft limit, less a reserve.

EMFILE goes by number, not by count: with the limit lowered to 64 while 94 were open, 59 more opens
succeeded, because those 94 did not occupy the numbers below 64. So numbers are counted.
"""

from __future__ import annotations

import resource

from fsworkers.graceful.errors import TooFewDescriptors
from fsworkers.graceful.records import Snapshot
from fsworkers.graceful.system import count_open_below

MINIMUM = 4
"""The least budget a measured process starts with; below it the layer refuses."""

UNLIMITED = 1_048_576
"""What counts as the limit when it is RLIM_INFINITY: the Linux default of fs.nr_open."""

RAISE_AT_MOST = 65_536
"""How far the soft limit is raised when asked to: some programs walk all numbers up to it."""


class Measure(Snapshot):
    """One look at the limit.

    Attributes:
        limit: The soft limit in numbers.
        in_use: Numbers below it that are open.
        reserve: Numbers to keep free for everything that is not a file of ours.
    """

    __slots__ = ("in_use", "limit", "reserve")

    limit: int
    in_use: int
    reserve: int

    @property
    def free(self) -> int:
        """Descriptors left to lend."""
        return self.limit - self.in_use - self.reserve


def soft_limit() -> int:
    """The soft RLIMIT_NOFILE as a plain number.

    Source:
        getrlimit(2).
    """
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return UNLIMITED if soft == resource.RLIM_INFINITY else soft


def default_reserve(limit: int) -> int:
    """Descriptors to keep out of the budget: an eighth of the limit, at least 4, at most 32.

    Four is what an import (2) beside a temporary file or an SQLite journal takes; with 32 a first
    ZeroMQ socket (6), a database with journal, WAL and shared memory (4), a subprocess with three
    pipes (8) and a few imports fit at once.
    """
    return min(32, max(4, limit // 8))


def measure(reserve: int | None = None) -> Measure:
    """Count what is free below the soft limit now."""
    limit = soft_limit()
    return Measure(
        limit=limit,
        in_use=count_open_below(limit) or 0,
        reserve=default_reserve(limit) if reserve is None else reserve,
    )


def ceiling_from(measured: Measure, ours: int = 0) -> int:
    """The budget that a measure allows.

    Args:
        measured: The look at the limit.
        ours: How many of ``in_use`` are lent by the budget itself.

    Raises:
        TooFewDescriptors: Fewer than ``MINIMUM`` would be left.
    """
    ceiling = measured.free + ours
    if ceiling < MINIMUM:
        raise TooFewDescriptors(measured.limit, measured.in_use - ours, measured.reserve, MINIMUM)
    return ceiling


def raise_soft_limit(at_most: int = RAISE_AT_MOST) -> tuple[int, int]:
    """Raise the soft limit towards the hard one, which is never touched.

    Returns:
        The soft limit before and after.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = at_most if hard == resource.RLIM_INFINITY else min(hard, at_most)
    if soft == resource.RLIM_INFINITY or soft >= target:
        return soft, soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
    except (OSError, ValueError):
        # macOS reports an unlimited hard limit and refuses more than kern.maxfilesperproc.
        return soft, soft
    _raised_from.append(soft)
    return soft, target


_raised_from: list[int] = []


def restore_soft_limit_of(pid: int) -> None:
    """Give a child the soft limit that this process had before it raised its own.

    Programs that use ``select`` break with descriptors above 1,023, which is why the soft limit is
    low. Linux only (prlimit(2)), just after the child's exec; elsewhere the child keeps ours.
    """
    prlimit = getattr(resource, "prlimit", None)
    if not _raised_from or prlimit is None:
        return
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    # It may have ended already, or not be ours to limit.
    try:
        prlimit(pid, resource.RLIMIT_NOFILE, (_raised_from[0], hard))
    except (OSError, ValueError):
        return
