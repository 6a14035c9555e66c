"""Decides which blocks go to which lane, and what becomes of them. Pure: no socket, clock, process.

Events come in as method calls that carry the time, actions go out as a list. The shell around it
(``pool.master``) owns the sockets and the processes. Whatever the order of events, every item that
was drawn is recorded exactly once: it is in one block of ``pool.queue`` or in an unanswered
interval of one lane. The life of lanes (ready, silent, dead, replaced) is ``pool.lifecycle``'s.

On the happy path an event costs the same with two lanes and with a thousand: lanes with credit are
kept in two sets, and only what happens rarely walks them all.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from fsworkers.pool.actions import (
    Action,
    Conclude,
    GiveUp,
    Kill,
    Recall,
    Record,
    Retire,
    Send,
    Start,
    Warn,
)
from fsworkers.pool.blocks import Begun
from fsworkers.pool.failures import (
    ABORTED,
    CANCELLED,
    Again,
    after_death,
    after_overrun,
    as_suspect,
    verdict,
)
from fsworkers.pool.lane import CREDIT_BLOCKS, Lane
from fsworkers.pool.pace import Pace
from fsworkers.pool.queue import Queue
from fsworkers.pool.rules import CANCEL_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fsworkers.pool.blocks import Block, Holding
    from fsworkers.pool.failures import DelayRule, Failure, Verdict
    from fsworkers.pool.rules import Rules
    from fsworkers.pool.wire import Answer

MAX_FAILED_STARTS = 3
"""So many starts in a row without a ready worker mean that the next one fails as well."""

STARTS_AT_ONCE = 8
"""Workers that are started side by side: more would only make each other late."""

MAX_FRUITLESS_DEATHS = 3
"""So many workers in a row that die before they begin what they were sent: it is what they were
sent."""

START_S = 0.1
"""What it costs to start a worker: where less work than this is left for each, none is started."""

SUSPICIOUS_S = 2.0
"""Silence of a busy worker after which it is worth a look; heartbeats come every 0.5 s."""

LOOK_S = 0.5
"""Between two looks at all lanes."""

STUCK_S = 0.02
"""What waits longer than this behind other items is worth moving to an idle lane."""

MOST_TRIES = 4
"""Lanes with credit that are looked at in one turn although they can use nothing of what waits."""

KEPT_EVENTS = 2000
"""How many of the last events ``story`` can tell of."""


class Source(Protocol):
    """Where a call's new items come from."""

    def take(self, most: int) -> Block | None:
        """The next items, up to ``most`` or fewer; ``None`` if none can be had now."""

    @property
    def ready(self) -> int:
        """How many items could be taken now, at least."""

    @property
    def left(self) -> int | None:
        """How many items will still come in all; ``None`` where that is not known."""

    def drain(self) -> Block | None:
        """What was drawn and not taken, because the call is cancelled; ``None`` if nothing was."""


class Traits(NamedTuple):
    """What matters here of a call's task.

    Attributes:
        slots: How many of its items a worker runs at one time.
        is_cancellable: Whether the worker itself ends an attempt that takes too long.
    """

    slots: int = 1
    is_cancellable: bool = False


class CallState:
    """A call as the dispatcher sees it.

    Attributes:
        unsettled: How many of its items were drawn and have not come to an outcome.
    """

    def __init__(self, source: Source, traits: Traits) -> None:
        self.source = source
        self.traits = traits
        self.pace = Pace(traits.slots)
        self.is_cancelled = False
        self.unsettled = 0


