"""What a budget does about a line that does not move by itself, and what it shows of itself.

Called by the watch while somebody waits: follow a limit that changed, allow more again after
pressure, end deadlocks.
"""

from __future__ import annotations

from functools import partial
from math import inf
from time import monotonic

from fsworkers.graceful import capacity as measuring
from fsworkers.graceful import holding, owners, table
from fsworkers.graceful.counter import Counter
from fsworkers.graceful.errors import DescriptorDeadlock
from fsworkers.graceful.holding import Stall
from fsworkers.graceful.records import Holder
from fsworkers.graceful.watch import LOOK_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fsworkers.graceful.capacity import Measure
    from fsworkers.graceful.counter import Permit
    from fsworkers.graceful.ledger import Ledger, Ticket


MEASURE_AGAIN_S = 1.0
"""After a changed limit, while it is not known where all that is lent is: until the next look."""


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
        answer: list[float | None] = []
        self._submit(partial(self._look, answer, turn))
        return answer[0] if answer else LOOK_S

    def _permits(self) -> list[Permit]:
        """All there are, lent or not."""
        found = [one() for one in tuple(self._all.values())]
        return [permit for permit in found if permit is not None]

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
        """Measure anew if the soft limit is not what it was, or the last look left doubts."""
        if self._limit and (
            measuring.soft_limit() != self._limit or monotonic() >= self._measure_again_s
        ):
            self._submit(partial(self._resize, self._bound_by(self._measure(self._reserve))))

    def _measure(self, reserve: int | None) -> Measure:
        """Look at the limit, and at who has what below it."""
        from fsworkers.graceful.own_numbers import own_numbers  # noqa: PLC0415 - rare

        return measuring.measure(reserve, partial(own_numbers, self), self._limit)

    def _bound_by(self, measured: Measure) -> int:
        """Note a measure; the most to lend by it, and no more than was asked for."""
        self._limit = measured.limit
        self._measure_again_s = inf if measured.is_sure else monotonic() + MEASURE_AGAIN_S
        ceiling = max(1, measured.to_lend)
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
        wait_s = LOOK_S
        if ledger.head() is None:
            answer.append(wait_s)
            return
        if ledger.capacity < ledger.ceiling:
            wait_s = max(0.001, min(LOOK_S, ledger.next_try_s - self._now_s))
        if self._unstick(ledger) or self._stall.is_jam(self._now_s):
            wait_s = min(wait_s, Stall.AGAIN_S)
        answer.append(wait_s)

    def _unstick(self, ledger: Ledger) -> bool:
        """End a deadlock of holders that wait for one another, one step at a time.

        Returns:
            Whether the line is stuck, as far as one look can tell.
        """
        # What was served and refused by the kernel has not moved, nor is there anything to spare.
        is_refused = ledger.streak > 0
        if self._stall.has_moved((ledger.served - ledger.refused, self._returns), self._now_s):
            return False
        waiting = ledger.in_line()
        held = self.held()
        spare = 0 if is_refused else ledger.capacity + ledger.loan - self.lent
        blocked = holding.blocked_owners(waiting, held, owners.thread_of)
        above: dict[int, frozenset[int]] = {}
        if not holding.is_stuck(waiting, held, blocked, spare):
            above = owners.awaiting(ticket.owner for ticket in waiting)
            blocked |= held.keys() & frozenset().union(*above.values())
            if not holding.is_stuck(waiting, held, blocked, spare):
                return False
        if self._stall.is_confirmed(self._now_s, is_refused=is_refused):
            self._break(ledger, holding.ring(waiting, blocked, owners.thread_of, above), waiting)
        return True

    def _break(self, ledger: Ledger, ring: list[Ticket], waiting: list[Ticket]) -> None:
        oldest = ring[0]
        loan = self.lent + oldest.count - ledger.capacity
        # A reserve that the kernel itself does not honour any more is no help.
        if loan <= self._reserve_to_lend() and not ledger.streak:
            ledger.rescue(oldest, self.lent)
            return
        youngest = ring[-1]
        error = DescriptorDeadlock(
            youngest.label,
            ledger.capacity,
            self._largest_holders(),
            [f"{owners.describe(ticket.owner)} for {ticket.count}" for ticket in waiting[:5]],
        )
        ledger.deadlocks += 1
        ledger.fail(youngest, error, self._now_s)
        self._bells[id(youngest)] = youngest

    def _reserve_to_lend(self) -> int:
        """How much of the reserve may end a deadlock: half; nothing where none was measured."""
        return max(1, self.reserve // 2) if self._limit else 0

    def _largest_holders(self) -> list[str]:
        return [str(holder) for holder in self.holders()[:5]]
