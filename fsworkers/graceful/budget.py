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

import os
import sys
from collections import deque
from functools import partial
from threading import Lock, get_ident
from time import monotonic
from weakref import WeakSet

from fsworkers.graceful import capacity as measuring
from fsworkers.graceful import holding, owners, table
from fsworkers.graceful.errors import BudgetTimeout, BudgetTooSmall, DescriptorDeadlock
from fsworkers.graceful.holding import Stall
from fsworkers.graceful.ledger import GONE, GRANTED, NEW, WAITING, Ledger, Ticket
from fsworkers.graceful.records import Holder, Statistics
from fsworkers.graceful.watch import GROW_S, LOOK_S, Watch, backoff_s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Lent(Protocol):
        """What was lent and can be given back: a permit, or one drawn from a reservation."""

        def give_back(self) -> None:
            """Return it, exactly once."""

        def real(self) -> Permit:
            """The permit itself."""

_BUDGETS: WeakSet[Budget] = WeakSet()


class Permit:
    """The right to one open descriptor, lent until ``give_back``.

    Attributes:
        budget: Where it belongs.
        owner: Who holds it: a thread's ident, a task's (negative) number, or 0 when it is free.
        trace: Where it was taken, while tracing is on.
    """

    __slots__ = ("budget", "owner", "trace")

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.owner = 0
        self.trace: tuple[str, ...] = ()

    def give_back(self) -> None:
        """Return it, exactly once. Never blocks, so finalizers and signal handlers may."""
        self.owner = 0
        budget = self.budget
        budget.free.append(self)
        if not budget.calm:
            budget.collect()

    def real(self) -> Permit:
        """The permit itself: see ``Lent``."""
        return self


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
        "_all",
        "_bells",
        "_dirty",
        "_inbox",
        "_ledger",
        "_limit",
        "_lock",
        "_made",
        "_most",
        "_next_try_s",
        "_now_s",
        "_peak",
        "_pumping",
        "_reserve",
        "_returns",
        "_stall",
        "_watch",
        "calm",
        "free",
        "draw",
        "is_tracing",
        "pots",
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
        self.pots = 0
        self.is_tracing = False
        self.draw: Callable[[Budget], Lent | None] | None = None
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
        self._all: set[Permit] = set()
        self._returns = 0
        self._stall = Stall()
        self._next_try_s = 0.0
        self._watch = Watch(self)
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

    def take_now(self) -> Permit | None:
        """Lend one descriptor if that takes no wait, no reservation and no tracing to look after."""
        if self.quick:
            try:
                permit = self.free.pop()
            except IndexError:
                return None
            permit.owner = owners.identify()
            return permit
        return None

    def take(self, label: object = None, *, wait_s: float | None = None) -> Lent:
        """Lend one descriptor, waiting in arrival order on this thread until one is free.

        Args:
            label: What it is for, as errors show it.
            wait_s: Longest wait in seconds; ``None`` for the budget's own.

        Raises:
            BudgetTimeout: It was not free within the longest wait; nothing was lent.
            DescriptorDeadlock: Everyone who holds descriptors waits for more.
            TooFewDescriptors: First use, and the limit leaves less than the minimum.
        """
        drawn = self.draw(self) if self.pots and self.draw is not None else None
        return drawn or self.take_now() or self.take_many(1, label, wait_s=wait_s)[0]

    def take_many(
        self, count: int, label: object = None, *, wait_s: float | None = None
    ) -> list[Permit]:
        """Lend several descriptors at once, all or none, waiting on this thread.

        Raises:
            BudgetTooSmall: More than will ever be lent.
            BudgetTimeout: As ``take``.
            DescriptorDeadlock: As ``take``.
        """
        ticket, bell = self._ticket(count, label)
        self.post(ticket)
        return self.stamp(self._wait(ticket, bell, wait_s))

    def take_again(
        self,
        permits: list[Permit],
        label: object,
        *,
        wait_s: float | None,
        machine_wide: bool,
    ) -> list[Permit]:
        """Return permits that the kernel did not honour, and wait before all others for new ones.

        Raises:
            BudgetTimeout: As ``take``; nothing is lent then.
            DescriptorDeadlock: As ``take``.
        """
        ticket, bell = self._ticket(len(permits), label)
        self.post_refused(ticket, permits, machine_wide=machine_wide)
        return self.stamp(self._wait(ticket, bell, wait_s))

    def settled(self) -> None:
        """Note that the kernel honours permits again."""
        self.ledger.streak = 0

    def _ticket(self, count: int, label: object) -> tuple[Ticket, Lock]:
        bell = Lock()
        bell.acquire()
        return Ticket(count, owners.identify(), label, bell.release, blocks=get_ident()), bell

    def stamp(self, permits: list[Permit]) -> list[Permit]:
        """Note on permits where they were taken, if tracing is on."""
        trace = calls() if self.is_tracing else ()
        for permit in permits:
            permit.trace = trace
        return permits

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

    def post_refused(
        self, ticket: Ticket, permits: list[Permit], *, machine_wide: bool
    ) -> None:
        """Return permits that the kernel did not honour, and put a ticket before all others."""
        self._submit(partial(self._refuse, ticket, permits, machine_wide))

    def _wait(self, ticket: Ticket, bell: Lock, wait_s: float | None) -> list[Permit]:
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
        return BudgetTimeout(ticket.label, waited_s, self.ledger.ceiling, self._largest_holders())

    def abandon(self, ticket: Ticket) -> None:
        """Give up a ticket in whatever state: what it was lent goes back, the next is woken."""
        self._submit(partial(self._withdraw, ticket))

    def collect(self) -> None:
        """Look at what came back to ``free`` and serve the line with it."""
        self._returns += 1
        self._dirty = True
        self._pump()

    def trace(self, *, on: bool) -> None:
        """Note with each permit where it is taken; costs some microseconds an open while on."""
        self.is_tracing = on
        self.collect()

    def count_pots(self, change: int) -> None:
        """Note that reservations were made or ended: takers must look for one of theirs."""
        self._submit(partial(self._count_pots, change))

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
            capacity=ledger.capacity + ledger.loan,
            lent=self.lent,
            waiting=ledger.waiting,
            peak=self._peak,
            waits=ledger.waits,
            waited_s=ledger.waited_s,
            refused=ledger.refused,
            refused_machine=ledger.refused_machine,
            deadlocks=ledger.deadlocks,
            rescued=ledger.rescued,
        )

    def held(self) -> dict[int, int]:
        """Descriptors lent now, by owner."""
        counts: dict[int, int] = {}
        for permit in tuple(self._all):
            if permit.owner:
                counts[permit.owner] = counts.get(permit.owner, 0) + 1
        return counts

    def holders(self) -> tuple[Holder, ...]:
        """Who holds descriptors, the largest first; with tracing on, where each was taken."""
        traces: dict[int, list[tuple[str, ...]]] = {}
        for permit in tuple(self._all):
            if permit.owner:
                traces.setdefault(permit.owner, []).append(permit.trace)
        found = [
            Holder(
                name=owners.describe(owner),
                count=len(taken),
                traces=tuple(trace for trace in taken if trace),
            )
            for owner, taken in traces.items()
        ]
        return tuple(sorted(found, key=lambda holder: -holder.count))

    def look(self) -> float | None:
        """Look after the line once, on the watch's thread.

        Returns:
            Seconds until the next look; ``None`` when nobody waits any more.
        """
        self._follow_limit()
        table.sweep()
        answer: list[float | None] = []
        self._submit(partial(self._look, answer))
        return answer[0] if answer else GROW_S

    def hold_still(self) -> None:
        """Before a fork: wait until nobody is at the ledger."""
        self._lock.acquire()

    def go_on(self) -> None:
        """After a fork, in the parent."""
        self._lock.release()
        self._pump()

    def start_over(self) -> None:
        """After a fork, in the child.

        The files it inherited are open in it too and stay lent. Who waited was a thread of the
        parent and is not here; nor is the watch.
        """
        self._lock = Lock()
        self._inbox.clear()
        self._bells.clear()
        self._watch = Watch(self)
        self._stall = Stall()
        if self._ledger is not None:
            self._ledger = Ledger(self._ledger.ceiling)
            self._peak = self.lent
            self._dirty = True
            self._pump()

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
                starts_watch = self._work()
            finally:
                self._pumping = 0
                self._lock.release()
            self._ring()
            if starts_watch:
                self._watch.start()

    def _work(self) -> bool:
        self.calm = self.quick = False
        self._dirty = False
        self._now_s = monotonic()
        while self._inbox:
            self._inbox[0]()
            self._inbox.popleft()
        self._serve()
        ledger = self.ledger
        free = self.free
        most = ledger.capacity + ledger.loan
        while self._made > most and free:
            self._all.discard(free.pop())
            self._made -= 1
        if ledger.waiting:
            if not self._watch.running:
                self._watch.running = True
                return True
        elif self._made <= ledger.capacity:
            self.calm = True
            self.quick = not self.pots and not self.is_tracing
        return False

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
                if self._made >= self.ledger.capacity + self.ledger.loan:
                    break
                permit = self._make(owner)
            permit.owner = owner
            permits.append(permit)
        return permits

    def _count_pots(self, change: int) -> None:
        self.pots += change

    def _refuse(self, ticket: Ticket, permits: list[Permit], machine_wide: bool) -> None:
        if ticket.state != NEW:
            return
        for permit in permits:
            permit.owner = 0
        self.free.extend(permits)
        self.ledger.refuse(ticket, self.lent, self._now_s, machine_wide=machine_wide)
        pause_s = backoff_s(self.ledger.streak, machine_wide=machine_wide)
        self._next_try_s = self._now_s + pause_s
        self._watch.hurry()

    def _follow_limit(self) -> None:
        if self._limit and measuring.soft_limit() != self._limit:
            measured = measuring.measure(self._reserve)
            self._limit = measured.limit
            ceiling = max(1, measured.free + self.lent)
            if self._most is not None:
                ceiling = min(ceiling, self._most)
            self._submit(partial(self._resize, ceiling))

    def _look(self, answer: list[float | None]) -> None:
        if answer:
            return  # interrupted and begun again
        ledger = self.ledger
        if ledger.head() is None:
            self._watch.running = False
            answer.append(None)
            return
        wait_s = LOOK_S
        if ledger.capacity < ledger.ceiling:
            if self._now_s >= self._next_try_s:
                ledger.grow(self.lent)
                self._next_try_s = self._now_s + GROW_S
            wait_s = max(0.001, min(LOOK_S, self._next_try_s - self._now_s))
        if self._unstick(ledger):
            wait_s = min(wait_s, Stall.AGAIN_S)
        answer.append(wait_s)

    def _unstick(self, ledger: Ledger) -> bool:
        """End a deadlock of holders that wait for one another, one step at a time."""
        waiting = ledger.in_line()
        held = self.held()
        lent = self.lent
        blocked = holding.blocked_owners(waiting, held, owners.thread_of, owners.awaits)
        if not holding.is_stuck(waiting, held, blocked, ledger.capacity + ledger.loan - lent):
            self._stall.clear()
            return False
        if not self._stall.is_confirmed((ledger.served, self._returns), self._now_s):
            return True
        loan = lent + waiting[0].count - ledger.capacity
        # A reserve that the kernel itself does not honour any more is no help.
        if loan <= self._reserve_to_lend() and not ledger.streak:
            ledger.rescue(lent)
            return True
        loser = holding.victim(waiting, held, owners.thread_of)
        if loser is not None:
            error = DescriptorDeadlock(
                loser.label,
                ledger.capacity,
                self._largest_holders(),
                [f"{owners.describe(ticket.owner)} for {ticket.count}" for ticket in waiting[:8]],
            )
            ledger.deadlocks += 1
            ledger.fail(loser, error, self._now_s)
            self._bells.append(loser)
        return True

    def _reserve_to_lend(self) -> int:
        """How much of the reserve may end a deadlock: half; nothing where none was measured."""
        return max(1, self.reserve // 2) if self._limit else 0

    def _largest_holders(self) -> list[str]:
        return [str(holder) for holder in self.holders()[:5]]

    def _gather(self, count: int, owner: int) -> list[Permit]:
        permits: list[Permit] = []
        while len(permits) < count:
            try:
                permit = self.free.pop()
            except IndexError:
                if self._made >= self.ledger.capacity + self.ledger.loan:
                    break
                permit = self._make(owner)
            permit.owner = owner
            permits.append(permit)
        return permits

    def _make(self, owner: int) -> Permit:
        permit = Permit(self)
        permit.owner = owner
        self._all.add(permit)
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


def calls(depth: int = 8) -> tuple[str, ...]:
    """The innermost calls outside of this layer, as ``file:line function``."""
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to look without formatting
    found: list[str] = []
    while frame is not None and len(found) < depth:
        code = frame.f_code
        if not code.co_filename.startswith(_OWN_FILES):
            found.append(f"{code.co_filename}:{frame.f_lineno} {code.co_qualname}")
        frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
    return tuple(found)


_OWN_FILES = os.path.dirname(__file__)


def _before_fork() -> None:
    for budget in _BUDGETS:
        budget.hold_still()


def _after_fork_in_parent() -> None:
    for budget in _BUDGETS:
        budget.go_on()


def _after_fork_in_child() -> None:
    for budget in _BUDGETS:
        budget.start_over()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)

BUDGET = Budget()
"""The budget of this process, which all of ``graceful`` borrows from."""
