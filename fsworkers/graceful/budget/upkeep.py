"""What a budget does about a line that does not move by itself, and what it shows of itself.

Called by the watch while somebody waits: follow a limit that changed, allow more again after
pressure, end deadlocks.
"""

from __future__ import annotations

import gc
import sys
from functools import partial
from time import monotonic, thread_time

from fsworkers.graceful.budget import descriptor_table, owners
from fsworkers.graceful.budget import limit as measuring
from fsworkers.graceful.budget.deadlock import GIVE_UP, NOTHING, RESCUE, StallClock, all_wait
from fsworkers.graceful.budget.kernel import count_open_below
from fsworkers.graceful.budget.own_numbers import own_numbers
from fsworkers.graceful.budget.permit_pool import PermitPool
from fsworkers.graceful.budget.snapshots import Holder
from fsworkers.graceful.budget.watchdog import AFTER_ERROR_S, LOOK_S
from fsworkers.graceful.errors import DescriptorDeadlock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fsworkers.graceful.budget.limit import Measure
    from fsworkers.graceful.budget.line import Line, Waiter
    from fsworkers.graceful.budget.permits import Permit


class Upkeep(PermitPool):
    """A counter that looks after its line."""

    __slots__ = ()

    def tick(self, turn: int) -> float | None:
        """Look after the line once, on the watch's thread.

        Args:
            turn: Which watch asks.

        Returns:
            Seconds until the next look; ``None`` when nobody waits any more.
        """
        self.follow_limit()
        descriptor_table.sweep()
        answer: list[float | None] = []
        self._submit(partial(self._look, answer, turn))
        return answer[0] if answer else LOOK_S

    def _permits(self) -> list[Permit]:
        """All there are, lent or not."""
        return list(self._all.values())

    def held(self) -> dict[int, int]:
        """Descriptors lent now, by owner."""
        counts: dict[int, int] = {}
        for permit in self._permits():
            if permit.owner:
                counts[permit.owner] = counts.get(permit.owner, 0) + 1
        return counts

    def holders(self) -> tuple[Holder, ...]:
        """Who holds descriptors, the largest first; with tracing on, where each was taken."""
        traces: dict[int, list[tuple[str, ...]]] = {}
        for permit in self._permits():
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

    @property
    def reserve(self) -> int:
        """Descriptors that a measure keeps out of the budget."""
        if self._reserve is not None:
            return self._reserve
        return measuring.default_reserve(measuring.soft_limit())

    def follow_limit(self) -> None:
        """Measure anew if the soft limit is not what it was, and now and then in any case.

        Others may have had many for that moment only, and a look at busy threads counts too many
        as theirs: neither is to keep the budget small for good.
        """
        if self._limit and (measuring.soft_limit() != self._limit or self._may_have_room()):
            self.measure_again()

    def measure_again(self) -> None:
        """Measure anew, and lend more if there is more; less only if the limit has changed.

        What others took since is not taken out: those who wait for as much would fail. The reserve
        is for that, and the kernel's refusals tell when it is not enough.
        """
        if self._limit:
            self._submit(partial(self._heed, self._measure(self._reserve)))

    def _may_have_room(self) -> bool:
        """Whether it is time to look, and a look could be of use."""
        is_bound_by_limit = self._most is None or self.line.ceiling < self._most
        return is_bound_by_limit and self._measuring.is_due(monotonic())

    def _heed(self, measured: Measure) -> bool:
        """Under the lock: lend what a measure allows; whether that is something else.

        Not if it was overtaken: whoever changed the limit or the settings meanwhile has it measured
        too.
        """
        reserve = self._reserve
        if reserve is None:
            reserve = measuring.default_reserve(measured.limit)
        if (measured.limit, measured.reserve) != (measuring.soft_limit(), reserve):
            return False
        has_limit_changed = measured.limit != self._limit
        # Between two changes only what is certain: nothing would ever take it back.
        to_lend = measured.to_lend if has_limit_changed else measured.surely_to_lend
        has_grown = self._bounded(to_lend) > self.line.ceiling
        if has_grown:
            self._measuring.note(monotonic(), 0.0, was_of_use=True)
        if has_grown or has_limit_changed:
            self._resize(self._bounded(to_lend))
            self._limit = measured.limit  # last: interrupted, all of this is done again
        return has_grown or has_limit_changed

    def _measure(self, reserve: int | None) -> Measure:
        """Look at the limit, and at who has what below it."""
        begun_s = thread_time()
        measured = measuring.measure(reserve, partial(own_numbers, self), self._limit)
        self._measuring.note(monotonic(), thread_time() - begun_s, was_of_use=False)
        return measured

    def _begin_with(self, measured: Measure) -> None:
        """Under the lock: lend by a measure that was taken for new settings."""
        self._resize(self._bounded(max(measuring.MINIMUM, measured.to_lend)))
        self._limit = measured.limit

    def _bounded(self, to_lend: int) -> int:
        """What may be lent, but no more than was asked for."""
        ceiling = max(1, to_lend)
        return ceiling if self._most is None else min(self._most, ceiling)

    def _look(self, answer: list[float | None], turn: int) -> None:
        if answer:
            return  # interrupted and begun again
        line = self.line
        if turn != self._watch.turn or (line.head(self._now_s) is None and not self._bells):
            if turn == self._watch.turn:
                self._watch.end()
            answer.append(None)
            return
        # Noted first: whatever goes wrong below is not to be run again by everyone who comes by.
        answer.append(LOOK_S)
        wait_s = LOOK_S
        if line.head(self._now_s) is None:
            return
        if line.capacity < line.ceiling:
            wait_s = max(0.001, min(LOOK_S, line.next_try_s - self._now_s))
        try:
            self._unstick(line)
            if self._stall.is_pressing(self._now_s):
                wait_s = min(wait_s, StallClock.AGAIN_S)
        except Exception:  # noqa: BLE001 - told, and no fault of whoever's thread this is
            sys.excepthook(*sys.exc_info())
            wait_s = AFTER_ERROR_S
        answer[0] = wait_s

    def _unstick(self, line: Line) -> None:
        """Do what is due about a line that stands still."""
        first = line.head(self._now_s)
        # What was served and refused by the kernel has not moved. Whoever was first and gave up
        # has: those who come later have not stood for long.
        progress = (line.served - line.refused, self._returns, first and first.order)
        step = self._stall.next_step(progress, self._now_s, self.deadlock_after_s)
        if first is None or step == NOTHING or self._collect():
            return
        if step == RESCUE and self._can_rescue(first):
            line.rescue(first, self.lent)
        elif step == GIVE_UP:
            waiting = line.in_line()
            if all_wait(waiting, self.held(), owners.thread_of):
                self._end(line, waiting[-1], waiting)
            else:
                self._tell(waiting)

    def _tell(self, waiting: list[Waiter]) -> None:
        """Say who keeps the line waiting."""
        import logging  # noqa: PLC0415 - rare, and loads much

        logging.getLogger("fsworkers.graceful").warning(
            "%d wait for a descriptor, and nothing has moved for %g s; held by %s",
            len(waiting),
            self.deadlock_after_s,
            "; ".join(self._largest_holders()) or "nobody",
        )

    def _collect(self) -> bool:
        """Whether unreachable files gave descriptors back, if it is time to look for some.

        While everybody waits nobody makes garbage, so the collector does not come by itself.
        """
        return self._collecting.is_due(self._now_s) and self._has_found_garbage()

    def _has_found_garbage(self) -> bool:
        returns = self._returns
        begun_s = thread_time()
        gc.collect()
        has_found = self._returns != returns
        self._collecting.note(self._now_s, thread_time() - begun_s, was_of_use=has_found)
        if has_found:
            self._stall.note_find(self._now_s)
        return has_found

    def _end(self, line: Line, waiter: Waiter, waiting: list[Waiter]) -> None:
        """End one in the line, so that the others can go on; unless there is room after all."""
        if self._has_found_garbage():
            return
        if self._limit and self._heed(self._measure(self._reserve)):
            return
        self._stall.begin_anew(self._now_s)
        error = DescriptorDeadlock(
            waiter.label,
            line.capacity,
            self._largest_holders(),
            [f"{owners.describe(one.owner)} for {one.count}" for one in waiting[:5]],
        )
        line.deadlocks += 1
        line.fail(waiter, error, self._now_s)
        self._bells[id(waiter)] = waiter

    def _can_rescue(self, waiter: Waiter) -> bool:
        """Whether half of the reserve covers what a waiter wants."""
        line = self.line
        extra = line.extra
        if not extra:
            return False
        beyond = self.lent - line.capacity
        if not line.refusals_in_row and beyond + waiter.count <= extra:
            return True
        # What is lent above a limit that was lowered takes no seat below it; and what the kernel
        # refused a while ago it may have again.
        is_bound_by_limit = self._most is None or line.ceiling < self._most
        if not is_bound_by_limit or (beyond <= 0 and not line.refusals_in_row):
            return False
        taken = count_open_below(self._limit) + own_numbers(self).under_way
        return self._limit - taken >= waiter.count + extra

    def _largest_holders(self) -> list[str]:
        return [str(holder) for holder in self.holders()[:5]]
