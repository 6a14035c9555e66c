"""What becomes of items that were not simply done: they run again, alone or not, or are settled.

The dispatcher's judgement on failures, deaths and time-outs. What it decides goes back into the
queue or becomes an action. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsworkers.pool.actions import Action, Conclude
from fsworkers.pool.blame import divide, first_of
from fsworkers.pool.failures import (
    ABORTED,
    CANCELLED,
    Again,
    after_death,
    after_overrun,
    as_suspect,
    verdict,
)
from fsworkers.pool.rules import CANCEL_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsworkers.pool.blocks import Begun, Block, Holding
    from fsworkers.pool.call_state import CallState
    from fsworkers.pool.failures import DelayRule, Failure, Verdict
    from fsworkers.pool.lane import Lane
    from fsworkers.pool.queue import Queue
    from fsworkers.pool.rules import Rules
    from fsworkers.pool.wire import Failed

MAX_FRUITLESS_DEATHS = 3
"""So many workers in a row that die before they begin what they were sent: it is what they were
sent."""


class Settlement:
    """Decides about items of which a lane has nothing good to tell.

    Args:
        rules: The settings.
        delay_s: How long to wait after a failed attempt, given its number.
        calls: The calls by number.
        queue: Where items go that run again.
        actions: Where it is put what became of the others.

    Attributes:
        retries: How many attempts were made again after a failure.
        fruitless_deaths: How many workers in a row died before they began anything.
    """

    def __init__(
        self,
        rules: Rules,
        delay_s: DelayRule,
        calls: dict[int, CallState],
        queue: Queue,
        actions: list[Action],
    ) -> None:
        self.retries = 0
        self.fruitless_deaths = 0
        self._rules = rules
        self._delay_s = delay_s
        self._calls = calls
        self._queue = queue
        self._actions = actions

    def failed(self, block: Block, failures: Sequence[Failed], worker: int, now: float) -> None:
        """Decide on items whose attempt has failed."""
        for one in failures:
            decided = verdict(block.history, one.failure, self._rules, self._delay_s)
            part = block.part(one.position, one.position + 1)
            self._follow(decided, part, now, worker, one.duration_s, one.size, one.mtime_ns)

    def take_apart(self, lane: Lane, reason: str, begun: Begun | None, now: float) -> None:
        """Decide on what a dead worker had not answered for."""
        if lane.is_condemned and not lane.is_hung:
            begun = None  # someone else is to blame
        elif lane.holdings and lane.find(begun.number if begun else -1) is None:
            # It began nothing of this: nobody is to blame, unless it goes on like that.
            self.fruitless_deaths += 1
            if self.fruitless_deaths >= MAX_FRUITLESS_DEATHS:
                begun = first_of(lane.holdings[0])
        suspects, innocent = divide(lane.holdings, begun, self._is_serial)
        for block in reversed(innocent):
            self.requeue(block)
        for one in suspects:
            self._judge(one, lane, reason, now, is_certain=len(suspects) == 1)

    def is_overdue(self, call: int, elapsed_s: float) -> bool:
        """Whether an item runs for so long that its worker must be killed."""
        if self._rules.timeout_s is None:
            return False
        is_cancellable = self._calls[call].traits.is_cancellable
        return elapsed_s > self._rules.timeout_s + (CANCEL_S if is_cancellable else 0.0)

    def time_out(self, lane: Lane, overdue: Sequence[tuple[Holding, int]], now: float) -> None:
        """Settle items that overran; their worker is to be killed.

        Where it is more than one, any of them may have held up the others (C code that keeps the
        interpreter lock does, and a coroutine that blocks its loop): each runs again alone.
        """
        for holding, index in overdue:
            holding.take(index, index + 1)
            lane.drop_if_answered(holding)
            one = holding.block.part(index, index + 1)
            if self._calls[one.call].is_cancelled:
                self.conclude(one, ABORTED, lane.number, one.history.attempt)
            elif len(overdue) == 1:
                decided = after_overrun(one.history, self._rules, self._delay_s)
                self._follow(decided, one, now, lane.number, self._rules.timeout_s or 0.0)
            else:
                self._queue.put(one.single(index, as_suspect(one.history)))

    def requeue(self, block: Block) -> None:
        """Items that are not to blame for anything: before all others."""
        if self._calls[block.call].is_cancelled:
            self.conclude(block, CANCELLED, None, block.history.attempt - 1)
        else:
            self._queue.put(block)

    def conclude(self, block: Block, failure: Failure, worker: int | None, attempts: int) -> None:
        """Items of a cancelled call."""
        self._calls[block.call].unsettled -= len(block.items)
        self._actions.append(Conclude(block, "cancelled", failure, worker, attempts))

    def drop_waiting(self, call: int) -> None:
        """Conclude what no worker has of a call that is cancelled, and draw no more."""
        state = self._calls[call]
        state.is_cancelled = True
        for block in self._queue.drop(call):
            self.conclude(block, CANCELLED, None, block.history.attempt - 1)
        while (drawn := state.source.drain()) is not None:
            state.unsettled += len(drawn.items)
            self.conclude(drawn, CANCELLED, None, 0)

    def _follow(
        self,
        decided: Verdict,
        block: Block,
        now: float,
        worker: int,
        duration_s: float = 0.0,
        size: int | None = None,
        mtime_ns: int | None = None,
    ) -> None:
        """Do with a block of one item what was decided about it."""
        if isinstance(decided, Again):
            history = decided.history
            self.retries += history.retried - block.history.retried
            again = block.single(block.first, history)
            if self._calls[block.call].is_cancelled:
                self.conclude(again, CANCELLED, None, block.history.attempt)
            else:
                self._queue.put(again, now + decided.delay_s if decided.delay_s else None)
            return
        self._calls[block.call].unsettled -= 1
        self._actions.append(
            Conclude(
                block, decided.status, decided.failure, worker, block.history.attempt,
                duration_s, size, mtime_ns,
            )
        )  # fmt: skip

    def _judge(self, one: Block, lane: Lane, reason: str, now: float, *, is_certain: bool) -> None:
        """Decide on an item that a dead worker had begun."""
        rules, history = self._rules, one.history
        if self._calls[one.call].is_cancelled:
            self.conclude(one, CANCELLED, None, history.attempt)
        elif not lane.is_hung or rules.timeout_s is None:
            decided = after_death(
                history, reason, rules, is_certain=is_certain, is_hung=lane.is_hung
            )
            self._follow(decided, one, now, lane.number)
        elif is_certain:
            decided = after_overrun(history, rules, self._delay_s)
            self._follow(decided, one, now, lane.number, rules.timeout_s)
        else:
            self._queue.put(one.single(one.first, as_suspect(history)))

    def _is_serial(self, call: int) -> bool:
        return self._calls[call].traits.slots == 1
