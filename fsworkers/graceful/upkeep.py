"""What a budget does about a line that does not move by itself, and what it shows of itself.

Called by the watch while somebody waits: follow a limit that changed, allow more again after
pressure, end deadlocks.
"""

from __future__ import annotations

import gc
import sys
from functools import partial
from time import monotonic, thread_time

from fsworkers.graceful import capacity as measuring
from fsworkers.graceful import holding, owners, table
from fsworkers.graceful.counter import Counter
from fsworkers.graceful.errors import DescriptorDeadlock
from fsworkers.graceful.handover import count_to_come
from fsworkers.graceful.holding import Stall
from fsworkers.graceful.own_numbers import own_numbers
from fsworkers.graceful.reach import behind
from fsworkers.graceful.records import Holder
from fsworkers.graceful.stacks import Standstill
from fsworkers.graceful.system import count_open_below
from fsworkers.graceful.watch import AFTER_ERROR_S, LOOK_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fsworkers.graceful.capacity import Measure
    from fsworkers.graceful.counter import Permit
    from fsworkers.graceful.ledger import Ledger, Ticket


SEARCH_AGAIN_S = 5.0
"""Until what led to nothing is searched once more, though all wait as they did."""


class Upkeep(Counter):
    """A counter that looks after its line."""

    __slots__ = ()

    def look(self, turn: int) -> float | None:
        """Look after the line once, on the watch's thread.

        Args:
            turn: Which watch asks.

        Returns:
            Seconds until the next look; ``None`` when nobody waits any more.
        """
        self.follow_limit()
        table.sweep()
        self.regain()
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
        is_bound_by_limit = self._most is None or self.ledger.ceiling < self._most
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
        has_grown = self._bounded(to_lend) > self.ledger.ceiling
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
        self._resize(self._bounded(measured.to_lend))
        self._limit = measured.limit

    def _bounded(self, to_lend: int) -> int:
        """What may be lent, but no more than was asked for."""
        ceiling = max(1, to_lend)
        return ceiling if self._most is None else min(self._most, ceiling)

    def _look(self, answer: list[float | None], turn: int) -> None:
        if answer:
            return  # interrupted and begun again
        ledger = self.ledger
        if turn != self._watch.turn or (ledger.head() is None and not self._bells):
            if turn == self._watch.turn:
                self._watch.end()
            answer.append(None)
            return
        # Noted first: whatever goes wrong below is not to be run again by everyone who comes by.
        answer.append(LOOK_S)
        wait_s = LOOK_S
        if ledger.head() is None:
            return
        if ledger.capacity < ledger.ceiling:
            wait_s = max(0.001, min(LOOK_S, ledger.next_try_s - self._now_s))
        try:
            if self._unstick(ledger) or self._stall.is_pressing(self._now_s):
                wait_s = min(wait_s, Stall.AGAIN_S)
        except Exception:  # noqa: BLE001 - told, and no fault of whoever's thread this is
            sys.excepthook(*sys.exc_info())
            wait_s = AFTER_ERROR_S
        answer[0] = wait_s

    def _unstick(self, ledger: Ledger) -> bool:
        """End a deadlock of holders that wait for one another, one step at a time.

        Returns:
            Whether the line is stuck, as far as one look can tell.
        """
        # What was served and refused by the kernel has not moved, nor is there anything to spare;
        # what is lent above a lowered capacity has to come back before anything is.
        is_refused = ledger.streak > 0
        # Whoever was first and gave up has moved too: those who come later have not stood for long.
        first = ledger.head()
        progress = (ledger.served - ledger.refused, self._returns, first and first.order)
        if self._stall.has_moved(progress, self._now_s):
            return False
        waiting = ledger.in_line()
        held = self.held()
        spare = ledger.capacity + ledger.loan - self.lent
        if is_refused:
            spare = min(0, spare)
        blocked = holding.blocked_owners(waiting, held, owners.thread_of)
        above: dict[int, frozenset[int]] = {}
        if not holding.is_stuck(waiting, held, blocked, spare):
            above = owners.awaiting(ticket.owner for ticket in waiting)
            behind_them = _union(above)
            blocked |= {owner for owner in held if owners.place_of(owner) in behind_them}
            if not holding.is_stuck(waiting, held, blocked, spare):
                if not self._stall.is_quiet(self._now_s):
                    return False
                return self._unstick_roundabout(ledger, waiting, held, blocked, spare)
        ring = holding.ring(waiting, blocked, owners.thread_of, owners.place_of, above)
        if not self._stall.is_confirmed(self._now_s, is_refused=is_refused):
            # What those who wait hold may be garbage: that is to be known before it is a deadlock.
            if ring and self._stall.is_still(self._now_s) and self._collect():
                self._stall.note_find(self._now_s)
            return bool(ring)
        if not self._collect():
            row = ring or waiting
            is_helped = self._rescue(ledger, row[0], in_jam=bool(ring))
            if not is_helped and self._may_end(waiting, spare, is_ring=bool(ring)):
                self._end(ledger, row[-1], waiting)
        return bool(ring)

    def _may_end(self, waiting: list[Ticket], spare: int, *, is_ring: bool) -> bool:
        """Whether nobody is left who could give back enough.

        Where it is not those who hold that wait, but for instance a loop for connections, what is
        seen must have been so for longer.
        """
        if not self._searching.is_due(self._now_s):
            return False
        if not is_ring and not self._stall.is_quiet(self._now_s):
            return False
        begun_s = thread_time()
        is_so = self._is_beyond_hope(Standstill(), waiting, spare)
        self._searching.note(self._now_s, thread_time() - begun_s, was_of_use=is_so)
        return is_so

    def _is_beyond_hope(self, scene: Standstill, waiting: list[Ticket], spare: int) -> bool:
        """Whether the head of the line is not served whatever all do who are awake."""
        missing = waiting[0].count - spare
        behind_them = _union(behind(scene, waiting, by_reach=False))
        return count_to_come(scene, waiting, behind_them, self._permits(), missing) < missing

    def _unstick_roundabout(
        self,
        ledger: Ledger,
        waiting: list[Ticket],
        held: dict[int, int],
        blocked: frozenset[int],
        spare: int,
    ) -> bool:
        """As ``_unstick``, for holders that wait for one in the line by way of threads and events.

        Serving from the reserve is harmless, so it is done on a presumption, and in the end on the
        silence alone. Nobody is ended while somebody is awake who could give back enough, or wake
        one who could.
        """
        if not self._stall.is_jam(self._now_s) and not self._searching.is_due(self._now_s):
            return False
        begun_s = thread_time()
        is_of_use = self._has_found_roundabout(ledger, waiting, held, blocked, spare)
        self._searching.note(self._now_s, thread_time() - begun_s, was_of_use=is_of_use)
        if is_of_use:
            return True
        if self._stall.is_long_quiet(self._now_s) and not self._collect():
            self._rescue(ledger, waiting[0], is_retry=True, in_jam=False)
        return False

    def _has_found_roundabout(
        self,
        ledger: Ledger,
        waiting: list[Ticket],
        held: dict[int, int],
        blocked: frozenset[int],
        spare: int,
    ) -> bool:
        """Whether there is one, and something was done about it."""
        scene = Standstill()
        awake = frozenset(scene.awake()).difference(ticket.blocks for ticket in waiting)
        to_come = sum(count for owner, count in held.items() if owners.place_of(owner) in awake)
        if spare + to_come >= waiting[0].count:
            return False  # the usual case: who holds is slow
        suspended = scene.suspended(held.keys() - blocked)
        ends = id(waiting[0]), id(waiting[-1])
        if not self._is_new((suspended, len(waiting), ends, awake, scene.count_timers())):
            return False
        row = waiting
        if holding.is_stuck(waiting, held, blocked.union(suspended), spare):
            ring = _ring_roundabout(scene, waiting, held, blocked, spare)
            if ring and self._rescue(ledger, ring[0]):
                return True
            row = ring or waiting
        # A lack that is the kernel's, or will pass with time, is none that anybody could end.
        is_lack = held and not ledger.streak and ledger.capacity == ledger.ceiling
        if not is_lack or not self._is_beyond_hope(scene, waiting, spare):
            return False
        if not self._rescue(ledger, row[0]):
            self._end(ledger, row[-1], waiting)
        return True

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
        return has_found

    def _is_new(self, scene: object) -> bool:
        """Whether a scene is worth a search: one that led to nothing is not, for some seconds."""
        if self._searched is not None:
            last, at_s = self._searched
            if last == scene and self._now_s - at_s < SEARCH_AGAIN_S:
                return False
        self._searched = scene, self._now_s
        return True

    def _rescue(
        self, ledger: Ledger, ticket: Ticket, *, is_retry: bool = False, in_jam: bool = True
    ) -> bool:
        """Serve one in the line from the reserve; whether that was possible.

        A reserve that the kernel itself does not honour is no help: after a refusal it is tried
        once, and as a ``retry`` again.
        """
        if ledger.streak and ledger.streak == self._tried_streak and not is_retry:
            return False
        if not self._can_rescue(ticket):
            return False
        # If it is refused there will be one more.
        self._tried_streak = ledger.streak + 1
        self._stall.note_step(self._now_s, in_jam=in_jam)
        self._searched = None
        ledger.rescue(ticket, self.lent)
        return True

    def _end(self, ledger: Ledger, ticket: Ticket, waiting: list[Ticket]) -> None:
        """End one in the line, so that the others can go on; unless there is room after all."""
        if self._has_found_garbage():
            return
        if self._limit and self._heed(self._measure(self._reserve)):
            return
        self._stall.note_step(self._now_s)
        self._searched = None
        error = DescriptorDeadlock(
            ticket.label,
            ledger.capacity,
            self._largest_holders(),
            [f"{owners.describe(one.owner)} for {one.count}" for one in waiting[:5]],
        )
        ledger.deadlocks += 1
        ledger.fail(ticket, error, self._now_s)
        self._bells[id(ticket)] = ticket

    def _can_rescue(self, ticket: Ticket) -> bool:
        """Whether half of the reserve covers what a ticket wants; none where none was measured."""
        if not self._limit:
            return False
        ledger = self.ledger
        to_lend = max(1, self.reserve // 2)
        beyond = self.lent - ledger.capacity
        if not ledger.streak and beyond + ticket.count <= to_lend:
            return True
        # What is lent above a limit that was lowered takes no seat below it; and what the kernel
        # refused a while ago it may have again.
        is_bound_by_limit = self._most is None or ledger.ceiling < self._most
        if not is_bound_by_limit or (beyond <= 0 and not ledger.streak):
            return False
        taken = count_open_below(self._limit) + own_numbers(self).under_way
        return self._limit - taken >= ticket.count + to_lend

    def _largest_holders(self) -> list[str]:
        return [str(holder) for holder in self.holders()[:5]]


def _union(sets: dict[int, frozenset[int]]) -> frozenset[int]:
    return frozenset().union(*sets.values())


def _ring_roundabout(
    scene: Standstill,
    waiting: list[Ticket],
    held: dict[int, int],
    blocked: frozenset[int],
    spare: int,
) -> list[Ticket]:
    """Those in the line for whom holders wait in roundabout ways: seen to, else presumed to."""
    for by_reach in (False, True):
        above = behind(scene, waiting, by_reach=by_reach)
        stuck = blocked | scene.blocked(held, _union(above))
        if holding.is_stuck(waiting, held, stuck, spare):
            ring = holding.ring(waiting, stuck, owners.thread_of, owners.place_of, above)
            if ring:
                return ring
    return []