class Dispatcher:
    """The state machine behind a pool.

    Args:
        rules: The settings.
        delay_s: How long to wait after a failed attempt, given its number.
    """

    def __init__(self, rules: Rules, delay_s: DelayRule) -> None:
        self.rules = rules
        self.lanes: dict[int, Lane] = {}
        self.restarts = 0
        self.recycled = 0
        self.retries = 0
        self._delay_s = delay_s
        self._calls: dict[int, CallState] = {}
        self._turns: deque[int] = deque()
        self._queue = Queue()
        self._idle: dict[int, Lane] = {}
        self._half: dict[int, Lane] = {}
        self._starting: dict[int, Lane] = {}
        self._next_lane = 0
        self._next_look = 0.0
        self._relief_at = 0.0
        self._was_ready = False
        self._failed_starts = 0
        self._fruitless_deaths = 0
        self._has_given_up = False
        self._events: deque[tuple[float, str, int, int, int, int]] = deque(maxlen=KEPT_EVENTS)
        self._actions: list[Action] = []

    def __repr__(self) -> str:
        return (
            f"<Dispatcher {len(self.lanes)} lanes ({len(self._idle)} idle, "
            f"{len(self._starting)} starting), {self.in_flight} in flight, {self.queued} queued>"
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

    def is_ready(self, number: int) -> bool:
        """Whether a worker has reported ready."""
        lane = self.lanes.get(number)
        return lane is not None and lane.is_ready

    def next_tick(self, now: float) -> float | None:
        """When there is something to decide or to look at; ``None`` if only events can matter."""
        times: list[float] = []
        if len(self._idle) < len(self.lanes):
            times.append(max(now, self._next_look))
            if self._idle and self._relief_at < inf:
                times.append(max(now, self._relief_at))
        if self._queue.next_release is not None:
            times.append(self._queue.next_release)
        return min(times, default=None)

    def silent_lanes(self, now: float) -> list[int]:
        """Lanes that should have been heard from some time ago: the shell may look at them."""
        return [
            lane.number
            for lane in self.lanes.values()
            if (lane.holdings or not lane.is_ready)
            and not lane.is_condemned
            and now - lane.last_heard >= SUSPICIOUS_S
        ]

    def story(self, call: int, index: int) -> list[str]:
        """What happened to an item, as far as it is remembered, a line an event."""
        return [
            f"{at:.6f} {what} lane {lane}: {start} to {stop - 1}"
            for at, what, lane, of, start, stop in self._events
            if of == call and start <= index < stop
        ]

    def lane_story(self, number: int) -> list[str]:
        """What happened to a lane, as far as it is remembered, a line an event."""
        return [
            f"{at:.6f} {what}: call {of}, {start} to {stop - 1}" if of >= 0 else f"{at:.6f} {what}"
            for at, what, lane, of, start, stop in self._events
            if lane == number
        ]

    # Events: calls

    def open(self, now: float, count: int = 1) -> list[Action]:
        """Start the first workers; further ones are started as there is work for them."""
        for _ in range(min(count, self.rules.workers)):
            self._start_lane(now)
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
        self._drop_waiting(call)
        for lane in self.lanes.values():
            if any(holding.block.call == call for holding in lane.holdings):
                self._recall(lane, lane.count)
                self._place(lane, now)
        return self._decide(now)

    def abort(self, call: int, now: float) -> list[Action]:
        """Drop all items of a call; workers that may be running one are killed."""
        self._drop_waiting(call)
        for lane in self.lanes.values():
            dropped = [one for one in lane.holdings if one.block.call == call]
            for holding in dropped:
                for block in list(holding.rest()):
                    self._conclude(block, ABORTED, lane.number, block.history.attempt)
                holding.open.clear()
                lane.drop_if_answered(holding)
            if dropped and not lane.is_condemned:
                self._kill(lane, "its items were cancelled", now)
        return self._decide(now)

    # Events: workers

    def ready(self, number: int, now: float) -> list[Action]:
        """A worker reports that it can run items."""
        lane = self.lanes.get(number)
        if lane is None or lane.is_ready:
            return []
        lane.is_ready = self._was_ready = True
        lane.last_heard = lane.last_progress = now
        self._failed_starts = 0
        self._starting.pop(number, None)
        self._note(now, "ready", number)
        return self._decide(now, lane)

    def starts_later(self, number: int, now: float) -> None:
        """A worker can't be started yet; once the pool has been at work, there is time for it."""
        lane = self.lanes.get(number)
        if lane is not None and self._was_ready:
            lane.deadline = now + self.rules.ready_s

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
        self._fruitless_deaths = 0
        self._note(now, "answered", number, block.call, answer.start, answer.stop)
        done = answer.stop - answer.start - len(answer.failures)
        if done:
            state.unsettled -= done
            self._actions.append(Record(block, answer, columns))
        for failed in answer.failures:
            decided = verdict(block.history, failed.failure, self.rules, self._delay_s)
            one = block.part(failed.position, failed.position + 1)
            self._follow(decided, one, now, number, failed.duration_s, failed.size, failed.mtime_ns)
        return self._decide(now, lane)

    def heard(
        self, number: int, running: Iterable[tuple[int, int, float]], now: float
    ) -> list[Action]:
        """A heartbeat: which items run in the worker, and for how many seconds."""
        lane = self.lanes.get(number)
        if lane is None or lane.is_condemned:
            return []
        lane.last_heard = now
        overdue: list[tuple[Holding, int]] = []
        for block_number, index, elapsed_s in running:
            holding = lane.find(block_number)
            if holding is not None and holding.has(index) and self._is_overdue(holding, elapsed_s):
                overdue.append((holding, index))
        if overdue:
            self._time_out(lane, overdue, now)
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
                self._note(now, "returned", number, holding.block.call, start, stop)
                self._requeue(holding.block.part(start, stop))
        return self._decide(now, lane)

    def died(self, number: int, reason: str, begun: Begun | None, now: float) -> list[Action]:
        """A worker's process has ended.

        Args:
            number: The worker's.
            reason: How, in words.
            begun: What it had begun last; ``None`` for nothing.
            now: The time.
        """
        lane = self.lanes.pop(number, None)
        if lane is None:
            return []
        for lanes in (self._idle, self._half, self._starting):
            lanes.pop(number, None)
        self._note(now, f"died ({reason})", number)
        if not lane.is_ready:
            self._failed_starts += 1
        self._take_apart(lane, reason, begun, now)
        if lane.is_retiring and not lane.holdings:
            self.recycled += 1
            self._start_lane(now)
        elif lane.is_ready or self._failed_starts < MAX_FAILED_STARTS:
            self.restarts += 1
            self._start_lane(now)
        elif self.lanes:
            self._warn(
                f"worker {number} was not ready before it ended, and is not replaced: {reason}"
            )
        else:
            self._give_up(f"workers die before they are ready: {reason}")
        return self._decide(now)

    def stopped(self, number: int, now: float) -> list[Action]:
        """A worker's process has been stopped (SIGSTOP): it is as good as hung."""
        lane = self.lanes.get(number)
        if lane is not None and not lane.is_condemned:
            lane.is_hung = True
            self._kill(lane, "it was stopped", now)
        return self._decide(now)

    # Events: time

    def overslept(self, by_s: float) -> None:
        """Everybody stood still for a while (a suspended machine): no lane was silent then."""
        for lane in self.lanes.values():
            lane.last_heard += by_s
            lane.deadline += by_s

    def tick(self, now: float) -> list[Action]:
        """Time has passed: deadlines, delayed retries, silent workers."""
        self._queue.release(now)
        if now >= self._next_look:
            self._next_look = now + LOOK_S
            for lane in list(self.lanes.values()):
                self._look_at(lane, now)
        return self._decide(now)

    def _look_at(self, lane: Lane, now: float) -> None:
        if lane.is_condemned:
            return
        if not lane.is_ready:
            if now >= lane.deadline:
                self._expire(lane, now)
            else:
                self._next_look = min(self._next_look, lane.deadline)
        elif lane.holdings and now - lane.last_heard >= self._silence_s(lane):
            lane.is_hung = True
            self._kill(lane, f"no sign of life for {self._silence_s(lane):g} s", now)

    # Dealing

    def _decide(self, now: float, *lanes: Lane) -> list[Action]:
        """Do all that follows: whoever changed a lane names it."""
        for lane in lanes:
            self._place(lane, now)
        if self._queue.quarantine:
            self._send_alone(now)
        if not self._queue.quarantine:
            self._deal(now)
        if not self._has_given_up:
            self._start_lanes(now)
        if self._idle and now >= self._relief_at:
            self._relieve(now)
        return self._take_actions()

    def _place(self, lane: Lane, now: float) -> None:
        """Put a lane where its credit says that it belongs; let it go if it has had enough."""
        self._idle.pop(lane.number, None)
        self._half.pop(lane.number, None)
        if lane.is_at_work and self._has_had_enough(lane):
            lane.is_retiring = True
            if self._has_grown_too_large(lane):
                self._recall(lane, lane.count)
        if lane.is_retiring and not (lane.holdings or lane.is_told_to_end or lane.is_condemned):
            lane.is_told_to_end = True
            self._note(now, "retired", lane.number)
            self._actions.append(Retire(lane.number))
        credit = lane.credit
        if credit == CREDIT_BLOCKS:
            self._idle[lane.number] = lane
        elif credit > 0:
            self._half[lane.number] = lane

    def _send_alone(self, now: float) -> None:
        """What must run alone goes first; other lanes fall idle while any of it waits."""
        quarantine = self._queue.quarantine
        while quarantine and self._idle:
            lane = next(iter(self._idle.values()))
            lane.is_solo = True
            self._send(lane, quarantine.popleft(), now)

    def _deal(self, now: float) -> None:
        """Deal out what waits and what is new, to idle lanes first.

        A lane that is at work is sent whole blocks only, unless no more items may come: what little
        waits is worth more where an idle lane can have it at once. And it is sent nothing that may
        wait there for long: a second block saves a fraction of a millisecond.
        """
        tries = MOST_TRIES
        while tries and (self._idle or self._half):
            lanes = self._idle or self._half
            lane = next(iter(lanes.values()))
            block = self._next_block_for(lane)
            if block is not None:
                self._send(lane, block, now)
                continue
            if lanes is self._idle:
                return  # there is nothing at all
            # What this one can't use another one may: their turns come round.
            self._half[lane.number] = self._half.pop(lane.number)
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
        self._note(now, "sent", lane.number, block.call, block.first, block.stop)
        self._actions.append(Send(lane.number, holding.number, block))
        self._relief_at = min(self._relief_at, now + STUCK_S)
        self._place(lane, now)

    def _start_lanes(self, now: float) -> None:
        """Start workers for what no lane has room for."""
        room = self.rules.workers - len(self.lanes)
        if room <= 0 or self._idle or len(self._starting) >= STARTS_AT_ONCE:
            return
        waiting = len(self._queue.quarantine)
        for call, state in self._calls.items():
            if not state.is_cancelled:
                waiting += self._worth_starting(call, state)
        most = min(room, STARTS_AT_ONCE - len(self._starting), waiting - len(self._starting))
        for _ in range(most):
            self._start_lane(now)

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
        if self._queue.quarantine or len(self._idle) == len(self.lanes):
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
            idle = len(self._idle)
            self._recall(best, -(-waiting * idle // (idle + 1)))
            self._place(best, now)

    def _wait_behind(self, lane: Lane, now: float) -> float:
        """How long a lane's last item will wait; 0 where moving it does not pay."""
        if lane.is_recalling or now < lane.recall_from:
            return 0.0
        item_s = self._calls[lane.holdings[-1].block.call].pace.item_s or 0.0
        waits_s = max(lane.count * item_s / self._slots(lane), now - lane.last_progress)
        return waits_s if waits_s >= STUCK_S else 0.0

    def _slots(self, lane: Lane) -> int:
        return self._calls[lane.holdings[0].block.call].traits.slots

    def _recall(self, lane: Lane, most: int) -> None:
        if most > 0 and not (lane.is_recalling or lane.is_condemned):
            lane.is_recalling = True
            self._actions.append(Recall(lane.number, most))

    # What becomes of items

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
                self._conclude(again, CANCELLED, None, block.history.attempt)
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

    def _requeue(self, block: Block) -> None:
        """Items that are not to blame for anything: before all others."""
        if self._calls[block.call].is_cancelled:
            self._conclude(block, CANCELLED, None, block.history.attempt - 1)
        else:
            self._queue.put(block)

    def _conclude(self, block: Block, failure: Failure, worker: int | None, attempts: int) -> None:
        """Items of a cancelled call."""
        self._calls[block.call].unsettled -= len(block.items)
        self._actions.append(Conclude(block, "cancelled", failure, worker, attempts))

    def _drop_waiting(self, call: int) -> None:
        state = self._calls[call]
        state.is_cancelled = True
        for block in self._queue.drop(call):
            self._conclude(block, CANCELLED, None, block.history.attempt - 1)
        while (drawn := state.source.drain()) is not None:
            state.unsettled += len(drawn.items)
            self._conclude(drawn, CANCELLED, None, 0)

    def _take_apart(self, lane: Lane, reason: str, begun: Begun | None, now: float) -> None:
        """Decide on what a dead worker had not answered for."""
        suspects: list[Block] = []
        innocent: list[Block] = []
        is_others_fault = lane.is_condemned and not lane.is_hung
        if (
            lane.holdings
            and not is_others_fault
            and lane.find(begun.number if begun else -1) is None
        ):
            # It began nothing of this: nobody is to blame, unless it goes on like that.
            self._fruitless_deaths += 1
            if self._fruitless_deaths >= MAX_FRUITLESS_DEATHS:
                first = lane.holdings[0]
                begun = Begun(first.number, first.open[0][0], first.open[0][0] + 1)
        for holding in lane.holdings:
            for block in holding.rest():
                if is_others_fault or begun is None:
                    innocent.append(block)
                    continue
                low, high = self._suspected(holding, begun)
                for start, stop, parts in (
                    (block.first, min(low, block.stop), innocent),
                    (max(low, block.first), min(high, block.stop), suspects),
                    (max(high, block.first), block.stop, innocent),
                ):
                    if start < stop:
                        parts.append(block.part(start, stop))
        for block in reversed(innocent):
            self._requeue(block)
        ones = [
            block.single(index, block.history)
            for block in suspects
            for index in range(block.first, block.stop)
        ]
        for one in ones:
            if self._calls[one.call].is_cancelled:
                self._conclude(one, CANCELLED, None, one.history.attempt)
            elif not lane.is_hung or self.rules.timeout_s is None:
                decided = after_death(
                    one.history, reason, self.rules,
                    is_certain=len(ones) == 1, is_hung=lane.is_hung,
                )  # fmt: skip
                self._follow(decided, one, now, lane.number)
            elif len(ones) == 1:
                decided = after_overrun(one.history, self.rules, self._delay_s)
                self._follow(decided, one, now, lane.number, self.rules.timeout_s)
            else:
                self._queue.put(one.single(one.first, as_suspect(one.history)))

    def _suspected(self, holding: Holding, begun: Begun) -> tuple[int, int]:
        """Which indices of a holding its worker may have been running."""
        is_serial = self._calls[holding.block.call].traits.slots == 1
        if holding.number == begun.number:
            return (begun.start if is_serial else holding.block.first), begun.stop
        if holding.number < begun.number and not is_serial:
            return holding.block.first, holding.block.stop
        return holding.block.first, holding.block.first

    def _is_overdue(self, holding: Holding, elapsed_s: float) -> bool:
        if self.rules.timeout_s is None:
            return False
        is_cancellable = self._calls[holding.block.call].traits.is_cancellable
        return elapsed_s > self.rules.timeout_s + (CANCEL_S if is_cancellable else 0.0)

    def _time_out(self, lane: Lane, overdue: Sequence[tuple[Holding, int]], now: float) -> None:
        """Kill a worker for the sake of items that overran.

        Where it is more than one, any of them may have held up the others (C code that keeps the
        interpreter lock does, and a coroutine that blocks its loop): each runs again alone.
        """
        for holding, index in overdue:
            holding.take(index, index + 1)
            lane.drop_if_answered(holding)
            one = holding.block.part(index, index + 1)
            if self._calls[one.call].is_cancelled:
                self._conclude(one, ABORTED, lane.number, one.history.attempt)
            elif len(overdue) == 1:
                decided = after_overrun(one.history, self.rules, self._delay_s)
                self._follow(decided, one, now, lane.number, self.rules.timeout_s or 0.0)
            else:
                self._queue.put(one.single(index, as_suspect(one.history)))
        self._kill(lane, f"an item took longer than {self.rules.timeout_s:g} s", now)

    # The life of lanes

    def _start_lane(self, now: float) -> None:
        number = self._next_lane
        self._next_lane += 1
        lane = Lane(number, now, now + self.rules.ready_s)
        self.lanes[number] = self._starting[number] = lane
        self._next_look = min(self._next_look, now + LOOK_S)
        self._note(now, "started", number)
        self._actions.append(Start(number))

    def _kill(self, lane: Lane, reason: str, now: float) -> None:
        lane.is_condemned = True
        self._idle.pop(lane.number, None)
        self._half.pop(lane.number, None)
        self._note(now, f"killed ({reason})", lane.number)
        self._actions.append(Kill(lane.number, reason))

    def _expire(self, lane: Lane, now: float) -> None:
        """A worker should have been ready by now: the pool can't work, or goes on without it."""
        if not self._was_ready:
            self._give_up(f"no worker was ready within {self.rules.ready_s:g} s")
            return
        self._warn(f"worker {lane.number} was not ready within {self.rules.ready_s:g} s")
        self._kill(lane, "it was not ready in time", now)

    def _silence_s(self, lane: Lane) -> float:
        is_cancellable = any(
            self._calls[one.block.call].traits.is_cancellable for one in lane.holdings
        )
        return self.rules.silence_s + (CANCEL_S if is_cancellable else 0.0)

    def _has_had_enough(self, lane: Lane) -> bool:
        most_items = self.rules.max_lane_items
        has_run_enough = most_items is not None and lane.sent_items >= most_items
        return has_run_enough or self._has_grown_too_large(lane)

    def _has_grown_too_large(self, lane: Lane) -> bool:
        most_bytes = self.rules.max_rss_bytes
        return most_bytes is not None and lane.rss_bytes > most_bytes

    def _warn(self, message: str) -> None:
        self._actions.append(Warn(message))

    def _give_up(self, reason: str) -> None:
        if not self._has_given_up:
            self._has_given_up = True
            self._actions.append(GiveUp(reason))

    def _note(
        self, now: float, what: str, lane: int, call: int = -1, start: int = 0, stop: int = 0
    ) -> None:
        self._events.append((now, what, lane, call, start, stop))

    def _take_actions(self) -> list[Action]:
        actions, self._actions = self._actions, []
        return actions
