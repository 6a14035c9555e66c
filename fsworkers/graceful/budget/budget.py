"""The descriptor budget: permits, the line of those who wait for one, and a lock.

Most opens find a free permit and meet nobody. Three rules make that cheap and the rest right, with
threads, event loops and whatever may strike between two lines, a finalizer or a signal handler
included:

- *A permit is an object.* ``free`` holds those that are not lent. While nobody waits
  (``no_waiters``), taking one is ``free.pop()`` and giving it back is ``free.append()``: each a
  single step that no other thread can split, and no lock. Permits are made one at a time, only when
  all that exist are lent, so their number is the peak.
- *Whoever begins to wait first unsets* ``no_waiters``, *then looks at* ``free``; *whoever gives
  back first appends, then looks at* ``no_waiters``. Whichever comes first, one of the two sees the
  other.
- *Who takes may wait for the lock; who gives back never does.* Finding it taken, he says that there
  is something to do, and who has it looks again when he has let it go.
"""

from __future__ import annotations

from collections import deque
from errno import ENFILE
from functools import partial
from threading import RLock
from time import monotonic

from fsworkers.graceful.budget import (
    argument_checks,
    descriptor_table,
    fork_reset,
    owners,
    thread_wait,
)
from fsworkers.graceful.budget.limit import Limit
from fsworkers.graceful.budget.line import GONE, GRANTED, WAITING, Line, Request, Waiter
from fsworkers.graceful.budget.permits import Permit, Permits, calls
from fsworkers.graceful.budget.snapshots import Holder, Statistics
from fsworkers.graceful.budget.watchdog import Watchdog, backoff_s
from fsworkers.graceful.errors import BudgetTimeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from fsworkers.graceful.budget.permits import HeldPermit

    Result = TypeVar("Result")

DEADLOCK_AFTER_S = 30.0
"""How long nothing must have moved before one who waits is ended, unless told otherwise."""


