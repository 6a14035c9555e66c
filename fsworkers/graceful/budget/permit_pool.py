"""The descriptor budget: permits, and one line for threads and event loops alike.

This is the shell around ``line``: it moves permits, wakes those who are served and never decides
who is next. Three rules make it fast and safe to use from anywhere, a finalizer or a signal handler
included:

- *A permit is an object.* ``free`` holds those that are not lent. While nobody waits
  (``no_waiters``), taking one is ``free.pop()`` and giving it back is ``free.append()``: each a
  single step that no other thread can split, and no lock. Permits are made one at a time, only when
  all that exist are lent, so their number is the peak.
- *Whoever begins to wait first unsets* ``no_waiters``, *then looks at* ``free``; *whoever gives
  back first appends, then looks at* ``no_waiters``. Whichever comes first, one of the two sees the
  other.
- *Nobody ever blocks on a lock.* What needs the line is posted to an ``inbox``.
"""

from __future__ import annotations

from functools import partial
from operator import attrgetter
from time import monotonic

from fsworkers.graceful.budget import limit as measuring
from fsworkers.graceful.budget import owners
from fsworkers.graceful.budget.command_queue import Inbox
from fsworkers.graceful.budget.deadlock import StallClock
from fsworkers.graceful.budget.line import GONE, GRANTED, NEW, WAITING, Line, QueuePosition, Waiter
from fsworkers.graceful.budget.permits import Nowhere, Permit
from fsworkers.graceful.budget.throttle import Throttle
from fsworkers.graceful.budget.watchdog import Watchdog, backoff_s
from fsworkers.graceful.errors import BudgetTooSmall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from fsworkers.graceful.budget.permits import HeldPermit


DEADLOCK_AFTER_S = 30.0
"""How long nothing must have moved before one who waits is ended, unless told otherwise."""

LONGEST_PAUSE_S = 10.0
"""Between two looks for garbage, or at what others have, that were of no use."""

AFTER_FORK = -1
"""Instead of the limit that was measured, until it is measured again in the child."""

FIRST_S = 0.001
"""What the first measure takes, as far as it decides when the next one is due."""


_owner_of = attrgetter("owner")


