"""The descriptor budget: what everybody borrows from.

``Budget`` is the public face of ``counter`` (permits and the line) and ``upkeep`` (what is done
about a line that does not move). ``BUDGET`` is this process's own.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from math import inf
from sys import is_finalizing
from threading import Lock, get_ident
from time import monotonic

from fsworkers.graceful.budget import argument_checks, descriptor_table, fork_reset, owners
from fsworkers.graceful.budget import limit as measuring
from fsworkers.graceful.budget.line import GRANTED, NEW, Line, QueuePosition, Waiter
from fsworkers.graceful.budget.permit_pool import DEADLOCK_AFTER_S
from fsworkers.graceful.budget.snapshots import Statistics
from fsworkers.graceful.budget.upkeep import Upkeep
from fsworkers.graceful.budget.watchdog import LOOK_S
from fsworkers.graceful.errors import BudgetTimeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.graceful.budget.permits import HeldPermit, Permit

NOTED_S, NOTE_S = 0.1, 0.001
"""How long a waiter without time to wait is given to be noted, and between two looks at it."""


class Budget(Upkeep):
    """How many descriptors may be open at once, lent first come, first served.

    Args:
        capacity: The most to lend; ``None`` measures what the limit leaves, at first use.
        reserve: Descriptors a measure keeps free; ``None`` for an eighth of the limit, 4 to 32.
        wait_s: Longest wait of an operation in seconds; ``None`` waits for ever.
        deadlock_after_s: After how long without any movement one who waits is ended, if all who
            hold descriptors wait as well; ``None`` for never.
    """

    __slots__ = ()

    def __init__(
        self,
        capacity: int | None = None,
        *,
        reserve: int | None = None,
        wait_s: float | None = None,
        deadlock_after_s: float | None = DEADLOCK_AFTER_S,
    ) -> None:
        super().__init__(
            argument_checks.count("capacity", capacity, least=1),
            reserve=argument_checks.count("reserve", reserve, least=0),
            wait_s=argument_checks.seconds("wait_s", wait_s),
            deadlock_after_s=argument_checks.seconds("deadlock_after_s", deadlock_after_s),
        )
        fork_reset.register(self)

    def __repr__(self) -> str:
        if self._line is None:
            return "<Budget not measured yet>"
        return f"<Budget {self.lent}/{self._line.capacity} lent, {self._line.waiting} waiting>"

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
        return self._take_at_once() or self.take_many(1, label, wait_s=wait_s)[0]

    def take_if_free(self, label: object = None) -> HeldPermit | None:
        """Lend one descriptor to a newcomer, or ``None`` where that would be a wait.

        Raises:
            TooFewDescriptors: As ``take``.
        """
        at_once = self._take_at_once()
        if at_once is not None:
            return at_once
        waiter, bell = self._waiter(1, label, is_newcomer=True)
        try:
            self.post(waiter, waits=False)
            _see_it_noted(waiter, bell)
        except BaseException:
            self.abandon(waiter)
            raise
        if waiter.state != GRANTED:
            self.abandon(waiter)
            return None
        return self.note_origin(waiter.permits)[0]

    def draw_many(self, count: int) -> list[HeldPermit]:
        """So many from the reservation at hand, or none."""
        drawn: list[HeldPermit] = []
        if self.reservations and self.take_reserved is not None:
            while len(drawn) < count and (one := self.take_reserved(self)) is not None:
                drawn.append(one)
            if len(drawn) < count:
                while drawn:
                    drawn.pop().give_back()
        return drawn

    def take_many(
        self, count: int, label: object = None, *, wait_s: float | None = None
    ) -> list[Permit]:
        """Lend several descriptors at once, all or none, waiting on this thread.

        Raises:
            BudgetTooSmall: More than will ever be lent.
            BudgetTimeout: As ``take``.
            DescriptorDeadlock: As ``take``.
        """
        wait_s = argument_checks.seconds("wait_s", wait_s)
        longest_s = self.wait_s if wait_s is None else wait_s
        until_s = None if longest_s is None else monotonic() + longest_s
        return self._line_up(count, label, self.post, until_s, longest_s)

    def take_or(
        self,
        label: object,
        otherwise: Callable[[], HeldPermit | None],
        pause_s: Callable[[], float],
        *,
        wait_s: float | None = None,
    ) -> HeldPermit:
        """``take`` for a newcomer, who now and then tries something else and keeps his place.

        Args:
            label: As ``take``.
            otherwise: What to try; ``None`` when that was of no use.
            pause_s: Seconds until it is tried.
            wait_s: As ``take``.

        Raises:
            BudgetTimeout: As ``take``.
            DescriptorDeadlock: As ``take``.
        """
        at_once = self._take_at_once()
        if at_once is not None:
            return at_once
        longest_s = self.wait_s if wait_s is None else wait_s
        until_s = inf if longest_s is None else monotonic() + longest_s
        waiter, bell = self._waiter(1, label, is_newcomer=True)
        try:
            self.post(waiter)
            while waiter.state != GRANTED:  # the bell tells of errors too
                if self._await(bell, min(until_s, monotonic() + pause_s())):
                    break
                other = None if monotonic() >= until_s else otherwise()
                if other is not None:
                    self.abandon(waiter)
                    return other
                if monotonic() >= until_s:
                    _see_it_noted(waiter, bell)
                    break
        except BaseException:
            self.abandon(waiter)
            raise
        return self.note_origin(self._outcome(waiter, longest_s))[0]

    def take_again(
        self,
        permits: list[Permit],
        label: object,
        place: QueuePosition,
        *,
        until_s: float | None,
        longest_s: float | None,
        machine_wide: bool,
    ) -> list[Permit]:
        """Return permits that the kernel did not honour, and wait before all others for new ones.

        Args:
            permits: Those it did not honour.
            label: As ``take``.
            place: The operation's place, the same at each of its tries.
            until_s: The end of the operation's longest wait, on the monotonic clock.
            longest_s: That wait, as errors show it.
            machine_wide: It was ENFILE.

        Raises:
            BudgetTimeout: As ``take``; nothing is lent then.
            DescriptorDeadlock: As ``take``.
        """
        post = partial(self.post_refused, permits=permits, place=place, machine_wide=machine_wide)
        return self._line_up(len(permits), label, post, until_s, longest_s)

    def note_success(self) -> None:
        """Note that the kernel honours permits again."""
        self.line.refusals_in_row = 0

    def note_origin(self, permits: list[Permit]) -> list[Permit]:
        """Note on permits where they were taken, if tracing is on."""
        trace = calls() if self.is_tracing else ()
        for permit in permits:
            permit.trace = trace
        return permits

    def timeout_of(self, waiter: Waiter, waited_s: float) -> BudgetTimeout:
        """The error of an operation that waited too long."""
        return BudgetTimeout(waiter.label, waited_s, self.line.ceiling, self._largest_holders())

    def trace(self, *, on: bool) -> None:
        """Note with each permit where it is taken; costs some microseconds an open while on."""
        self.is_tracing = on
        self.serve_returned()

    def resize(self, capacity: int) -> None:
        """Lend at most ``capacity`` from now on; what is lent beyond that is not taken away.

        A measured budget lends no more than the limit leaves, however much is asked for.
        """
        self._most = capacity = argument_checks.number("capacity", capacity, least=1)
        if self._limit:
            self._submit(partial(self._begin_with, self._measure(self._reserve)))
        else:
            self._submit(partial(self._resize, capacity))

    def shrink(self, *, machine_wide: bool = False) -> None:
        """Lend half as many for a while: code that takes no permits was refused by the kernel.

        Whoever catches such an EMFILE (or ENFILE, which is ``machine_wide``) makes room in this way
        before trying again. The capacity grows back with time. A budget that was never used has
        nothing to make room with.
        """
        if self._line is not None:
            self.post_shrink(machine_wide=machine_wide)

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
        measured = self._measure(reserve)
        to_lend = measuring.to_begin_with(measured)
        self._reserve = reserve
        self.wait_s = wait_s
        self.deadlock_after_s = deadlock_after_s
        self._most = most
        made = Line(self._bounded(to_lend))
        if self._line is None:  # one step with the next line: see ``line``
            self._line = made
        self._submit(partial(self._begin_with, measured))

    def statistics(self) -> Statistics:
        """What the budget did so far and does now, as an immutable snapshot."""
        line = self.line
        self.follow_limit()
        descriptor_table.sweep()
        if line.capacity < line.ceiling:
            self.grow_now()
        return Statistics(
            capacity=line.capacity + line.lent_from_reserve,
            lent=self.lent,
            waiting=line.waiting,
            peak=self._peak,
            waits=line.waits,
            waited_s=line.waited_s,
            refused=line.refused,
            refused_machine=line.refused_machine,
            deadlocks=line.deadlocks,
            rescued=line.rescued,
        )

    def _waiter(
        self, count: int, label: object, *, is_newcomer: bool = False
    ) -> tuple[Waiter, Lock]:
        bell = Lock()
        bell.acquire()
        wake = partial(_release, bell)
        owner = owners.identify()
        standing = {} if is_newcomer else self.standing(owner)
        return Waiter(count, owner, label, wake, get_ident(), **standing), bell

    def _line_up(
        self,
        count: int,
        label: object,
        post: Callable[[Waiter], None],
        until_s: float | None,
        longest_s: float | None,
    ) -> list[Permit]:
        waiter, bell = self._waiter(count, label)
        try:
            post(waiter)
            # Who is at the line may not yet have put it in the line, so the bell alone tells.
            if waiter.state != GRANTED and not self._await(bell, until_s):
                _see_it_noted(waiter, bell)
        except BaseException:
            self.abandon(waiter)
            raise
        return self.note_origin(self._outcome(waiter, longest_s))

    def _outcome(self, waiter: Waiter, longest_s: float | None) -> list[Permit]:
        """What became of a waiter when the wait for it is over."""
        if waiter.error is not None:
            raise waiter.error
        if waiter.state != GRANTED:
            self.abandon(waiter)
            raise self.timeout_of(waiter, longest_s or 0.0)
        return waiter.permits

    def _take_at_once(self) -> HeldPermit | None:
        drawn = (
            self.take_reserved(self)
            if self.reservations and self.take_reserved is not None
            else None
        )
        return drawn or self.take_now()

    def _await(self, bell: Lock, until_s: float | None) -> bool:
        """Wait for a bell to ring; whether it did."""
        while True:
            left_s = -1.0 if until_s is None else max(0.0, until_s - monotonic())
            if (self._watch.is_running and not is_finalizing()) or not left_s:
                return bell.acquire(timeout=left_s)
            # No thread could be had to watch over the line: at the interpreter's end none runs.
            if bell.acquire(timeout=LOOK_S if until_s is None else min(LOOK_S, left_s)):
                return True
            self.tick(self._watch.turn)


def _see_it_noted(waiter: Waiter, bell: Lock) -> None:
    """Let who is at the line come to a waiter whose time is up: it may be served at once."""
    until_s = monotonic() + NOTED_S
    while waiter.state == NEW and monotonic() < until_s:
        bell.acquire(timeout=NOTE_S)


def _release(bell: Lock) -> None:
    """Wake a thread; it may have been woken before."""
    try:
        bell.release()
    except RuntimeError:
        return


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


_OWN_FILES = os.path.dirname(os.path.dirname(__file__))


BUDGET = Budget()
"""The budget of this process, which all of ``graceful`` borrows from."""