class Budget:
    """How many descriptors may be open at once, lent first come, first served.

    Args:
        capacity: The most to lend; ``None`` measures what the limit leaves, at first use.
        reserve: Descriptors a measure keeps free; ``None`` for an eighth of the limit, 4 to 32.
        wait_s: Longest wait of an operation in seconds; ``None`` waits for ever.
        deadlock_after_s: After how long without any movement one who waits is ended, if all who
            hold descriptors wait as well; ``None`` for never.

    Attributes:
        permits: All there are.
        free: Those that are not lent. For permits and takers alone.
        no_waiters: Nobody waits and no permit has to be retired. For permits and takers alone.
        fast_path: ``no_waiters``, and no reservation or trace that a taker has to look after.
        reservations: One entry for each reservation in force.
        take_reserved: Finds the caller's reservation, once there was one.
        returns: How often somebody gave back while others waited.
        unwoken: Who was served or failed, and may not have been told yet.
    """

    __slots__ = (
        "__weakref__",
        "_abandoned",
        "_is_due",
        "_is_tracing",
        "_limit",
        "_line",
        "_lock",
        "_watchdog",
        "deadlock_after_s",
        "fast_path",
        "free",
        "no_waiters",
        "permits",
        "reservations",
        "returns",
        "take_reserved",
        "unwoken",
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
        most = argument_checks.count("capacity", capacity, least=1)
        self._limit = Limit(most, argument_checks.count("reserve", reserve, least=0))
        self.wait_s = argument_checks.seconds("wait_s", wait_s)
        self.deadlock_after_s = argument_checks.seconds("deadlock_after_s", deadlock_after_s)
        self.permits = Permits()
        self.free = self.permits.free
        self.reservations: list[None] = []
        self.take_reserved: Callable[[Any], HeldPermit | None] | None = None
        self._is_tracing = False
        self._line: Line | None = None
        self._begin()
        fork_reset.register(self)

    def _begin(self) -> None:
        self.no_waiters = self.fast_path = False
        self.returns = 0
        self.unwoken: dict[int, Waiter] = {}
        self._abandoned: deque[Waiter] = deque()
        self._is_due = False
        self._lock = RLock()
        self._watchdog = Watchdog(self)

    def __repr__(self) -> str:
        if self._line is None:
            return "<Budget not measured yet>"
        return f"<Budget {self.lent}/{self._line.capacity} lent, {self._line.waiting} waiting>"

    @property
    def lent(self) -> int:
        """Descriptors lent at this moment."""
        return self.permits.lent

    @property
    def line(self) -> Line:
        """The line and the capacity, measured now if they were not yet.

        Raises:
            TooFewDescriptors: The limit leaves less than the minimum.
        """
        if self._line is None:
            with self._lock:
                if self._line is None:
                    self._line = Line(self._limit.at_first_use())
        return self._line

    # Taking.

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

    def take(self, label: object = None, *, wait_s: float | None = None) -> HeldPermit:
        """Lend one descriptor, waiting in arrival order on this thread until one is free.

        Args:
            label: What it is for, as errors show it.
            wait_s: Longest wait in seconds; ``None`` for the budget's own.

        Raises:
            BudgetTimeout: It was not free within the longest wait; nothing was lent.
            DescriptorDeadlock: Everyone who holds descriptors waits for more.
            TooFewDescriptors: First use, and the limit leaves less than the minimum.
        """
        return self.take_now() or self.acquire(self.request(1, label, wait_s))[0]

    def take_many(
        self, count: int, label: object = None, *, wait_s: float | None = None
    ) -> list[Permit]:
        """Lend several descriptors at once, all or none, waiting on this thread.

        Raises:
            BudgetTooSmall: More than will ever be lent.
            BudgetTimeout: As ``take``.
            DescriptorDeadlock: As ``take``.
        """
        return thread_wait.stand_in_line(self, self.request(count, label, wait_s), self.enter)

    def take_if_free(self, label: object = None) -> HeldPermit | None:
        """Lend one descriptor to a newcomer, or ``None`` where that would be a wait.

        Raises:
            TooFewDescriptors: As ``take``.
        """
        at_once = self.take_now() or self._one_reserved()
        if at_once is not None:
            return at_once
        waiter = Waiter(self.request(1, label, lets_in=True), owners.identify(), lambda: None)
        try:
            self.enter(waiter)
            is_served = waiter.state == GRANTED  # looked at once: it may be served any moment
        except BaseException:
            self.abandon(waiter)
            raise
        if is_served:
            return self.outcome(waiter)[0]
        self.abandon(waiter)
        return None

    def request(
        self, count: int, label: object, wait_s: float | None = None, *, lets_in: bool = False
    ) -> Request:
        """What an operation wants that begins now; ``wait_s`` as in ``take``."""
        longest_s = self.wait_s if wait_s is None else argument_checks.seconds("wait_s", wait_s)
        return Request(count, label, monotonic(), longest_s, lets_in=lets_in)

    def acquire(self, request: Request) -> list[HeldPermit]:
        """Lend what is wanted, from a reservation that holds enough if any; errors as ``take``."""
        drawn = self._take_many_now(request.count) or self.draw_many(request.count)
        return drawn or [*thread_wait.stand_in_line(self, request, self.enter)]

    def acquire_again(
        self, request: Request, refused: list[HeldPermit], error: OSError
    ) -> list[HeldPermit]:
        """Return what the kernel did not honour, and wait before all others; errors as ``take``."""
        enter = partial(self.enter_refused, refused=refused, error=error)
        return [*thread_wait.stand_in_line(self, request, enter)]

    def _take_many_now(self, count: int) -> list[HeldPermit]:
        """So many at once where they are free and nobody waits, or none."""
        taken: list[HeldPermit] = []
        while len(taken) < count:
            one = self.take_now()
            if one is None:
                while taken:
                    taken.pop().give_back()
                break
            taken.append(one)
        return taken

    def draw_many(self, count: int) -> list[HeldPermit]:
        """So many from the reservation at hand, or none."""
        drawn: list[HeldPermit] = []
        while len(drawn) < count and (one := self._one_reserved()) is not None:
            drawn.append(one)
        if len(drawn) < count:
            while drawn:
                drawn.pop().give_back()
        return drawn

    def _one_reserved(self) -> HeldPermit | None:
        if self.reservations and self.take_reserved is not None:
            return self.take_reserved(self)
        return None

    # The line, for those who wait in a thread, a task, or a callback.

    def enter(self, waiter: Waiter) -> None:
        """Join the line; it may be served before this returns.

        Raises:
            BudgetTooSmall: It wants more than will ever be lent.
        """
        line = self.line
        if self._is_at_work() or self._watchdog.is_here():
            # It cannot wait for what it interrupted, so it is served out of the reserve.
            waiter.permits = [self.permits.make(self, waiter.owner) for _ in range(waiter.count)]
            waiter.state = GRANTED
            self._is_due = True
            return
        self.follow_limit()
        if waiter.count > line.ceiling:
            self.lend_more()
        self._note_standing(waiter)
        self.update(partial(line.arrive, waiter))

    def enter_refused(self, waiter: Waiter, *, refused: list[HeldPermit], error: OSError) -> None:
        """Return permits that the kernel did not honour, and join the line before all others."""
        permits = [one.real() for one in refused]
        if self._is_at_work() or self._watchdog.is_here():  # as above
            waiter.permits, waiter.state = permits, GRANTED
            return
        self.follow_limit()
        for permit in permits:
            permit.owner = 0  # what it holds no longer makes it a holder
        self._note_standing(waiter)

        def refuse(now_s: float) -> None:
            self.permits.take_back(permits)
            self._note_refusal(partial(self.line.refuse, waiter), now_s, error.errno)

        refused.clear()
        self.update(refuse)

    def _note_standing(self, waiter: Waiter) -> None:
        """Note how much a waiter's owner holds, and whether that makes it a holder.

        So does what the one holds that started it, which may wait for it.
        """
        if waiter.request.lets_in:
            return
        everybody, starter = self.permits.owners(), owners.started_by.get()
        waiter.held = everybody.count(waiter.owner)
        waiter.is_holder = waiter.held > 0 or (starter != 0 and starter in everybody)

    def outcome(self, waiter: Waiter) -> list[Permit]:
        """What became of a waiter whose wait is over: its permits, or an error."""
        if waiter.error is not None:
            raise waiter.error
        if waiter.state != GRANTED:
            self.abandon(waiter)
            waited_s = monotonic() - waiter.request.begun_s
            holders = self.largest_holders()
            raise BudgetTimeout(waiter.request.label, waited_s, self.line.ceiling, holders)
        trace = calls() if self._is_tracing else ()
        for permit in waiter.permits:
            permit.trace = trace
        return waiter.permits

    def abandon(self, waiter: Waiter) -> None:
        """Give a waiter up, in whatever state: what it was lent goes back. Never blocks."""
        self._abandoned.append(waiter)
        self._update_unless_locked()

    def add_reservation(self) -> None:
        """Note a reservation: from now on takers must look for one of theirs."""
        self.reservations.append(None)
        self.fast_path = False

    def end_reservation(self) -> None:
        """Note that a reservation ended. Never blocks."""
        if self.reservations:  # not in a child that was forked inside of it
            self.reservations.pop()
        self._update_unless_locked()

    @property
    def is_watched(self) -> bool:
        """Whether a thread looks after the line."""
        return self._watchdog.is_running

    def look(self) -> None:
        """Look after the line here and now, as nobody else does."""
        self._watchdog.look(self)

    def note_success(self) -> None:
        """Note that the kernel honours permits again."""
        self.line.refusals_in_row = 0

    def shrink(self, *, machine_wide: bool = False) -> None:
        """Lend half as many for a while: code that takes no permits was refused by the kernel.

        Whoever catches such an EMFILE (or ENFILE, which is ``machine_wide``) makes room in this way
        before trying again. The capacity grows back with time. A budget that was never used has
        nothing to make room with.
        """
        if self._line is not None:
            number = ENFILE if machine_wide else 0
            self.update(partial(self._note_refusal, self._line.shrink, number=number))

    # Settings and figures.

    def configure(
        self,
        most: int | None,
        reserve: int | None,
        wait_s: float | None,
        deadlock_after_s: float | None = DEADLOCK_AFTER_S,
    ) -> None:
        """Take new settings over, as ``graceful.configure`` describes them.

        Raises:
            TooFewDescriptors: The limit leaves less than the minimum; nothing was changed.
        """
        limit = Limit(most, reserve)
        with self._lock:
            ceiling = limit.begin(self.lent)
            if self._line is None:
                self._line = Line(ceiling)
            self._limit = limit
        self.wait_s = wait_s
        self.deadlock_after_s = deadlock_after_s
        self.update(partial(self._resize, ceiling))

    def resize(self, capacity: int) -> None:
        """Lend at most ``capacity`` from now on; what is lent beyond that is not taken away.

        A measured budget lends no more than the limit leaves, however much is asked for.
        """
        self._limit.most = argument_checks.number("capacity", capacity, least=1)
        self.update(partial(self._resize, self._limit.at_first_use(self.lent)))

    @property
    def reserve(self) -> int:
        """Descriptors that a measure keeps out of the budget."""
        return self._limit.reserve

    def follow_limit(self) -> None:
        """Lend what the soft limit leaves, if it is not what it was, or may leave more by now."""
        if self._limit.is_to_be_followed(self.line.ceiling):
            self.update(self._follow)

    def lend_more(self) -> bool:
        """Measure whether there is more to lend by now."""
        return self._limit.measured > 0 and bool(self.update(partial(self._follow, is_urgent=True)))

    def can_rescue(self, waiter: Waiter) -> bool:
        """Whether half of the reserve, and one for a connection, covers what a waiter wants.

        What is lent above a limit that was lowered takes no seat below it, and what the kernel
        refused a while ago it may have again: so the numbers that are free count as well.
        """
        line, most = self.line, self._limit.most
        if not line.extra:
            return False
        beyond = line.extra + waiter.request.lets_in
        if not line.refusals_in_row and self.lent + waiter.count <= line.capacity + beyond:
            return True
        is_bound_by_limit = most is None or line.ceiling < most
        return is_bound_by_limit and self._limit.leaves(waiter.count, self.lent)

    def trace(self, *, on: bool) -> None:
        """Note with each permit where it is taken; costs some microseconds an open while on."""
        self._is_tracing = on
        self._update_unless_locked()

    def statistics(self) -> Statistics:
        """What the budget did so far and does now, as an immutable snapshot."""
        line = self.line
        self.follow_limit()
        descriptor_table.sweep()
        if line.capacity < line.ceiling:
            self.update()  # time raises it
        return Statistics(
            capacity=line.capacity + line.lent_from_reserve,
            lent=self.lent,
            waiting=line.waiting,
            peak=self.permits.peak,
            waits=line.waits,
            waited_s=line.waited_s,
            refused=line.refused,
            refused_machine=line.refused_machine,
            deadlocks=line.deadlocks,
            rescued=line.rescued,
        )

    def holders(self) -> tuple[Holder, ...]:
        """Who holds how many and, with tracing on, where each was taken; the largest first."""
        return self.permits.holders()

    def largest_holders(self) -> list[str]:
        """The largest five of them, in words."""
        return [str(holder) for holder in self.holders()[:5]]

    # The lock, and what is done under it.

    def update(self, change: Callable[[float], Result] | None = None) -> Result | None:
        """Change the line (a function of the time does it), and serve whom that lets go on."""
        self.line  # noqa: B018 - measured before, as that may fail
        try:
            with self._lock:
                return self._update(change)
        finally:
            self._wake()
            if self._is_due:
                self._update_unless_locked()

    def serve_returned(self) -> None:
        """Serve the line with what came back to ``free``. Never blocks."""
        self.returns += 1
        self._update_unless_locked()

    def _update_unless_locked(self) -> None:
        """Look at everything again, or leave that to whoever has the lock."""
        self._is_due = self._line is not None
        if self._is_at_work():
            return
        lock = self._lock  # that very one: a handler on top of the work may fork
        try:
            while self._is_due and lock.acquire(blocking=False):
                try:
                    self._update(None)
                finally:
                    lock.release()
                self._wake()
        finally:
            # Ctrl-C may strike between getting the lock and the next line.
            if lock._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001 - as Condition
                lock.release()

    def _is_at_work(self) -> bool:
        """Whether this thread has the lock: we are a finalizer or signal handler on top of it."""
        return self._lock._is_owned()  # type: ignore[attr-defined, no-any-return]  # noqa: SLF001

    def _update(self, change: Callable[[float], Result] | None) -> Result | None:
        self._is_due = self.no_waiters = self.fast_path = False
        now_s = monotonic()
        # First of all: the time that has passed is to count before those who come now.
        self.line.recover(self.lent, now_s)
        try:
            return None if change is None else change(now_s)
        finally:
            self._serve(now_s)

    def _serve(self, now_s: float) -> None:
        line = self.line
        while self._abandoned:
            self._release(self._abandoned[0], now_s)
            self._abandoned.popleft()
        line.extra = self._limit.extra
        if line.privileged:
            line.review_privilege(self.permits.owners().count(line.privileged), now_s)
        while (head := line.next_grant(self.lent, now_s)) is not None and self._gather(head):
            # Noted first: an interrupt in between must not leave it served and asleep.
            self.unwoken[id(head)] = head
            line.grant(head, now_s)
        self.permits.retire(line.capacity + line.lent_from_reserve)
        if line.waiting:
            self._watchdog.begin()
        elif len(self.permits) <= line.capacity:
            self.no_waiters = True
            self.fast_path = not self._is_tracing
            if self.reservations:  # looked at last: whoever adds one meanwhile says so afterwards
                self.fast_path = False

    def _gather(self, waiter: Waiter) -> bool:
        """Give a waiter its permits, all or none; it has some already if an interrupt struck."""
        line, permits = self.line, waiter.permits
        while len(permits) < waiter.count:
            try:
                permit = self.free.pop()
            except IndexError:
                if len(self.permits) >= line.capacity + line.lent_from_reserve:
                    # Someone who saw nobody wait a moment ago was faster; what he took comes back.
                    self.permits.take_back(permits)
                    return False
                permit = self.permits.make(self, waiter.owner)
            permit.owner = waiter.owner
            permits.append(permit)
        return True

    def _release(self, waiter: Waiter, now_s: float) -> None:
        if waiter.state == WAITING:
            self.line.withdraw(waiter, now_s)
        waiter.state = GONE
        self.permits.take_back(waiter.permits)

    def _note_refusal(self, note: Callable[..., None], now_s: float, number: int | None) -> None:
        machine_wide = number == ENFILE
        pause_s = backoff_s(self.line.refusals_in_row + 1, machine_wide=machine_wide)
        note(self.lent, now_s, pause_s=pause_s, machine_wide=machine_wide)
        self._watchdog.hurry()

    def _follow(self, now_s: float, *, is_urgent: bool = False) -> bool:
        before = self.line.ceiling
        self._resize(self._limit.follow(self.lent, before, is_urgent=is_urgent), now_s)
        return self.line.ceiling > before

    def _resize(self, ceiling: int, now_s: float) -> None:
        for waiter in self.line.resize(ceiling, now_s):
            self.unwoken[id(waiter)] = waiter

    def _wake(self) -> None:
        # One leaves only after it was woken: if Ctrl-C strikes in between, the next to come by, at
        # the latest the watchdog, wakes it again.
        for waiter in list(self.unwoken.values()):  # in one step, unlike ``tuple``
            if waiter.state == WAITING:
                continue  # its granting was interrupted, and is done again
            is_there = waiter.wake()
            self.unwoken.pop(id(waiter), None)
            if is_there is False and waiter.error is None:
                # Its event loop was closed: nobody will come for the permits.
                self._abandoned.append(waiter)
                self._is_due = True

    def after_fork_child(self) -> None:
        """Begin anew, with what the limit leaves now, whatever others were at.

        The files it inherited count as others'. Who waited was a thread of the parent and is not
        here; nor is the watchdog.
        """
        self.permits.forget()
        self.reservations.clear()
        self._line = None
        self._begin()


BUDGET = Budget()
"""The budget of this process, which all of ``graceful`` borrows from."""