class PermitPool(Inbox):
    """The permits of a budget, and the line before them.

    Attributes:
        free: Permits that are not lent. For permits and takers alone.
        no_waiters: Nobody waits and no permit has to be retired. For permits and takers alone.
        fast_path: ``no_waiters``, and no reservation or trace that a taker has to look after.
        reservations: One entry for each reservation in force.
        take_reserved: Finds the caller's reservation, once there was one.
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
        "_limit",
        "_line",
        "_made",
        "_measuring",
        "_most",
        "_now_s",
        "_peak",
        "_reserve",
        "_returns",
        "_stall",
        "_watch",
        "deadlock_after_s",
        "fast_path",
        "free",
        "is_tracing",
        "no_waiters",
        "reservations",
        "take_reserved",
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
        self.no_waiters = False
        self.fast_path = False
        self.reservations: list[None] = []
        self.is_tracing = False
        self.take_reserved: Callable[[Any], HeldPermit | None] | None = None
        self.wait_s = wait_s
        self.deadlock_after_s = deadlock_after_s
        self._reserve = reserve
        self._most = capacity
        self._limit = 0
        self._made = 0
        self._peak = 0
        self._now_s = 0.0
        self._bells: dict[int, Waiter] = {}
        self._line: Line | None = None
        self._all: dict[int, Permit] = {}
        self._returns = 0
        self._stall = StallClock()
        self._collecting = Throttle(LONGEST_PAUSE_S)
        self._measuring = Throttle(LONGEST_PAUSE_S)
        self._watch = Watchdog(self)

    @property
    def lent(self) -> int:
        """Descriptors lent at this moment."""
        return max(0, self._made - len(self.free))

    @property
    def line(self) -> Line:
        """The line and the capacity, measured now if they were not yet.

        Raises:
            TooFewDescriptors: The limit leaves less than the minimum.
        """
        if self._line is None:
            ceiling = self._most
            if ceiling is None or self._limit == AFTER_FORK:
                measured = measuring.measure(self._reserve)
                to_lend = measuring.to_begin_with(measured)
                self._limit = measured.limit
                self._measuring.note(monotonic(), FIRST_S, was_of_use=False)
                ceiling = to_lend if ceiling is None else min(ceiling, to_lend)
            made = Line(ceiling)
            # Threads that come first together measure together; one step, no call: the first wins.
            if self._line is None:
                self._line = made
        return self._line

    def take_now(self) -> Permit | None:
        """Lend one descriptor if there is no wait, reservation or tracing to look after."""
        if self.fast_path:
            try:
                permit = self.free.pop()
            except IndexError:
                return None
            permit.owner = owners.identify()
            return permit
        return None

    def post(self, waiter: Waiter, *, waits: bool = True) -> None:
        """Put a waiter in the line, unless ``waits`` is false and it would have to wait.

        It may be served before this returns.
        """
        line = self.line
        is_interrupting = self._is_interrupting()
        if not is_interrupting:
            self.follow_limit()
        if waiter.count > line.ceiling:
            if not is_interrupting:
                self.measure_again()
            if waiter.count > line.ceiling:
                raise line.too_small(waiter)
        if is_interrupting:
            # A signal handler or finalizer interrupted our own bookkeeping on this very thread: it
            # cannot wait for what it interrupted, so it is served out of the reserve.
            waiter.permits = [self._make(waiter.owner) for _ in range(waiter.count)]
            waiter.state = GRANTED
            self._dirty = True
            return
        self._submit(partial(self._arrive if waits else self._come_by, waiter))

    def post_refused(
        self, waiter: Waiter, permits: list[Permit], place: QueuePosition, *, machine_wide: bool
    ) -> None:
        """Return permits that the kernel did not honour, and put a waiter before all others."""
        self.follow_limit()
        self._submit(partial(self._refuse, waiter, permits, place, machine_wide))

    def post_shrink(self, *, machine_wide: bool) -> None:
        """Lend half as many for a while."""
        self._submit(partial(self._shrink, machine_wide))

    def abandon(self, waiter: Waiter) -> None:
        """Give up a waiter in whatever state: what it was lent goes back, the next is woken."""
        self._submit(partial(self._withdraw, waiter))

    def tick(self, turn: int) -> float | None:  # noqa: ARG002 - for those who look
        """Look after the line once; seconds until the next look, ``None`` when nobody waits.

        A bare counter has nothing to look after: see ``upkeep``.
        """
        return None

    def follow_limit(self) -> None:
        """Measure anew if the limit has changed: see ``upkeep``."""

    def measure_again(self) -> None:
        """Measure anew, whether or not the limit has changed: see ``upkeep``."""

    def serve_returned(self) -> None:
        """Look at what came back to ``free`` and serve the line with it."""
        self._returns += 1
        self._pump_again()

    def grow_now(self) -> None:
        """Bring the capacity up to date: time raises it after pressure."""
        self._pump_again()

    def add_reservation(self) -> None:
        """Note a reservation: from now on takers must look for one of theirs."""
        self.reservations.append(None)
        self.fast_path = False
        self._pump_again()

    def end_reservation(self) -> None:
        """Note that a reservation ended."""
        self.reservations.pop()
        self._pump_again()

    def after_fork_child(self) -> None:
        """After a fork, in the child: begin anew, with what the limit leaves now.

        The files it inherited count as others'. Who waited was a thread of the parent and is not
        here; nor is the watch.
        """
        self._begin_anew()
        self._bells.clear()
        self._watch = Watchdog(self)
        self._stall = StallClock()
        self.no_waiters = self.fast_path = False
        for permit in self._all.values():
            permit.budget = Nowhere
        self._all.clear()
        self.free = []
        self._made = self._peak = 0
        self._limit = AFTER_FORK if self._limit else 0
        self._line = None

    def _submit(self, command: Callable[[], object]) -> None:
        self.line  # noqa: B018 - measured before the lock is taken, as it may fail
        self._post(command)

    def _work(self) -> None:
        self.no_waiters = self.fast_path = False
        self._now_s = monotonic()
        line = self.line
        # First of all: the time that has passed is to count before those who come now.
        line.recover(self.lent, self._now_s)
        self._run_commands()
        self._serve()
        free = self.free
        most = line.capacity + line.lent_from_reserve
        while self._made > most and free:
            del self._all[id(free.pop())]
            self._made -= 1
        if line.waiting:
            if not self._watch.is_running:
                self._watch.begin()
        elif self._made <= line.capacity:
            self.no_waiters = True
            self.fast_path = not self.is_tracing
            if self.reservations:  # looked at last: whoever adds one meanwhile says so afterwards
                self.fast_path = False

    def standing(self, owner: int) -> dict[str, Any]:
        """What a waiter says of its owner: how much it holds, and whether that makes it a holder.

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
        line = self.line
        line.extra = self._extra
        if line.privileged:
            held = tuple(map(_owner_of, tuple(self._all.values())))
            line.review_privilege(held.count(line.privileged), self._now_s)
        while (head := line.next_grant(self.lent, self._now_s)) is not None:
            # It has some already if an interrupt struck before it was granted.
            permits = head.permits or self._gather(head.count, head.owner)
            if len(permits) < head.count:
                # Someone who saw nobody wait a moment ago was faster; what they took comes back.
                self.free.extend(permits)
                return
            head.permits = permits
            # Noted first: an interrupt in between must not leave it served and asleep.
            self._bells[id(head)] = head
            line.grant(head, self._now_s)

    def _gather(self, count: int, owner: int) -> list[Permit]:
        permits: list[Permit] = []
        while len(permits) < count:
            try:
                permit = self.free.pop()
            except IndexError:
                if self._made >= self.line.capacity + self.line.lent_from_reserve:
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

    def _wake_served(self) -> None:
        # A waiter leaves only after it was woken: if Ctrl-C strikes in between, the next to come
        # by, at the latest the watch, wakes it again.
        for waiter in tuple(self._bells.values()):
            if waiter.state == WAITING:
                continue
            is_there = waiter.wake()
            self._bells.pop(id(waiter), None)
            if is_there is False:
                # Its event loop was closed: nobody will come for the permits.
                self._inbox.append(partial(self._withdraw, waiter))

    def _arrive(self, waiter: Waiter) -> None:
        if waiter.state != NEW:
            return
        try:
            self.line.arrive(waiter, self._now_s)
        except BudgetTooSmall as error:
            # The budget has shrunk since it was asked for.
            waiter.error = error
            self._bells[id(waiter)] = waiter

    def _come_by(self, waiter: Waiter) -> None:
        """Arrive, and leave at once if it is not served."""
        self._arrive(waiter)
        self._serve()
        self.line.withdraw(waiter, self._now_s)

    def _withdraw(self, waiter: Waiter) -> None:
        if waiter.state == WAITING:
            self.line.withdraw(waiter, self._now_s)
        waiter.state = GONE
        given, waiter.permits = waiter.permits, []
        for permit in given:
            permit.owner = 0
        self.free.extend(given)

    def _refuse(
        self, waiter: Waiter, permits: list[Permit], place: QueuePosition, machine_wide: bool
    ) -> None:
        if waiter.state != NEW:
            return
        given, permits[:] = [*permits], []  # once, however often this is interrupted
        for permit in given:
            permit.owner = 0
        self.free.extend(given)
        waiter.order = place.order
        line = self.line
        line.refuse(
            waiter,
            self.lent,
            self._now_s,
            pause_s=backoff_s(line.refusals_in_row + 1, machine_wide=machine_wide),
            machine_wide=machine_wide,
        )
        place.order = waiter.order
        self._watch.hurry()

    def _shrink(self, machine_wide: bool) -> None:
        pause_s = backoff_s(1, machine_wide=machine_wide)
        self.line.shrink(self.lent, self._now_s, pause_s=pause_s, machine_wide=machine_wide)

    def _resize(self, capacity: int) -> None:
        for waiter in self.line.resize(capacity, self._now_s):
            self._bells[id(waiter)] = waiter
