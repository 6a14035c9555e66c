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
- *Nobody ever blocks on a lock.* What needs the ledger is posted to an ``inbox``.
"""

from __future__ import annotations

from functools import partial
from operator import attrgetter
from time import monotonic

from fsworkers.graceful import capacity as measuring
from fsworkers.graceful import owners
from fsworkers.graceful.deadlock import StallClock
from fsworkers.graceful.errors import BudgetTooSmall
from fsworkers.graceful.inbox import Inbox
from fsworkers.graceful.ledger import GONE, GRANTED, NEW, WAITING, Ledger, Place, Ticket
from fsworkers.graceful.permits import Nowhere, Permit
from fsworkers.graceful.sparing import Sparing
from fsworkers.graceful.watch import Watch, backoff_s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from fsworkers.graceful.permits import Lent


DEADLOCK_AFTER_S = 30.0
"""How long nothing must have moved before one who waits is ended, unless told otherwise."""

LONGEST_PAUSE_S = 10.0
"""Between two looks for garbage, or at what others have, that were of no use."""

AFTER_FORK = -1
"""Instead of the limit that was measured, until it is measured again in the child."""

FIRST_S = 0.001
"""What the first measure takes, as far as it decides when the next one is due."""


_owner_of = attrgetter("owner")


class Counter(Inbox):
    """The permits of a budget, and the line before them.

    Attributes:
        free: Permits that are not lent. For permits and takers alone.
        calm: Nobody waits and no permit has to be retired. For permits and takers alone.
        quick: ``calm``, and no reservation or trace that a taker would have to look after.
        pots: One entry for each reservation in force.
        draw: Finds the caller's reservation, once there was one.
        is_tracing: Whether permits note where they were taken.
        wait_s: Longest wait of an operation in seconds; ``None`` waits for ever.
        deadlock_after_s: How long nothing must have moved before a line whose holders all wait is
            ended; ``None`` for never.
    """

    __slots__ = (
        "__weakref__",
        "_all",
        "_bells",
        "_collecting",
        "_ledger",
        "_limit",
        "_made",
        "_measuring",
        "_most",
        "_now_s",
        "_peak",
        "_reserve",
        "_returns",
        "_stall",
        "_watch",
        "calm",
        "deadlock_after_s",
        "draw",
        "free",
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
        deadlock_after_s: float | None = DEADLOCK_AFTER_S,
    ) -> None:
        super().__init__()
        self.free: list[Permit] = []
        self.calm = False
        self.quick = False
        self.pots: list[None] = []
        self.is_tracing = False
        self.draw: Callable[[Any], Lent | None] | None = None
        self.wait_s = wait_s
        self.deadlock_after_s = deadlock_after_s
        self._reserve = reserve
        self._most = capacity
        self._limit = 0
        self._made = 0
        self._peak = 0
        self._now_s = 0.0
        self._bells: dict[int, Ticket] = {}
        self._ledger: Ledger | None = None
        self._all: dict[int, Permit] = {}
        self._returns = 0
        self._stall = StallClock()
        self._collecting = Sparing(LONGEST_PAUSE_S)
        self._measuring = Sparing(LONGEST_PAUSE_S)
        self._watch = Watch(self)

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
            if ceiling is None or self._limit == AFTER_FORK:
                measured = measuring.measure(self._reserve)
                to_lend = measuring.to_begin_with(measured)
                self._limit = measured.limit
                self._measuring.note(monotonic(), FIRST_S, was_of_use=False)
                ceiling = to_lend if ceiling is None else min(ceiling, to_lend)
            made = Ledger(ceiling)
            # Threads that come first together measure together; one step, no call: the first wins.
            if self._ledger is None:
                self._ledger = made
        return self._ledger

    def take_now(self) -> Permit | None:
        """Lend one descriptor if there is no wait, reservation or tracing to look after."""
        if self.quick:
            try:
                permit = self.free.pop()
            except IndexError:
                return None
            permit.owner = owners.identify()
            return permit
        return None

    def post(self, ticket: Ticket, *, waits: bool = True) -> None:
        """Put a ticket in the line, unless ``waits`` is false and it would have to wait.

        It may be served before this returns.
        """
        ledger = self.ledger
        is_interrupting = self._is_interrupting()
        if not is_interrupting:
            self.follow_limit()
        if ticket.count > ledger.ceiling:
            if not is_interrupting:
                self.measure_again()
            if ticket.count > ledger.ceiling:
                raise ledger.too_small(ticket)
        if is_interrupting:
            # A signal handler or finalizer interrupted our own bookkeeping on this very thread: it
            # cannot wait for what it interrupted, so it is served out of the reserve.
            ticket.permits = [self._make(ticket.owner) for _ in range(ticket.count)]
            ticket.state = GRANTED
            self._dirty = True
            return
        self._submit(partial(self._arrive if waits else self._come_by, ticket))

    def post_refused(
        self, ticket: Ticket, permits: list[Permit], place: Place, *, machine_wide: bool
    ) -> None:
        """Return permits that the kernel did not honour, and put a ticket before all others."""
        self.follow_limit()
        self._submit(partial(self._refuse, ticket, permits, place, machine_wide))

    def post_shrink(self, *, machine_wide: bool) -> None:
        """Lend half as many for a while."""
        self._submit(partial(self._shrink, machine_wide))

    def abandon(self, ticket: Ticket) -> None:
        """Give up a ticket in whatever state: what it was lent goes back, the next is woken."""
        self._submit(partial(self._withdraw, ticket))

    def look(self, turn: int) -> float | None:  # noqa: ARG002 - for those who look
        """Look after the line once; seconds until the next look, ``None`` when nobody waits.

        A bare counter has nothing to look after: see ``upkeep``.
        """
        return None

    def follow_limit(self) -> None:
        """Measure anew if the limit has changed: see ``upkeep``."""

    def measure_again(self) -> None:
        """Measure anew, whether or not the limit has changed: see ``upkeep``."""

    def collect(self) -> None:
        """Look at what came back to ``free`` and serve the line with it."""
        self._returns += 1
        self._pump_again()

    def recount(self) -> None:
        """Bring the capacity up to date: time raises it after pressure."""
        self._pump_again()

    def add_pot(self) -> None:
        """Note a reservation: from now on takers must look for one of theirs."""
        self.pots.append(None)
        self.quick = False
        self._pump_again()

    def end_pot(self) -> None:
        """Note that a reservation ended."""
        self.pots.pop()
        self._pump_again()

    def start_over(self) -> None:
        """After a fork, in the child: begin anew, with what the limit leaves now.

        The files it inherited count as others'. Who waited was a thread of the parent and is not
        here; nor is the watch.
        """
        self._begin_anew()
        self._bells.clear()
        self._watch = Watch(self)
        self._stall = StallClock()
        self.calm = self.quick = False
        for permit in self._all.values():
            permit.budget = Nowhere
        self._all.clear()
        self.free = []
        self._made = self._peak = 0
        self._limit = AFTER_FORK if self._limit else 0
        self._ledger = None

    def _submit(self, command: Callable[[], object]) -> None:
        self.ledger  # noqa: B018 - measured before the lock is taken, as it may fail
        self._post(command)

    def _work(self) -> None:
        self.calm = self.quick = False
        self._now_s = monotonic()
        ledger = self.ledger
        # First of all: the time that has passed is to count before those who come now.
        ledger.recover(self.lent, self._now_s)
        self._run_commands()
        self._serve()
        free = self.free
        most = ledger.capacity + ledger.loan
        while self._made > most and free:
            del self._all[id(free.pop())]
            self._made -= 1
        if ledger.waiting:
            if not self._watch.is_running:
                self._watch.begin()
        elif self._made <= ledger.capacity:
            self.calm = True
            self.quick = not self.is_tracing
            if self.pots:  # looked at last: whoever adds one meanwhile says so afterwards
                self.quick = False

    def standing(self, owner: int) -> dict[str, Any]:
        """What a ticket says of its owner: how much it holds, and whether that makes it a holder.

        So does what the one holds that started it, which may wait for it.
        """
        everybody = list(map(_owner_of, tuple(self._all.values())))
        held, starter = everybody.count(owner), owners.started_by.get()
        return {"held": held, "is_holder": held > 0 or (starter != 0 and starter in everybody)}

    @property
    def _extra(self) -> int:
        """Half of the reserve, which a holder that waits may have; none where none was measured."""
        if self._limit <= 0:
            return 0
        reserve = self._reserve
        return max(1, (measuring.default_reserve(self._limit) if reserve is None else reserve) // 2)

    def _serve(self) -> None:
        ledger = self.ledger
        ledger.extra = self._extra
        if ledger.privileged:
            held = tuple(map(_owner_of, tuple(self._all.values())))
            ledger.review_privilege(held.count(ledger.privileged), self._now_s)
        while (head := ledger.next_grant(self.lent, self._now_s)) is not None:
            # It has some already if an interrupt struck before it was granted.
            permits = head.permits or self._gather(head.count, head.owner)
            if len(permits) < head.count:
                # Someone who found it calm a moment ago was faster; what they took comes back.
                self.free.extend(permits)
                return
            head.permits = permits
            # Noted first: an interrupt in between must not leave it served and asleep.
            self._bells[id(head)] = head
            ledger.grant(head, self._now_s)

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
        self._all[id(permit)] = permit
        self._made += 1
        self._peak = max(self._peak, self._made)
        return permit

    def _ring(self) -> None:
        # A ticket leaves only after it was woken: if Ctrl-C strikes in between, the next to come
        # by, at the latest the watch, wakes it again.
        for ticket in tuple(self._bells.values()):
            if ticket.state == WAITING:
                continue
            is_there = ticket.wake()
            self._bells.pop(id(ticket), None)
            if is_there is False:
                # Its event loop was closed: nobody will come for the permits.
                self._inbox.append(partial(self._withdraw, ticket))

    def _arrive(self, ticket: Ticket) -> None:
        if ticket.state != NEW:
            return
        try:
            self.ledger.arrive(ticket, self._now_s)
        except BudgetTooSmall as error:
            # The budget has shrunk since it was asked for.
            ticket.error = error
            self._bells[id(ticket)] = ticket

    def _come_by(self, ticket: Ticket) -> None:
        """Arrive, and leave at once if it is not served."""
        self._arrive(ticket)
        self._serve()
        self.ledger.withdraw(ticket, self._now_s)

    def _withdraw(self, ticket: Ticket) -> None:
        if ticket.state == WAITING:
            self.ledger.withdraw(ticket, self._now_s)
        ticket.state = GONE
        given, ticket.permits = ticket.permits, []
        for permit in given:
            permit.owner = 0
        self.free.extend(given)

    def _refuse(
        self, ticket: Ticket, permits: list[Permit], place: Place, machine_wide: bool
    ) -> None:
        if ticket.state != NEW:
            return
        given, permits[:] = [*permits], []  # once, however often this is interrupted
        for permit in given:
            permit.owner = 0
        self.free.extend(given)
        ticket.order = place.order
        ledger = self.ledger
        ledger.refuse(
            ticket,
            self.lent,
            self._now_s,
            pause_s=backoff_s(ledger.streak + 1, machine_wide=machine_wide),
            machine_wide=machine_wide,
        )
        place.order = ticket.order
        self._watch.hurry()

    def _shrink(self, machine_wide: bool) -> None:
        pause_s = backoff_s(1, machine_wide=machine_wide)
        self.ledger.shrink(self.lent, self._now_s, pause_s=pause_s, machine_wide=machine_wide)

    def _resize(self, capacity: int) -> None:
        for ticket in self.ledger.resize(capacity, self._now_s):
            self._bells[id(ticket)] = ticket
