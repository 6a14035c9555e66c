"""Who is lent descriptors next: the budget's decisions, over plain data.

No lock, thread, clock or descriptor in here. Events come in (``arrive``, ``withdraw``, ``refuse``,
``resize``, ``recover``), and ``next_grant`` says who is to be served. Time is passed in as a
number, and so is ``lent``: the count lives with whoever moves the permits.

Think of one line of people before a counter with ``capacity`` waiters. Each has a number for the
place in the line. Whoever was served and then turned away by the kernel gets a number before all
others of his kind and keeps it, however often that happens.

Two rules keep those who hold descriptors and wait for more from waiting for one another for ever:

- *Holders before newcomers*, each in order among themselves. A newcomer whom holders have overtaken
  for ``HOLDER_S`` counts as one.
- *A few more for one.* When nothing is free for them, one of the holders that wait is privileged:
  it alone may have ``extra`` more, until it holds no more than when it asked; then the next. So it
  can go on and give back what it was lent, as long as it needs no more than ``extra`` and one at a
  time. The privilege passes on too when its owner neither asks nor gives back for ``PASS_ON_S``.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from fsworkers.graceful.errors import BudgetTooSmall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.graceful.budget.permits import Permit

NEW, WAITING, GRANTED, GONE = range(4)
"""The states of a waiter: made, in the line, served, given up (or failed)."""

_FRONT = -(1 << 62)

GROW_S = 0.05
"""Between two steps back up after pressure."""

_LARGEST_STEP = 1024

HOLDER_S = 2.0
"""So long a newcomer is overtaken by holders."""

PASS_ON_S = 1.0
"""So long the privilege stays with a holder that makes no use of it."""


class Request:
    """What one operation wants, for however many tries.

    Attributes:
        count: Descriptors wanted at once.
        label: What they are for, as messages show it.
        begun_s: When it began.
        longest_s: Its longest wait in seconds, over all tries; ``None`` for ever.
        lets_in: It is for a connection. Whoever asks holds his listening socket for good, and is no
            holder for that; and those who hold all the rest may be waiting at the other end.
        order: Its place before all others once the kernel has refused it; 0 before.
    """

    __slots__ = ("begun_s", "count", "label", "lets_in", "longest_s", "order")

    def __init__(
        self,
        count: int,
        label: object,
        begun_s: float,
        longest_s: float | None = None,
        *,
        lets_in: bool = False,
    ) -> None:
        self.count = count
        self.label = label
        self.lets_in = lets_in
        self.begun_s = begun_s
        self.longest_s = longest_s
        self.order = 0

    def left_s(self, now_s: float) -> float | None:
        """What is left of its longest wait."""
        if self.longest_s is None:
            return None
        return max(0.0, self.begun_s + self.longest_s - now_s)


class Waiter:
    """One who stands in the line, with one request.

    Attributes:
        request: What is wanted.
        count: As in the request.
        owner: Who asks, as ``owners`` numbers threads and tasks.
        wake: Called outside any lock when ``GRANTED`` or failed, sometimes more than once;
            ``False`` says that nobody is there any more.
        blocks: The thread that can do nothing else while this one waits, or 0.
        held: How many descriptors the owner held when it asked.
        is_holder: Whether it held any, or the one that started it.
        state: One of ``NEW``, ``WAITING``, ``GRANTED``, ``GONE``.
        order: The place in the line.
        since_s: When it began to wait.
        permits: What it was lent, once ``GRANTED``.
        error: Why it failed, when ``GONE`` by the line's decision.
    """

    __slots__ = (
        "blocks",
        "count",
        "error",
        "held",
        "is_holder",
        "order",
        "owner",
        "permits",
        "request",
        "since_s",
        "state",
        "wake",
    )

    def __init__(
        self,
        request: Request,
        owner: int,
        wake: Callable[[], object],
        blocks: int = 0,
        *,
        held: int = 0,
        is_holder: bool = False,
    ) -> None:
        self.request = request
        self.count = request.count
        self.owner = owner
        self.wake = wake
        self.blocks = blocks
        self.held = held
        self.is_holder = is_holder
        self.state = NEW
        self.order = 0
        self.since_s = 0.0
        self.permits: list[Permit] = []
        self.error: Exception | None = None

    def __lt__(self, other: Waiter) -> bool:
        return self.order < other.order


class Line:
    """The line, and how many descriptors may be lent.

    Attributes:
        ceiling: The most that may ever be lent.
        capacity: The most that may be lent now; pressure lowers it, time raises it again.
        next_try_s: When it may rise again, while it is below the ceiling.
        waiting: Waiters in the line.
        arrivals: Waiters that ever came.
        waits: Waiters that ever waited.
        waited_s: Seconds they did, added up.
        refused: Refusals by the kernel.
        refused_machine: Those for want of descriptors in the whole machine.
        refusals_in_row: Refusals since the last retry that went through.
        served: Waiters served so far.
        extra: Descriptors of the reserve that the privileged owner may have beyond the capacity.
        privileged: That owner; 0 for nobody.
        lent_from_reserve: Descriptors lent beyond the capacity.
        rescued: Waiters served that way.
        deadlocks: Waiters ended because even that was not enough.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self._once = ceiling
        self.capacity = ceiling
        self.next_try_s = 0.0
        self.waiting = 0
        self.waits = 0
        self.waited_s = 0.0
        self.refused = 0
        self.refused_machine = 0
        self.refusals_in_row = 0
        self.served = 0
        self.lent_from_reserve = 0
        self._rescuing: Waiter | None = None
        self.rescued = 0
        self.deadlocks = 0
        self.extra = 0
        self.privileged = 0
        self._privileged_base = 0
        self._privileged_count = 0
        self._privileged_s = 0.0
        self._asking: dict[int, Waiter] = {}
        self._line: list[Waiter] = []
        self._newcomers: list[Waiter] = []
        self.arrivals = 0
        self._front = _FRONT
        self._step = 1

    def __repr__(self) -> str:
        return f"<Line capacity={self.capacity}/{self.ceiling} waiting={self.waiting}>"

    def arrive(self, waiter: Waiter, now_s: float) -> None:
        """Put a waiter at the end of the line.

        Raises:
            BudgetTooSmall: It wants more than will ever be lent.
        """
        if waiter.count > self.ceiling:
            waiter.state = GONE
            raise self.too_small(waiter)
        self.arrivals += 1
        waiter.order = self.arrivals
        self._enter(waiter, now_s)

    def too_small(self, waiter: Waiter) -> BudgetTooSmall:
        """The error of a waiter that wants more than will ever be lent, as far as is known."""
        return BudgetTooSmall(waiter.count, self.ceiling, self._once)

    def withdraw(self, waiter: Waiter, now_s: float) -> None:
        """Take a waiter that waits out of the line; the next may be its turn now."""
        if waiter.state == WAITING:
            self._leave(waiter, GONE, now_s)
            self._tidy()

    def refuse(
        self, waiter: Waiter, lent: int, now_s: float, *, pause_s: float, machine_wide: bool
    ) -> None:
        """Note that the kernel refused what was granted, and put the waiter before all others.

        Args:
            waiter: The operation, which has given its permits back.
            lent: Permits lent now, without those of the waiter.
            now_s: The time.
            pause_s: How long to wait before more is lent than now.
            machine_wide: It was ENFILE, not EMFILE.
        """
        self.refused += 1
        self.refused_machine += machine_wide
        self.refusals_in_row += 1
        self.capacity = min(self.capacity, lent)
        self._step = 1
        self.next_try_s = now_s + pause_s
        request = waiter.request
        if request.order == 0:
            self._front += 1
            request.order = self._front
        waiter.order = request.order
        self._enter(waiter, now_s)

    def shrink(self, lent: int, now_s: float, *, pause_s: float, machine_wide: bool) -> None:
        """Leave half of the capacity to code that takes no permits and was refused.

        What is lent stays lent; the capacity grows back as after any refusal.
        """
        self.refused += 1
        self.refused_machine += machine_wide
        self.capacity = min(self.capacity, max(lent, self.capacity // 2))
        self._step = 1
        self.next_try_s = now_s + pause_s

    def next_grant(self, lent: int, now_s: float) -> Waiter | None:
        """Who is to be served now: the head of the line, else a privileged holder, else nobody."""
        rescuing = self._rescuing
        if rescuing is not None and rescuing.state == WAITING:
            return rescuing
        self._rescuing = None
        self.lent_from_reserve = max(0, min(self.lent_from_reserve, lent - self.capacity))
        head = self.head(now_s)
        if head is None or lent + head.count <= self.capacity:
            return head
        favoured = self._favoured(lent)
        if favoured is not None:
            self.rescue(favoured, lent)
        return favoured

    def _favoured(self, lent: int) -> Waiter | None:
        """A holder that waits and may have more than is free; whom the kernel refuses has none."""
        if self.refusals_in_row or not self.extra:
            return None
        if not self.privileged and self._asking:
            self.privileged, first = next(iter(self._asking.items()))
            self._privileged_base = first.held
        waiter = self._asking.get(self.privileged)
        if waiter is None or lent + waiter.count > self.capacity + self.extra:
            return None
        return waiter

    def review_privilege(self, count: int, now_s: float) -> None:
        """End the privilege of an owner that holds ``count``, if it is over or of no use."""
        if self.privileged in self._asking or count != self._privileged_count:
            self._privileged_count, self._privileged_s = count, now_s
        if self.privileged not in self._asking and (
            count <= self._privileged_base or now_s - self._privileged_s > PASS_ON_S
        ):
            self.privileged = 0

    def grant(self, waiter: Waiter, now_s: float) -> None:
        """Note that a waiter has its permits."""
        # First of all: if an interrupt strikes in here, it must not be left out of the line and
        # unserved.
        self._leave(waiter, GRANTED, now_s)
        self.served += 1
        self._rescuing = None
        self._tidy()

    def fail(self, waiter: Waiter, error: Exception, now_s: float) -> None:
        """End a waiting waiter with an error."""
        waiter.error = error
        self._leave(waiter, GONE, now_s)

    def rescue(self, waiter: Waiter, lent: int) -> None:
        """Let the next grant lend a waiter what it wants, as far as need be beyond the capacity."""
        self.rescued += 1
        self._rescuing = waiter
        self.lent_from_reserve = max(self.lent_from_reserve, lent + waiter.count - self.capacity)

    def head(self, now_s: float) -> Waiter | None:
        """The waiter that is next, or ``None`` when nobody waits."""
        first, newcomer = _first_of(self._line), _first_of(self._newcomers)
        if first is None or newcomer is None:
            if first is newcomer:
                # Also when an interrupt kept somebody's leaving from being counted.
                self.waiting = 0
            return first or newcomer
        is_overdue = newcomer.order < first.order and now_s - newcomer.since_s >= HOLDER_S
        return newcomer if is_overdue else first

    def most_urgent(self, now_s: float) -> Waiter | None:
        """Who is to be helped when nothing moves: who lets a connection in, else the head."""
        # They are newcomers, whatever they hold.
        let_in = (one for one in self._newcomers if one.request.lets_in and one.state == WAITING)
        return min(let_in, default=self.head(now_s))

    def in_line(self) -> list[Waiter]:
        """All who wait, in order."""
        every = *sorted(self._line), *sorted(self._newcomers)
        return [one for one in every if one.state == WAITING]

    def resize(self, ceiling: int, now_s: float) -> list[Waiter]:
        """Set the most that may ever be lent.

        Returns:
            Waiters that can no longer be met; their ``error`` says so.
        """
        if self.capacity == self.ceiling or self.capacity > ceiling:
            self.capacity = ceiling
        self.ceiling = ceiling
        self._once = max(self._once, ceiling)
        unmet = [waiter for waiter in self.in_line() if waiter.count > ceiling]
        for waiter in unmet:
            self.fail(waiter, self.too_small(waiter), now_s)
        return unmet

    def recover(self, lent: int, now_s: float) -> bool:
        """Allow more again after pressure: 1, then 2, 4… for each ``GROW_S`` without a refusal.

        Computed from the time that passed, so that nobody has to be awake for it: who comes after
        an idle while finds the whole capacity. While somebody waits, one step is taken at a time,
        so that one success teaches the next.

        Returns:
            Whether the capacity rose.
        """
        before = self.capacity
        while self.capacity < self.ceiling and now_s >= self.next_try_s:
            head = self.head(now_s)
            least = 0 if head is None else lent + head.count
            self.capacity = min(self.ceiling, max(least, self.capacity + self._step))
            self._step = min(self._step * 2, _LARGEST_STEP)
            self.next_try_s = (self.next_try_s if head is None else now_s) + GROW_S
        return self.capacity > before

    def _enter(self, waiter: Waiter, now_s: float) -> None:
        waiter.state = WAITING
        waiter.since_s = now_s
        self.waiting += 1
        if waiter.is_holder:
            self._asking[waiter.owner] = waiter
        heappush(self._line if waiter.is_holder else self._newcomers, waiter)

    def _leave(self, waiter: Waiter, state: int, now_s: float) -> None:
        waiter.state = state
        self.waiting -= 1
        if self._asking.get(waiter.owner) is waiter:
            del self._asking[waiter.owner]
        # Served in the very event in which it came: it did not wait.
        if now_s > waiter.since_s:
            self.waits += 1
            self.waited_s += now_s - waiter.since_s

    def _tidy(self) -> None:
        """Those who have left stay in the heaps until they come up, unless they are most of it."""
        if len(self._line) + len(self._newcomers) > 2 * self.waiting + 16:
            for heap in self._line, self._newcomers:
                heap[:] = [one for one in heap if one.state == WAITING]
                heapify(heap)


def _first_of(heap: list[Waiter]) -> Waiter | None:
    while heap and heap[0].state != WAITING:
        heappop(heap)
    return heap[0] if heap else None
