"""Who is lent descriptors next: the budget's decisions, over plain data.

No lock, thread, clock or descriptor in here. Events come in (``arrive``, ``withdraw``, ``refuse``,
``resize``, ``recover``), and ``next_grant`` says who is to be served. Time is passed in as a
number, and so is ``lent``: the count lives with whoever moves the permits.

Think of one line of people before a counter with ``capacity`` tickets. Each has a number for the
place in the line. Whoever was served and then turned away by the kernel gets a number before all
others and keeps it, however often that happens.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from operator import attrgetter

from fsworkers.graceful.errors import BudgetTooSmall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.graceful.counter import Permit

NEW, WAITING, GRANTED, GONE = range(4)
"""The states of a ticket: made, in the line, served, given up (or failed)."""

_FRONT = -(1 << 62)

GROW_S = 0.05
"""Between two steps back up after pressure."""

_LARGEST_STEP = 1024

_order = attrgetter("order")


class Ticket:
    """One operation that wants ``count`` descriptors at once.

    Attributes:
        count: Descriptors wanted.
        owner: Who asks, as ``owners`` numbers threads and tasks.
        label: What they are for, as messages show it.
        state: One of ``NEW``, ``WAITING``, ``GRANTED``, ``GONE``.
        order: The place in the line.
        since_s: When it began to wait.
        permits: What it was lent, once ``GRANTED``.
        error: Why it failed, when ``GONE`` by the ledger's decision.
        wake: Called outside any lock when ``GRANTED`` or failed, sometimes more than once;
            ``False`` says that nobody is there any more.
        blocks: The thread that can do nothing else while this one waits, or 0.
    """

    __slots__ = (
        "blocks",
        "count",
        "error",
        "label",
        "order",
        "owner",
        "permits",
        "since_s",
        "state",
        "wake",
    )

    def __init__(
        self, count: int, owner: int, label: object, wake: Callable[[], object], blocks: int = 0
    ) -> None:
        self.count = count
        self.owner = owner
        self.label = label
        self.wake = wake
        self.blocks = blocks
        self.state = NEW
        self.order = 0
        self.since_s = 0.0
        self.permits: list[Permit] = []
        self.error: Exception | None = None

    def __lt__(self, other: Ticket) -> bool:
        return self.order < other.order


class Place:
    """The place before all others of an operation that was refused, for however many tries.

    Attributes:
        order: As a ticket's; 0 before the first refusal.
    """

    __slots__ = ("order",)

    def __init__(self) -> None:
        self.order = 0


class Ledger:
    """The line, and how many descriptors may be lent.

    Attributes:
        ceiling: The most that may ever be lent.
        capacity: The most that may be lent now; pressure lowers it, time raises it again.
        next_try_s: When it may rise again, while it is below the ceiling.
        waiting: Tickets in the line.
        waits: Tickets that ever waited.
        waited_s: Seconds they did, added up.
        refused: Refusals by the kernel.
        refused_machine: Those for want of descriptors in the whole machine.
        streak: Refusals since the last retry that went through.
        served: Tickets served so far.
        loan: Descriptors lent beyond the capacity, out of the reserve, to end a deadlock.
        rescued: Tickets served that way.
        deadlocks: Tickets ended because even that was not enough.
    """

    __slots__ = (
        "_arrivals",
        "_front",
        "_line",
        "_once",
        "_rescuing",
        "_step",
        "capacity",
        "ceiling",
        "deadlocks",
        "loan",
        "next_try_s",
        "refused",
        "refused_machine",
        "rescued",
        "served",
        "streak",
        "waited_s",
        "waiting",
        "waits",
    )

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
        self.streak = 0
        self.served = 0
        self.loan = 0
        self._rescuing: Ticket | None = None
        self.rescued = 0
        self.deadlocks = 0
        self._line: list[Ticket] = []
        self._arrivals = 0
        self._front = _FRONT
        self._step = 1

    def __repr__(self) -> str:
        return f"<Ledger capacity={self.capacity}/{self.ceiling} waiting={self.waiting}>"

    def arrive(self, ticket: Ticket, now_s: float) -> None:
        """Put a ticket at the end of the line.

        Raises:
            BudgetTooSmall: It wants more than will ever be lent.
        """
        if ticket.count > self.ceiling:
            ticket.state = GONE
            raise self.too_small(ticket)
        self._arrivals += 1
        ticket.order = self._arrivals
        self._enter(ticket, now_s)

    def too_small(self, ticket: Ticket) -> BudgetTooSmall:
        """The error of a ticket that wants more than will ever be lent, as far as is known."""
        return BudgetTooSmall(ticket.count, self.ceiling, self._once)

    def withdraw(self, ticket: Ticket, now_s: float) -> None:
        """Take a ticket that waits out of the line; the next may be its turn now."""
        if ticket.state == WAITING:
            self._leave(ticket, GONE, now_s)
            # Those who gave up stay in the heap until they come up, unless they are most of it.
            if len(self._line) > 2 * self.waiting + 16:
                self._line = [other for other in self._line if other.state == WAITING]
                heapify(self._line)

    def refuse(
        self, ticket: Ticket, lent: int, now_s: float, *, pause_s: float, machine_wide: bool
    ) -> None:
        """Note that the kernel refused what was granted, and put the ticket before all others.

        Args:
            ticket: The operation, which has given its permits back.
            lent: Permits lent now, without those of the ticket.
            now_s: The time.
            pause_s: How long to wait before more is lent than now.
            machine_wide: It was ENFILE, not EMFILE.
        """
        self.refused += 1
        self.refused_machine += machine_wide
        self.streak += 1
        self.capacity = min(self.capacity, lent)
        self._step = 1
        self.next_try_s = now_s + pause_s
        if ticket.order >= 0:
            self._front += 1
            ticket.order = self._front
        self._enter(ticket, now_s)

    def shrink(self, lent: int, now_s: float, *, pause_s: float, machine_wide: bool) -> None:
        """Leave half of the capacity to code that takes no permits and was refused.

        What is lent stays lent; the capacity grows back as after any refusal.
        """
        self.refused += 1
        self.refused_machine += machine_wide
        self.capacity = min(self.capacity, max(lent, self.capacity // 2))
        self._step = 1
        self.next_try_s = now_s + pause_s

    def next_grant(self, lent: int) -> Ticket | None:
        """The head of the line if its whole count is free, else nobody: none overtakes."""
        rescuing = self._rescuing
        if rescuing is not None and rescuing.state == WAITING:
            return rescuing
        self._rescuing = None
        self.loan = max(0, min(self.loan, lent - self.capacity))
        head = self.head()
        if head is None or lent + head.count > self.capacity + self.loan:
            return None
        return head

    def grant(self, ticket: Ticket, now_s: float) -> None:
        """Note that a ticket has its permits."""
        # First of all: if an interrupt strikes in here, it must not be left out of the line and
        # unserved.
        self._leave(ticket, GRANTED, now_s)
        self.served += 1
        self._rescuing = None
        # Taken out now: refused, it comes again, with another place in the line.
        if self._line[0] is ticket:
            heappop(self._line)
        else:
            self._line.remove(ticket)
            heapify(self._line)

    def fail(self, ticket: Ticket, error: Exception, now_s: float) -> None:
        """End a waiting ticket with an error."""
        ticket.error = error
        self._leave(ticket, GONE, now_s)

    def rescue(self, ticket: Ticket, lent: int) -> None:
        """Let the next grant lend a ticket what it wants, as far as need be beyond the capacity."""
        self.rescued += 1
        self._rescuing = ticket
        self.loan = max(self.loan, lent + ticket.count - self.capacity)

    def head(self) -> Ticket | None:
        """The ticket that is next, or ``None`` when nobody waits."""
        line = self._line
        while line:
            if line[0].state == WAITING:
                return line[0]
            heappop(line)
        self.waiting = 0  # also when an interrupt kept somebody's leaving from being counted
        return None

    def in_line(self) -> list[Ticket]:
        """All who wait, in order."""
        return sorted((one for one in self._line if one.state == WAITING), key=_order)

    def resize(self, ceiling: int, now_s: float) -> list[Ticket]:
        """Set the most that may ever be lent.

        Returns:
            Tickets that can no longer be met; their ``error`` says so.
        """
        if self.capacity == self.ceiling or self.capacity > ceiling:
            self.capacity = ceiling
        self.ceiling = ceiling
        self._once = max(self._once, ceiling)
        unmet = [ticket for ticket in self.in_line() if ticket.count > ceiling]
        for ticket in unmet:
            self.fail(ticket, self.too_small(ticket), now_s)
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
            head = self.head()
            least = 0 if head is None else lent + head.count
            self.capacity = min(self.ceiling, max(least, self.capacity + self._step))
            self._step = min(self._step * 2, _LARGEST_STEP)
            self.next_try_s = (self.next_try_s if head is None else now_s) + GROW_S
        return self.capacity > before

    def _enter(self, ticket: Ticket, now_s: float) -> None:
        ticket.state = WAITING
        ticket.since_s = now_s
        self.waiting += 1
        heappush(self._line, ticket)

    def _leave(self, ticket: Ticket, state: int, now_s: float) -> None:
        ticket.state = state
        self.waiting -= 1
        # Served in the very event in which it came: it did not wait.
        if now_s > ticket.since_s:
            self.waits += 1
            self.waited_s += now_s - ticket.since_s
