"""How many descriptors may be lent: free numbers below the soft limit, less a reserve.

EMFILE goes by number, not by count: with the limit lowered to 64 while 94 were open, 59 more opens
succeeded, because those 94 did not occupy the numbers below 64. So numbers are counted: those below
the limit that belong to others. What the budget itself has lent is its own to lend again, whatever
its numbers are.
"""

from __future__ import annotations

import resource

from fsworkers.graceful.budget.kernel import is_open, numbers_open
from fsworkers.graceful.budget.snapshots import Snapshot
from fsworkers.graceful.errors import TooFewDescriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MINIMUM = 4
"""The least budget a measured process starts with; a limit that never leaves it is refused."""

STANDARD = 3
"""Every process has these open."""

UNLIMITED = 1_048_576
"""What counts as the limit when it is RLIM_INFINITY: the Linux default of fs.nr_open."""


class Measure(Snapshot):
    """One look at the limit.

    Attributes:
        limit: The soft limit in numbers.
        foreign: Numbers below it that are open and not lent by the budget, as far as can be told.
        foreign_at_most: The same, with all that may be ours or not.
        reserve: Numbers to keep free for everything that is not a file of ours.
    """

    __slots__ = ("foreign", "foreign_at_most", "limit", "reserve")

    limit: int
    foreign: int
    foreign_at_most: int
    reserve: int

    @property
    def to_lend(self) -> int:
        """Descriptors that may be lent; below 1 when others have taken all."""
        return self.limit - self.foreign - self.reserve

    @property
    def surely_to_lend(self) -> int:
        """The same, with every doubt against it."""
        return self.limit - self.foreign_at_most - self.reserve


class Own(Snapshot):
    """What a budget has lent at one moment, as far as it is known where that is.

    Attributes:
        numbers: Descriptor numbers that are its own.
        unnumbered: Descriptors that are open, but whose numbers nobody tells: maps, listings.
        lent: Permits lent; those beyond the other two are on their way to or from a descriptor,
            or reserved for code that opens on its own.
    """

    __slots__ = ("lent", "numbers", "unnumbered")

    numbers: frozenset[int]
    unnumbered: int
    lent: int

    @property
    def under_way(self) -> int:
        """Permits whose descriptor is not open yet, or no longer, as far as can be told."""
        return max(0, self.lent - len(self.numbers) - self.unnumbered)


NOTHING = Own(numbers=frozenset(), unnumbered=0, lent=0)


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


def measure(
    reserve: int | None = None, own: Callable[[], Own] = lambda: NOTHING, old_limit: int = 0
) -> Measure:
    """Count who has what below the soft limit now.

    Args:
        reserve: Numbers to keep free; ``None`` for ``default_reserve``.
        own: Tells what the budget itself has lent.
        old_limit: What the limit was before: nothing is open beyond the larger of the two.
    """
    limit = soft_limit()
    before = own()
    numbers = numbers_open(max(limit, old_limit))
    after = own()
    # Files are opened and closed meanwhile: a stranger is who is none of ours before and after,
    # and is still there.
    doubtful = [number for number in numbers if number not in before.numbers & after.numbers]
    if before.lent or after.lent:
        doubtful = list(filter(is_open, doubtful))
    either = before.numbers | after.numbers
    return judge(
        limit,
        default_reserve(limit) if reserve is None else reserve,
        [number for number in doubtful if number not in either],
        after,
        len([number for number in doubtful if number < limit]),
    )


def judge(
    limit: int, reserve: int, strangers: list[int], own: Own, at_most: int | None = None
) -> Measure:
    """What is left of the limit, when some open numbers are known not to be files of ours.

    A map or a listing of ours is one of them, and as its number is not known it counts as being
    where it takes no seat: rather lend one too few until the next measure than one too many.

    Args:
        limit: The soft limit.
        reserve: Numbers to keep free.
        strangers: Open numbers that are known not to be files of ours.
        own: What is ours.
        at_most: How many below the limit may be others'; ``None`` for the strangers there.
    """
    below = sum(1 for number in strangers if number < limit)
    elsewhere = min(own.unnumbered, len(strangers) - below)
    return Measure(
        limit=limit,
        foreign=max(0, below - (own.unnumbered - elsewhere)),
        foreign_at_most=below if at_most is None else at_most,
        reserve=reserve,
    )


def to_begin_with(measured: Measure) -> int:
    """What is lent at first: never less than the minimum.

    If others have so many that less is left, that passes or the kernel refuses, and either is
    waited for.

    Raises:
        TooFewDescriptors: The limit leaves less than the minimum whatever others have.
    """
    if measured.limit - measured.reserve - STANDARD < MINIMUM:
        raise TooFewDescriptors(measured.limit, STANDARD, measured.reserve, MINIMUM)
    return max(MINIMUM, measured.to_lend)
