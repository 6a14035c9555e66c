"""The descriptor budget: permits, and one line for threads and event loops alike.

This is the shell around ``ledger``: it moves permits, wakes those who are served and never decides
who is next. Three rules make it fast and safe to use from anywhere, a finalizer or a signal handler
included:

- *A permit is an object.* ``free`` holds those that are not lent. While nobody waits (``calm``),
  taking one is ``free.pop()`` and giving it back is ``free.append()``: each a single step that no
  other thread can split, and no lock. Permits are made one at a time, only when all that exist are
  lent, so their number is the peak.
- *Whoever begins to wait first ends the calm, then looks at* ``free``; *whoever gives back first
  appends, then looks whether it is calm.* Whichever comes first, one of the two sees the other.
- *Nobody ever blocks on the lock.* What needs the ledger is posted to ``_inbox``; who gets the lock
  works the inbox off, who does not leaves it to the one who has it, who looks again afterwards.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from threading import Lock, get_ident
from time import monotonic
from weakref import WeakSet

from fsworkers.graceful import capacity as measuring
from fsworkers.graceful.errors import BudgetTimeout, BudgetTooSmall
from fsworkers.graceful.ledger import GONE, GRANTED, NEW, WAITING, Ledger, Ticket
from fsworkers.graceful.records import Statistics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_BUDGETS: WeakSet[Budget] = WeakSet()


class Permit:
    """The right to one open descriptor, lent until ``give_back``.

    Attributes:
        budget: Where it belongs.
        owner: Who holds it: a thread's ident, a task's (negative) number, or 0 when it is free.
    """

    __slots__ = ("budget", "owner")

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.owner = 0

    def give_back(self) -> None:
        """Return it, exactly once. Never blocks, so finalizers and signal handlers may."""
        self.owner = 0
        budget = self.budget
        budget.free.append(self)
        if not budget.calm:
            budget.collect()


class Budget:
    """How many descriptors may be open at once, lent first come, first served.

    Args:
        capacity: The most to lend; ``None`` measures what the limit leaves, at first use.
        reserve: Descriptors a measure keeps free; ``None`` for an eighth of the limit, 4 to 32.
        wait_s: Longest wait of an operation in seconds; ``None`` waits for ever.

    Attributes:
        free: Permits that are not lent. For permits and the budget alone.
        calm: Nobody waits and no permit has to be retired. For permits and the budget alone.
        quick: ``calm``, and no reservation that a taker would have to look for.
    """

    __slots__ = (
        "__weakref__",
        "_bells",
        "_dirty",
        "_inbox",
        "_ledger",
        "_limit",
        "_lock",
        "_made",
        "_most",
        "_now_s",
        "_peak",
        "_pumping",
        "_reserve",
        "calm",
        "free",
        "identify",
        "quick",
        "wait_s",
    )

    def __init__(
        self,
        capacity: int | None = None,
        *,
        reserve: int | None = None,
        wait_s: float | None = None,
    ) -> None:
        self.free: list[Permit] = []
        self.calm = False
        self.quick = False
        self.identify: Callable[[], int] = get_ident
        self.wait_s = wait_s
        self._reserve = reserve
        self._most = capacity
        self._limit = 0
        self._made = 0
        self._peak = 0
        self._lock = Lock()
        self._pumping = 0
        self._dirty = False
        self._now_s = 0.0
        self._inbox: deque[Callable[[], object]] = deque()
        self._bells: deque[Ticket] = deque()
        self._ledger: Ledger | None = None
        _BUDGETS.add(self)

    def __repr__(self) -> str:
        if self._ledger is None:
            return "<Budget not measured yet>"
        return f"<Budget {self.lent}/{self._ledger.capacity} lent, {self._ledger.waiting} waiting>"

    @property
    def lent(self) -> int:
        """Descriptors lent at this moment."""
        return max(0, self._made - len(self.free))

    @property
    def ledger(self) -> Ledger:
        """The line and the capacity, measured now if they were not yet.

        Raises:
            TooFewDescriptors: The limit leaves less than the minimum.
        """
        if self._ledger is None:
            ceiling = self._most
            if ceiling is None:
                measured = measuring.measure(self._reserve)
                self._limit = measured.limit
                ceiling = measuring.ceiling_from(measured)
            self._ledger = Ledger(ceiling)
        return self._ledger

    def take(self, label: object = None) -> Permit:
        """Lend one descriptor, waiting in arrival order on this thread until one is free.

        Args:
            label: What it is for, as errors show it.

        Raises:
            BudgetTimeout: The budget's ``wait_s`` passed first; nothing was lent.
            TooFewDescriptors: First use, and the limit leaves less than the minimum.
        """
        if self.quick:
            try:
                permit = self.free.pop()
            except IndexError:
                pass
            else:
                permit.owner = self.identify()
                return permit
        return self.take_many(1, label)[0]

    def take_many(
        self, count: int, label: object = None, *, wait_s: float | None = None
    ) -> list[Permit]:
        """Lend several descriptors at once, all or none, waiting on this thread.

        Raises:
            BudgetTooSmall: More than will ever be lent.
            BudgetTimeout: The wait was too long; nothing was lent.
        """
        bell = Lock()
        bell.acquire()
        ticket = Ticket(count, self.identify(), label, bell.release, blocks=get_ident())
        self.post(ticket)
        return self.wait_in_thread(ticket, bell, wait_s)

    def post(self, ticket: Ticket) -> None:
        """Put a ticket in the line; it may be served before this returns."""
        ledger = self.ledger
        if ticket.count > ledger.ceiling:
            raise BudgetTooSmall(ticket.count, ledger.ceiling)
        if self._pumping == get_ident():
            # A signal handler or finalizer interrupted our own bookkeeping on this very thread: it
            # cannot wait for what it interrupted, so it is served out of the reserve.
            ticket.permits = [self._make(ticket.owner) for _ in range(ticket.count)]
            ticket.state = GRANTED
            self._dirty = True
            return
        self._submit(partial(self._arrive, ticket))

    def wait_in_thread(self, ticket: Ticket, bell: Lock, wait_s: float | None) -> list[Permit]:
        """Wait on this thread until a posted ticket is served."""
        if ticket.state == GRANTED:
            return ticket.permits
        longest_s = self.wait_s if wait_s is None else wait_s
        begun_s = monotonic()
        try:
            rang = bell.acquire(timeout=-1 if longest_s is None else max(0.0, longest_s))
        except BaseException:
            self.abandon(ticket)
            raise
        if ticket.error is not None:
            raise ticket.error
        if not rang:
            self.abandon(ticket)
            raise self.timeout_of(ticket, monotonic() - begun_s)
        return ticket.permits

    def timeout_of(self, ticket: Ticket, waited_s: float) -> BudgetTimeout:
        """The error of an operation that waited too long."""
        return BudgetTimeout(ticket.label, waited_s, self.ledger.ceiling)

    def abandon(self, ticket: Ticket) -> None:
        """Give up a ticket in whatever state: what it was lent goes back, the next is woken."""
        self._submit(partial(self._withdraw, ticket))

    def collect(self) -> None:
        """Look at what came back to ``free`` and serve the line with it."""
        self._dirty = True
        self._pump()

    def resize(self, capacity: int) -> None:
        """Lend at most ``capacity`` from now on; what is lent beyond that is not taken away."""
        if capacity < 1:
            raise ValueError(f"a budget lends at least 1 descriptor, not {capacity}")
        self._most = capacity
        self._submit(partial(self._resize, capacity))

    @property
    def reserve(self) -> int:
        """Descriptors that a measure keeps out of the budget."""
        if self._reserve is not None:
            return self._reserve
        return measuring.default_reserve(measuring.soft_limit())

    def configure(self, most: int | None, reserve: int | None, wait_s: float | None) -> None:
        """Take new settings over, as ``graceful.configure`` describes them.

        Raises:
            TooFewDescriptors: The limit leaves less than the minimum; nothing was changed.
        """
        measured = measuring.measure(reserve)
        ceiling = measuring.ceiling_from(measured, self.lent)
        self._reserve = reserve
        self._limit = measured.limit
        self.wait_s = wait_s
        self._most = most
        ceiling = ceiling if most is None else min(most, ceiling)
        if self._ledger is None:
            self._ledger = Ledger(ceiling)
        self._submit(partial(self._resize, ceiling))

    def statistics(self) -> Statistics:
        """What the budget did so far and does now, as an immutable snapshot."""
        ledger = self.ledger
        return Statistics(
            capacity=ledger.capacity,
            lent=self.lent,
            waiting=ledger.waiting,
            peak=self._peak,
            waits=ledger.waits,
            waited_s=ledger.waited_s,
            refused=ledger.refused,
            refused_machine=ledger.refused_machine,
            deadlocks=0,
            rescued=0,
        )

    # ---------------------------------------------------------------- under the lock

    def _submit(self, command: Callable[[], object]) -> None:
        self.ledger  # noqa: B018 - measured before the lock is taken, as it may fail
        self._inbox.append(command)
        self._pump()

    def _pump(self) -> None:
        """Work off what was posted, unless someone is at it, who then does ours too."""
        while (self._dirty or self._inbox) and self._lock.acquire(blocking=False):
            self._pumping = get_ident()
            try:
                self._work()
            finally:
                self._pumping = 0
                self._lock.release()
            self._ring()

    def _work(self) -> None:
        self.calm = self.quick = False
        self._dirty = False
        self._now_s = monotonic()
        while self._inbox:
            self._inbox[0]()
            self._inbox.popleft()
        self._serve()
        ledger = self.ledger
        free = self.free
        while self._made > ledger.capacity and free:
            free.pop()
            self._made -= 1
        if not ledger.waiting and self._made <= ledger.capacity:
            self.calm = self.quick = True

    def _serve(self) -> None:
        ledger = self.ledger
        while (head := ledger.next_grant(self.lent)) is not None:
            permits = self._gather(head.count, head.owner)
            if len(permits) < head.count:
                # Someone who found it calm a moment ago was faster; what they took comes back.
                self.free.extend(permits)
                return
            head.permits = permits
            ledger.grant(head, self._now_s)
            self._bells.append(head)

    def _gather(self, count: int, owner: int) -> list[Permit]:
        permits: list[Permit] = []
        while len(permits) < count:
            try:
                permit = self.free.pop()
            except IndexError:
                if self._made >= self.ledger.capacity:
                    break
                permit = self._make(owner)
            permit.owner = owner
            permits.append(permit)
        return permits

    def _make(self, owner: int) -> Permit:
        permit = Permit(self)
        permit.owner = owner
        self._made += 1
        self._peak = max(self._peak, self._made)
        return permit

    def _ring(self) -> None:
        while self._bells:
            try:
                ticket = self._bells.popleft()
            except IndexError:
                return
            try:
                ticket.wake()
            except RuntimeError:
                # Its event loop was closed: nobody will come for the permits.
                self._inbox.append(partial(self._withdraw, ticket))

    def _arrive(self, ticket: Ticket) -> None:
        if ticket.state == NEW:
            self.ledger.arrive(ticket, self._now_s)

    def _withdraw(self, ticket: Ticket) -> None:
        if ticket.state == WAITING:
            self.ledger.withdraw(ticket, self._now_s)
        elif ticket.state == GRANTED:
            ticket.state = GONE
            for permit in ticket.permits:
                permit.owner = 0
            self.free.extend(ticket.permits)

    def _resize(self, capacity: int) -> None:
        self._bells.extend(self.ledger.resize(capacity, self._now_s))


BUDGET = Budget()
"""The budget of this process, which all of ``graceful`` borrows from."""
