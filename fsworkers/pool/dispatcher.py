"""Decides which blocks go to which lane. Pure: no socket, clock, process.

Events come in as method calls that carry the time, actions go out as a list. The shell around it
(``pool.master``) owns the sockets and the processes. Whatever the order of events, every item that
was drawn is recorded exactly once: it is in one block of ``pool.queue`` or in an unanswered
interval of one lane. The life of lanes (ready, silent, dead, replaced) is ``pool.lanes``'s, and
what becomes of items that were not simply done is ``pool.settlement``'s.

On the happy path an event costs the same with two lanes and with a thousand: lanes with credit are
kept in two sets, and only what happens rarely walks them all.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Any

from fsworkers.pool.actions import Action, Record, Send, Warn
from fsworkers.pool.call_state import CallState, Source, Traits
from fsworkers.pool.failures import ABORTED
from fsworkers.pool.lanes import Lanes
from fsworkers.pool.queue import Queue
from fsworkers.pool.rules import CANCEL_S
from fsworkers.pool.settlement import Settlement
from fsworkers.pool.story import Story

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fsworkers.pool.blocks import Begun, Block, Holding
    from fsworkers.pool.failures import DelayRule
    from fsworkers.pool.lane import Lane
    from fsworkers.pool.rules import Rules
    from fsworkers.pool.wire import Answer

START_S = 0.1
"""What it costs to start a worker: where less work than this is left for each, none is started."""

STUCK_S = 0.02
"""What waits longer than this behind other items is worth moving to an idle lane."""

MOST_TRIES = 4
"""Lanes with credit that are looked at in one turn although they can use nothing of what waits."""


class Dispatcher:
    """The state machine behind a pool.

    Args:
        rules: The settings.
        delay_s: How long to wait after a failed attempt, given its number.
    """

    def __init__(self, rules: Rules, delay_s: DelayRule) -> None:
        self.rules = rules
        self.story = Story()
        self._actions: list[Action] = []
        self._lanes = Lanes(rules, self.story, self._actions, self._silence_s)
        self._calls: dict[int, CallState] = {}
        self._turns: deque[int] = deque()
        self._queue = Queue()
        self._relief_at = 0.0
        self._is_holding_back = self._has_held_back = False
        self._settlement = Settlement(rules, delay_s, self._calls, self._queue, self._actions)

    def __repr__(self) -> str:
        return (
            f"<Dispatcher {len(self.lanes)} lanes: {len(self._lanes.idle)} idle, "
            f"{len(self._lanes.starting)} starting; {self.in_flight} in flight, "
            f"{self.queued} queued>"
        )

    # What the shell may ask

    @property
    def queued(self) -> int:
        """Items that wait here, in no lane and no source."""
        return self._queue.count

    @property
    def in_flight(self) -> int:
        """Items that lanes hold."""
        return sum(lane.count for lane in list(self.lanes.values()))

    @property
    def lanes(self) -> dict[int, Lane]:
        """The lanes by number."""
        return self._lanes.all

    @property
    def retries(self) -> int:
        """Attempts that were made again after a failure."""
        return self._settlement.retries

    @property
    def restarts(self) -> int:
        """Workers that were replaced because they had died or hung."""
        return self._lanes.restarts

    @property
    def recycled(self) -> int:
        """Workers that were replaced because they had run enough or grown too large."""
        return self._lanes.recycled

    def at_work(self, now: float) -> Iterator[tuple[int, Any, float]]:
        """What workers told of in a heartbeat and have not answered for: who, item, how long."""
        for lane in list(self.lanes.values()):
            for holding, index, since in lane.at_work:
                if holding.has(index):
                    block = holding.block
                    yield lane.number, block.items[index - block.first], now - since

    def is_ready(self, number: int) -> bool:
        """Whether a worker has reported ready."""
        lane = self.lanes.get(number)
        return lane is not None and lane.is_ready

    def next_tick(self, now: float) -> float | None:
        """When there is something to decide or to look at; ``None`` if only events can matter."""
        times: list[float] = []
        if not self._lanes.are_all_idle:
            times.append(max(now, self._lanes.next_look))
            if self._lanes.idle and self._relief_at < inf:
                times.append(max(now, self._relief_at))
        if self._queue.next_release is not None:
            times.append(self._queue.next_release)
        return min(times, default=None)

    def silent_lanes(self, now: float) -> list[int]:
        """Lanes that should have been heard from some time ago: the shell may look at them."""
        return self._lanes.silent(now)

    # What happens to calls

    def open(self, now: float, count: int = 1) -> list[Action]:
        """Start the first workers; further ones are started as there is work for them."""
        for _ in range(min(count, self.rules.workers)):
            self._lanes.start(now)
        return self._take_actions()

    def add_call(self, number: int, source: Source, traits: Traits, now: float) -> list[Action]:
        """A call begins."""
        self._calls[number] = CallState(source, traits)
        self._turns.append(number)
        return self._decide(now)

    def drop_call(self, number: int) -> bool:
        """Forget a call of which no item is left; ``False`` while there still is one."""
        if self._calls[number].unsettled:
            return False
        del self._calls[number]
        self._turns.remove(number)
        return True

    def supplied(self, now: float) -> list[Action]:
        """Some source has items to take, or has come to its end, or may be drawn from again."""
        return self._decide(now)

    def cancel(self, call: int, now: float) -> list[Action]:
        """Drop the items of a call that no worker has begun; those in lanes are recalled."""
        self._settlement.drop_waiting(call)
        for lane in self.lanes.values():
            if any(holding.block.call == call for holding in lane.holdings):
                self._lanes.recall(lane, lane.count)
                self._lanes.place(lane, now)
        return self._decide(now)

    def abort(self, call: int, now: float) -> list[Action]:
        """Drop all items of a call; workers that may be running one are killed."""
        self._settlement.drop_waiting(call)
        for lane in self.lanes.values():
            dropped = [one for one in lane.holdings if one.block.call == call]
            for holding in dropped:
                for block in list(holding.rest()):
                    self._settlement.conclude(block, ABORTED, lane.number, block.history.attempt)
                holding.open.clear()
                lane.drop_if_answered(holding)
            if dropped:
                self._lanes.kill(lane, "its items were cancelled", now)
        return self._decide(now)

    # What happens to workers

    def ready(self, number: int, now: float) -> list[Action]:
        """A worker reports that it can run items."""
        lane = self.lanes.get(number)
        if lane is None or lane.is_ready:
            return []
        self._lanes.ready(lane, now)
        return self._decide(now, lane)

    def starts_later(self, number: int, now: float) -> None:
        """A worker can't be started yet; once the pool has been at work, there is time for it."""
        self._lanes.starts_later(number, now)

    def answered(self, number: int, answer: Answer, columns: Any, now: float) -> list[Action]:
        """A worker answers for a span of a block; void unless all of it is unanswered."""
        lane = self.lanes.get(number)
        if lane is None:
            return []
        lane.last_heard = now
        holding = lane.find(answer.number)
        if holding is None or not holding.take(answer.start, answer.stop):
            return self._decide(now)
        block = holding.block
        lane.last_progress = now
        lane.drop_if_answered(holding)
        state = self._calls[block.call]
        state.pace.learn(answer.stop - answer.start, answer.busy_s)
        self._settlement.fruitless_deaths = 0
        failed = f", {len(answer.failures)} failed" if answer.failures else ""
        self.story.note(now, f"answered{failed}", number, block.call, answer.start, answer.stop)
        done = answer.stop - answer.start - len(answer.failures)
        if done:
            state.unsettled -= done
            self._actions.append(Record(block, answer, columns))
        self._settlement.failed(block, answer.failures, number, now)
        return self._decide(now, lane)

    def heard(
        self, number: int, running: Iterable[tuple[int, int, float]], now: float
    ) -> list[Action]:
        """A heartbeat: which items run in the worker, and for how many seconds."""
        lane = self.lanes.get(number)
        if lane is None or lane.is_condemned:
            return []
        lane.last_heard = now
        at_work: list[tuple[Holding, int, float]] = []
        overdue: list[tuple[Holding, int]] = []
        for block_number, index, elapsed_s in running:
            holding = lane.find(block_number)
            if holding is None or not holding.has(index):
                continue
            at_work.append((holding, index, now - elapsed_s))
            if self._settlement.is_overdue(holding.block.call, elapsed_s):
                overdue.append((holding, index))
        lane.at_work = at_work
        if overdue:
            self._settlement.time_out(lane, overdue, now)
            self._lanes.kill(lane, f"an item took longer than {self.rules.timeout_s:g} s", now)
        return self._decide(now, lane)

    def weighed(self, number: int, rss_bytes: int) -> None:
        """A worker reports how much memory it has; what follows is decided with its answers."""
        if number in self.lanes:
            self.lanes[number].rss_bytes = rss_bytes

    def returned(
        self, number: int, spans: Sequence[tuple[int, int, int]], now: float
    ) -> list[Action]:
        """A worker gives back items it had not begun, after a recall.

        Args:
            number: The worker's.
            spans: Number of the block, first index and the one behind the last, in order.
            now: The time.
        """
        lane = self.lanes.get(number)
        if lane is None:
            return []
        lane.is_recalling = False
        lane.last_heard = lane.last_progress = now
        if not spans:
            lane.recall_from = now + STUCK_S
        for block_number, start, stop in reversed(spans):
            holding = lane.find(block_number)
            if holding is not None and holding.take(start, stop):
                lane.sent_items -= stop - start
                lane.drop_if_answered(holding)
                self.story.note(now, "returned", number, holding.block.call, start, stop)
                self._settlement.requeue(holding.block.part(start, stop))
        return self._decide(now, lane)

    def died(self, number: int, reason: str, begun: Begun | None, now: float) -> list[Action]:
        """A worker's process has ended.

        Args:
            number: The worker's.
            reason: How, in words.
            begun: What it had begun last; ``None`` for nothing.
            now: The time.
        """
        lane = self._lanes.remove(number, reason, now)
        if lane is None:
            return []
        self._settlement.take_apart(lane, reason, begun, now)
        self._lanes.replace(lane, reason, now)
        return self._decide(now)

    def stopped(self, number: int, now: float) -> list[Action]:
        """A worker's process has been stopped (SIGSTOP): it is as good as hung."""
        lane = self.lanes.get(number)
        if lane is not None:
            self._lanes.kill(lane, "it was stopped", now, is_hung=True)
        return self._decide(now)

    # What happens by itself

    def hold_back(self, reason: str | None, now: float) -> list[Action]:
        """Begin nothing new while there is a reason, which is told once; what runs goes on."""
        self._is_holding_back = reason is not None
        if reason is not None:
            if not self._has_held_back:
                self._has_held_back = True
                self._actions.append(Warn(f"{reason}: nothing new is begun until that has changed"))
            for lane in self.lanes.values():
                if lane.holdings and lane.count > self._slots(lane):
                    self._lanes.recall(lane, lane.count)
                    self._lanes.place(lane, now)
        return self._decide(now)

    def overslept(self, by_s: float) -> None:
        """Everybody stood still for a while (a suspended machine): no lane was silent then."""
        self._lanes.overslept(by_s)

    def tick(self, now: float) -> list[Action]:
        """Time has passed: deadlines, delayed retries, silent workers."""
        self._queue.release(now)
        self._lanes.look(now)
        return self._decide(now)

    # How blocks are dealt out

    def _decide(self, now: float, *lanes: Lane) -> list[Action]:
        """Do all that follows: whoever changed a lane names it."""
        for lane in lanes:
            self._lanes.place(lane, now)
        if not self._is_holding_back:
            if self._queue.quarantine:
                self._send_alone(now)
            if not self._queue.quarantine:
                self._deal(now)
            self._start_lanes(now)
            if self._lanes.idle and now >= self._relief_at:
                self._relieve(now)
        return self._take_actions()

    def _send_alone(self, now: float) -> None:
        """What must run alone goes first; other lanes fall idle while any of it waits."""
        quarantine = self._queue.quarantine
        while quarantine and self._lanes.idle:
            lane = next(iter(self._lanes.idle.values()))
            lane.is_solo = True
            self._send(lane, quarantine.popleft(), now)

    def _deal(self, now: float) -> None:
        """Deal out what waits and what is new, to idle lanes first.

        A lane that is at work is sent whole blocks only, unless no more items may come: what little
        waits is worth more where an idle lane can have it at once. And it is sent nothing that may
        wait there for long: a second block saves a fraction of a millisecond.
        """
        tries = MOST_TRIES
        while tries and (self._lanes.idle or self._lanes.half):
            lanes = self._lanes.idle or self._lanes.half
            lane = next(iter(lanes.values()))
            block = self._next_block_for(lane)
            if block is not None:
                self._send(lane, block, now)
                continue
            if lanes is self._lanes.idle:
                return  # there is nothing at all
            # What this one can't use another one may: their turns come round.
            self._lanes.half[lane.number] = self._lanes.half.pop(lane.number)
            tries -= 1

    def _next_block_for(self, lane: Lane) -> Block | None:
        """What a lane should have next: calls take turns."""
        turns = self._turns
        for _ in range(len(turns)):
            block = self._next_block(turns[0], lane)
            if block is None or len(turns) > 1:
                turns.rotate(-1)
            if block is not None:
                return block
        return None

    def _next_block(self, call: int, lane: Lane) -> Block | None:
        """What a lane should have next of a call; ``None`` if it has nothing for it now."""
        state = self._calls[call]
        if state.is_cancelled:
            return None
        source = state.source
        waiting = self._queue.returned(call)
        left = source.left
        if not waiting and not source.ready:
            return None
        is_for_later = bool(lane.holdings) and not lane.has_free_slot_for(call)
        if is_for_later and (lane.is_full or not state.pace.is_worth_queueing):
            return None
        size = state.pace.block_items(None if left is None else left + waiting, self.rules.workers)
        if self.rules.max_lane_items is not None:
            size = min(size, self.rules.max_lane_items - lane.sent_items)
        if waiting:
            return self._queue.take(call, size)
        if is_for_later and left is None and source.ready < size:
            return None
        block = source.take(size)
        if block is not None:
            state.unsettled += len(block.items)
        return block

    def _send(self, lane: Lane, block: Block, now: float) -> None:
        holding = lane.hold(block, self._calls[block.call].traits.slots, now)
        self.story.note(now, "sent", lane.number, block.call, block.first, block.stop)
        self._actions.append(Send(lane.number, holding.number, block))
        self._relief_at = min(self._relief_at, now + STUCK_S)
        self._lanes.place(lane, now)

    def _start_lanes(self, now: float) -> None:
        """Start workers for what no lane has room for."""
        most = self._lanes.may_start
        if not most or self._lanes.idle:
            return
        waiting = len(self._queue.quarantine)
        for call, state in self._calls.items():
            if not state.is_cancelled:
                waiting += self._worth_starting(call, state)
        for _ in range(min(most, waiting - len(self._lanes.starting))):
            self._lanes.start(now)

    def _worth_starting(self, call: int, state: CallState) -> int:
        """How many items of a call wait, unless those who are there are soon done with them."""
        left, item_s = state.source.left, state.pace.item_s
        waiting = self._queue.returned(call) + (state.source.ready if left is None else left)
        if left is not None and item_s is not None:
            lanes = max(1, len(self.lanes)) * state.traits.slots
            if waiting * item_s / lanes < START_S:
                return 0
        return waiting

    def _relieve(self, now: float) -> None:
        """Recall waiting items from a busy lane when others have nothing to do."""
        if self._queue.quarantine or self._lanes.are_all_idle:
            return
        self._relief_at = inf
        best, most_s = None, 0.0
        for lane in self.lanes.values():
            if not lane.holdings or lane.is_solo or not lane.is_at_work:
                continue
            if lane.count <= self._slots(lane):
                continue
            self._relief_at = now + STUCK_S / 4
            waits_s = self._wait_behind(lane, now)
            if waits_s > most_s:
                best, most_s = lane, waits_s
        if best is not None:
            waiting = best.count - self._slots(best)
            idle = len(self._lanes.idle)
            self._lanes.recall(best, -(-waiting * idle // (idle + 1)))
            self._lanes.place(best, now)

    def _wait_behind(self, lane: Lane, now: float) -> float:
        """How long a lane's last item will wait; 0 where moving it does not pay."""
        if lane.is_recalling or now < lane.recall_from:
            return 0.0
        item_s = self._calls[lane.holdings[-1].block.call].pace.item_s or 0.0
        waits_s = max(lane.count * item_s / self._slots(lane), now - lane.last_progress)
        return waits_s if waits_s >= STUCK_S else 0.0

    def _slots(self, lane: Lane) -> int:
        return self._calls[lane.holdings[0].block.call].traits.slots

    def _silence_s(self, lane: Lane) -> float:
        is_cancellable = any(
            self._calls[one.block.call].traits.is_cancellable for one in lane.holdings
        )
        return self.rules.silence_s + (CANCEL_S if is_cancellable else 0.0)

    def _take_actions(self) -> list[Action]:
        actions = self._actions.copy()
        self._actions.clear()
        return actions
