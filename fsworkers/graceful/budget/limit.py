"""How many descriptors may be lent: free numbers below the soft limit, less a reserve.

EMFILE goes by number, not by count: with the limit lowered to 64 while 94 were open, 59 more opens
succeeded, because those 94 did not occupy the numbers below 64. So numbers are counted: those open
below the limit, less what the budget has lent, belong to others. Where that is wrong for a moment
(a permit without its file yet, a file of ours above a lowered limit) too many are lent, and the
kernel's refusals tell.
"""

from __future__ import annotations

import resource
from collections import deque
from time import monotonic, thread_time

from fsworkers.graceful.budget.kernel import count_open_below, numbers_open
from fsworkers.graceful.budget.throttle import Throttle
from fsworkers.graceful.errors import TooFewDescriptors

MINIMUM = 4
"""The least budget a measured process starts with; a limit that never leaves it is refused."""

STANDARD = 3
"""Every process has these open."""

UNLIMITED = 1_048_576
"""What counts as the limit when it is RLIM_INFINITY: the Linux default of fs.nr_open."""

LOOKS = 8
"""In how many looks in a row it must be there that others have let go of."""

_LONGEST_PAUSE_S = 10.0


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


class Limit:
    """The soft limit, as a budget follows it.

    Args:
        most: The most to lend; ``None`` for what the limit leaves.
        reserve: Numbers to keep free; ``None`` for ``default_reserve``.

    Attributes:
        measured: The soft limit at the last measure; 0 before, and where none is ever taken.
    """

    def __init__(self, most: int | None, reserve: int | None) -> None:
        self.most = most
        self.measured = 0
        self._reserve = reserve
        self._foreign = self._taken = 0
        self._is_cramped = False  # others had more than the reserve, and may let go of it
        self._recent: deque[int] = deque(maxlen=LOOKS)
        self._measuring = Throttle(_LONGEST_PAUSE_S)

    @property
    def reserve(self) -> int:
        """Descriptors that are kept out of the budget."""
        return default_reserve(soft_limit()) if self._reserve is None else self._reserve

    @property
    def extra(self) -> int:
        """Half of the reserve, which a holder that waits may have; 0 where nothing was measured."""
        return max(1, self.reserve // 2) if self.measured else 0

    def at_first_use(self, lent: int = 0) -> int:
        """What may be lent to begin with: what was asked for, unless it was ever measured."""
        return self.most if self.most is not None and not self.measured else self.begin(lent)

    def begin(self, lent: int = 0) -> int:
        """Measure for the first time, or for new settings.

        Never less than the minimum is lent: if others have so many that less is left, that passes
        or the kernel refuses, and either is waited for.

        Raises:
            TooFewDescriptors: The limit leaves less than the minimum whatever others have.
        """
        limit, reserve = soft_limit(), self.reserve
        if limit - reserve - STANDARD < MINIMUM:
            raise TooFewDescriptors(limit, STANDARD, reserve, MINIMUM)
        to_lend = self._measure(lent)
        self._is_cramped = self._foreign > reserve
        return self._bounded(max(MINIMUM, to_lend))

    def follow(self, lent: int, ceiling: int, *, is_urgent: bool = False) -> int:
        """What may be lent now, if the limit has changed; else ``ceiling``, or more if there is.

        What others took since is not taken out: those who wait for as much would fail. The reserve
        is for that. What they let go of has to be seen for a while: permits whose files are not
        open yet hide as many.

        Args:
            lent: Permits lent now.
            ceiling: What may be lent by the measures before.
            is_urgent: Somebody fails otherwise, so a single look is enough.
        """
        has_changed = soft_limit() != self.measured
        to_lend = self._measure(lent)
        if has_changed:
            self._recent.clear()
            self._is_cramped = self._foreign > self.reserve
            return self._bounded(max(1, to_lend))
        self._recent.append(self._foreign)
        if is_urgent:
            return max(ceiling, self._bounded(to_lend))
        of_others = self._taken  # at most
        if len(self._recent) == LOOKS:
            of_others = min(of_others, max(self._recent))
        ceiling = max(ceiling, self._bounded(self.measured - self.reserve - of_others))
        self._is_cramped = ceiling < self._bounded(to_lend)
        return ceiling

    def is_to_be_followed(self, ceiling: int) -> bool:
        """Whether the limit has changed, or others had so much that it is worth a look again."""
        return self.measured > 0 and (
            soft_limit() != self.measured
            or (
                self._is_cramped
                and (self.most is None or ceiling < self.most)
                and self._measuring.is_due(monotonic())
            )
        )

    def leaves(self, count: int, lent: int) -> bool:
        """Whether so many numbers are free, beside half of the reserve and permits not used yet."""
        numbers, limit = numbers_open(self.measured), soft_limit()
        unused = max(0, lent - len(numbers) + self._foreign)
        taken = sum(1 for number in numbers if number < limit) + unused
        return limit - taken >= count + self.extra

    def _measure(self, lent: int) -> int:
        begun_s = thread_time()
        before, self.measured = self.measured, soft_limit()
        limit = self.measured
        self._taken = taken = count_open_below(limit)
        if limit >= before or taken >= lent:
            self._foreign = max(STANDARD, taken - lent)
        # else some of ours are above a limit that was lowered, and others have what they had
        self._measuring.note(monotonic(), thread_time() - begun_s, was_of_use=False)
        return limit - self._foreign - self.reserve

    def _bounded(self, to_lend: int) -> int:
        return to_lend if self.most is None else min(self.most, to_lend)
