"""The dispatcher under any order of events: every item gets exactly one outcome."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

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
)
from fsworkers.pool.call_state import Traits
from fsworkers.pool.dispatcher import Dispatcher
from fsworkers.pool.failures import Failure
from fsworkers.pool.rules import Rules
from fsworkers.pool.settlement import MAX_FRUITLESS_DEATHS
from fsworkers.pool.wire import Answer
from tests.unit.pool.scripted import ScriptedSource, ScriptedWorker

TRANSIENT = Failure("OSError: again", is_transient=True)
STARVED = Failure("OSError: EMFILE", is_starved=True)
LASTING = Failure("ValueError: no")
DUBIOUS = Failure("OSError: EIO", is_transient=True, is_dubious=True)
OVERDUE = Failure("TimeoutError", is_overdue=True)
DEFERRED = Failure("RetryLater: not yet", retry_s=0.05)
SKIPPED = Failure("no picture", is_skip=True)
FAILURES = [TRANSIENT, STARVED, LASTING, DUBIOUS, OVERDUE, DEFERRED, SKIPPED]
SERIAL, SIDE_BY_SIDE = 0, 1
SLOTS = 3


class DispatcherMachine(RuleBasedStateMachine):
    """Plays the shell and the workers: delays, reorders, kills, loses and repeats at will."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.workers: dict[int, ScriptedWorker] = {}
        self.sources = [ScriptedSource(SERIAL), ScriptedSource(SIDE_BY_SIDE)]
        self.outcomes: Counter[tuple[int, int]] = Counter()
        self.was_begun: set[tuple[int, int]] = set()
        self.unsent: list[tuple[int, Answer]] = []
        self.has_given_up = False
        self.is_tight = False
        self.dispatcher: Dispatcher | None = None

    @initialize(
        workers=st.integers(1, 4),
        retries=st.integers(0, 2),
        timeout=st.booleans(),
        max_lane_items=st.none() | st.integers(1, 20),
        max_deaths=st.integers(1, 3),
    )
    def open(
        self,
        workers: int,
        retries: int,
        timeout: bool,
        max_lane_items: int | None,
        max_deaths: int,
    ) -> None:
        """Start."""
        rules = Rules(
            workers,
            retries=retries,
            timeout_s=1.0 if timeout else None,
            max_lane_items=max_lane_items,
            max_deaths=max_deaths,
            max_rss_bytes=1000,
        )
        self.max_lane_items = max_lane_items
        self.dispatcher = Dispatcher(rules, lambda attempt: 0.01 * attempt)
        self.perform(self.dispatcher.open(self.now))
        self.perform(self.dispatcher.add_call(SERIAL, self.sources[0], Traits(), self.now))
        traits = Traits(slots=SLOTS, is_cancellable=True)
        self.perform(self.dispatcher.add_call(SIDE_BY_SIDE, self.sources[1], traits, self.now))

    @property
    def pool(self) -> Dispatcher:
        """The dispatcher, which is there from the first step on."""
        assert self.dispatcher is not None
        return self.dispatcher

    def perform(self, actions: list[Action]) -> None:  # noqa: C901  (one branch an action)
        """Carry actions out as the shell would."""
        for action in actions:
            if isinstance(action, Start):
                self.workers[action.lane] = ScriptedWorker(action.lane)
            elif isinstance(action, Send):
                self.send(self.workers[action.lane], action)
            elif isinstance(action, Recall):
                self.workers[action.lane].recalls.append(action.most)
            elif isinstance(action, Record):
                answer = action.answer
                failed = {one.position for one in answer.failures}
                for index in range(answer.start, answer.stop):
                    if index not in failed:
                        self.outcomes[action.block.call, index] += 1
            elif isinstance(action, Conclude):
                self.conclude(action)
            elif isinstance(action, Kill):
                self.die(action.lane)
            elif isinstance(action, Retire):
                assert not self.workers[action.lane].holdings
                self.workers[action.lane].is_retired = True
            elif isinstance(action, GiveUp):
                self.has_given_up = True

    def send(self, worker: ScriptedWorker, send: Send) -> None:
        """A block arrives, which must be one that the worker may be given."""
        block = send.block
        assert not self.is_tight, "nothing new is begun while it holds back"
        assert worker.is_ready, "no item leaves before its worker is ready"
        assert not worker.is_retired, "no item is sent to a worker that was told to end"
        held = sum(holding.count for holding in worker.holdings)
        assert len(worker.holdings) < 2 or (block.call == SIDE_BY_SIDE and held < SLOTS), "credit"
        assert len(block.items) == 1 or block.history == (1, 0, 0, 0, 0, False)
        if block.history.must_run_alone:
            assert not worker.holdings, "what must run alone is alone"
        worker.take(send)
        assert self.max_lane_items is None or worker.taken <= self.max_lane_items

    def conclude(self, action: Conclude) -> None:
        """Items came to an outcome that is not ``done``."""
        block = action.block
        for index in range(block.first, block.stop):
            self.outcomes[block.call, index] += 1
            if action.status in {"crashed", "timed_out"}:
                is_suspected = self.pool._settlement.fruitless_deaths >= MAX_FRUITLESS_DEATHS
                assert is_suspected or (block.call, index) in self.was_begun, "a beginning"

    def note_begun(self, worker: ScriptedWorker) -> None:
        """Remember what was begun, for what may be blamed later."""
        if worker.begun is not None and worker.holdings:
            holding = worker.holdings[0]
            if holding.number == worker.begun.number:
                self.was_begun.add((holding.block.call, worker.begun.start))

    def die(self, number: int) -> None:
        """A worker ends with all that it holds."""
        worker = self.workers.pop(number, None)
        if worker is not None:
            self.perform(self.pool.died(number, "killed by SIGKILL", worker.begun, self.now))

    def pick(self, choice: int) -> ScriptedWorker | None:
        """One of the workers."""
        workers = list(self.workers.values())
        return workers[choice % len(workers)] if workers else None

    @rule(count=st.integers(1, 40), call=st.integers(0, 1))
    def draw(self, count: int, call: int) -> None:
        """Items come in."""
        if not self.sources[call].is_complete:
            self.sources[call].drawn += count
            self.perform(self.pool.supplied(self.now))

    @rule(call=st.integers(0, 1))
    def complete(self, call: int) -> None:
        """No more will come."""
        self.sources[call].is_complete = True
        self.perform(self.pool.supplied(self.now))

    @rule(choice=st.integers(0, 3))
    def get_ready(self, choice: int) -> None:
        """A worker reports ready."""
        worker = self.pick(choice)
        if worker is not None:
            worker.is_ready = True
            self.perform(self.pool.ready(worker.number, self.now))

    @rule(choice=st.integers(0, 3))
    def begin(self, choice: int) -> None:
        """A worker begins an item."""
        worker = self.pick(choice)
        if worker is not None:
            worker.begin()
            self.note_begun(worker)

    @rule(
        choice=st.integers(0, 3),
        count=st.integers(1, 10),
        failure=st.none() | st.sampled_from(FAILURES),
        seconds=st.sampled_from([1e-6, 1e-3, 0.2]),
        is_held_up=st.booleans(),
    )
    def answer(
        self, choice: int, count: int, failure: Failure | None, seconds: float, is_held_up: bool
    ) -> None:
        """A worker finishes items; the answer may arrive much later."""
        worker = self.pick(choice)
        if worker is None:
            return
        worker.begin()
        self.note_begun(worker)
        call = worker.holdings[0].block.call if worker.holdings else 0
        answer = worker.finish(count, failure, seconds)
        if answer is None:
            return
        self.was_begun |= {(call, index) for index in range(answer.start, answer.stop)}
        if is_held_up:
            self.unsent.append((worker.number, answer))
        else:
            self.catch_up(worker.number)
            self.perform(self.pool.answered(worker.number, answer, None, self.now))

    def catch_up(self, number: int) -> None:
        """What a worker sends arrives in order."""
        late = [answer for sender, answer in self.unsent if sender == number]
        self.unsent = [entry for entry in self.unsent if entry[0] != number]
        for answer in late:
            self.perform(self.pool.answered(number, answer, None, self.now))

    @precondition(lambda self: self.unsent)
    @rule()
    def arrive_late(self) -> None:
        """An answer arrives that was held up, perhaps after the news of its worker's death."""
        number, answer = self.unsent.pop(0)
        self.perform(self.pool.answered(number, answer, None, self.now))

    @rule(choice=st.integers(0, 3), kept=st.integers(0, 3))
    def give_back(self, choice: int, kept: int) -> None:
        """A worker answers a recall with what it has not begun."""
        worker = self.pick(choice)
        if worker is not None and worker.recalls:
            spans = worker.give_back(worker.recalls.popleft(), kept)
            self.catch_up(worker.number)
            self.perform(self.pool.returned(worker.number, spans, self.now))

    @rule(is_tight=st.booleans())
    def hold_back(self, is_tight: bool) -> None:
        """The machine has no room for more, or has it again."""
        self.is_tight = is_tight
        self.perform(self.pool.hold_back("no room" if is_tight else None, self.now))

    @rule(choice=st.integers(0, 3))
    def kill(self, choice: int) -> None:
        """A worker dies."""
        worker = self.pick(choice)
        if worker is not None:
            self.die(worker.number)

    @rule(seconds=st.sampled_from([0.001, 0.03, 0.5, 5.0, 60.0]))
    def pass_time(self, seconds: float) -> None:
        """Time passes; live workers send heartbeats unless too much of it has passed."""
        self.now += seconds
        self.perform(self.pool.tick(self.now))

    @rule(choice=st.integers(0, 3), elapsed=st.sampled_from([0.1, 0.9, 1.5, 2.5]))
    def heartbeat(self, choice: int, elapsed: float) -> None:
        """A worker tells what it runs."""
        worker = self.pick(choice)
        if worker is not None and worker.is_ready:
            worker.begin()
            self.note_begun(worker)
            running = []
            if worker.holdings:
                running = [(worker.holdings[0].number, worker.holdings[0].open[0][0], elapsed)]
            self.perform(self.pool.heard(worker.number, running, self.now))

    @rule(choice=st.integers(0, 3), rss_bytes=st.sampled_from([500, 1500]))
    def weigh(self, choice: int, rss_bytes: int) -> None:
        """A worker tells how much memory it has."""
        worker = self.pick(choice)
        if worker is not None:
            self.pool.weighed(worker.number, rss_bytes)

    @rule(choice=st.integers(0, 3))
    def end(self, choice: int) -> None:
        """A worker that was told to end does so."""
        worker = self.pick(choice)
        if worker is not None and worker.is_retired:
            self.die(worker.number)

    @rule(choice=st.integers(0, 3))
    def stop(self, choice: int) -> None:
        """A worker is found stopped."""
        worker = self.pick(choice)
        if worker is not None and worker.number in self.pool.silent_lanes(self.now):
            self.perform(self.pool.stopped(worker.number, self.now))

    @rule(seconds=st.sampled_from([1.0, 100.0]))
    def sleep_all(self, seconds: float) -> None:
        """The whole machine stands still: nobody is killed for that."""
        self.now += seconds
        self.pool.overslept(seconds)

    @rule()
    def abort(self) -> None:
        """The caller of one call wants out at once."""
        self.perform(self.pool.abort(SIDE_BY_SIDE, self.now))
        for lane in self.pool.lanes.values():
            assert all(holding.block.call != SIDE_BY_SIDE for holding in lane.holdings)

    @rule()
    def cancel(self) -> None:
        """The caller of one call loses interest."""
        self.perform(self.pool.cancel(SIDE_BY_SIDE, self.now))

    @invariant()
    def never_two_outcomes(self) -> None:
        """No item is recorded twice, and no more are anywhere than were taken."""
        if self.dispatcher is None:
            return
        assert max(self.outcomes.values(), default=0) <= 1
        unsettled = sum(source.taken for source in self.sources) - len(self.outcomes)
        assert self.pool.queued + self.pool.in_flight == unsettled

    @invariant()
    def there_is_always_somebody(self) -> None:
        """There is a worker, and a finite time at which to look again while it is busy."""
        if self.dispatcher is None or self.has_given_up:
            return
        assert self.workers
        next_tick = self.pool.next_tick(self.now)
        is_busy = any(
            lane.holdings or not lane.is_ready or lane.is_condemned
            for lane in self.pool.lanes.values()
        )
        assert next_tick is not None or not is_busy
        assert next_tick is None or math.isfinite(next_tick)

    @invariant()
    def nothing_waits_while_somebody_is_idle(self) -> None:
        """What could be dealt out is."""
        if self.dispatcher is None:
            return
        is_idle = any(
            lane.is_at_work and not lane.holdings and not lane.is_recalling
            for lane in self.pool.lanes.values()
        )
        if is_idle and not self.is_tight and SIDE_BY_SIDE not in self.cancelled_calls():
            assert not any(source.ready for source in self.sources)

    def cancelled_calls(self) -> set[int]:
        """Calls of which nothing is dealt out any more."""
        return {n for n, state in self.pool._calls.items() if state.is_cancelled}

    def teardown(self) -> None:
        """Let everything that is left run its course: each item has exactly one outcome."""
        if self.dispatcher is None:
            return
        for source in self.sources:
            source.is_complete = True
        self.hold_back(is_tight=False)
        for _ in range(20_000):
            if self.is_all_settled() or self.has_given_up:
                break
            self.settle_a_little()
        if not self.has_given_up:
            assert self.is_all_settled()
            assert set(self.outcomes.values()) <= {1}
            assert all(self.pool.drop_call(call) for call in (SERIAL, SIDE_BY_SIDE))

    def is_all_settled(self) -> bool:
        """Whether everything that was drawn has come to an outcome, or is not wanted any more."""
        drawn = sum(
            source.taken if source.call in self.cancelled_calls() else source.drawn
            for source in self.sources
        )
        return len(self.outcomes) == drawn

    def settle_a_little(self) -> None:
        """Every worker does what it owes."""
        self.now += 0.02
        for worker in list(self.workers.values()):
            if worker.is_retired:
                self.die(worker.number)
                continue
            if not worker.is_ready:
                worker.is_ready = True
                self.perform(self.pool.ready(worker.number, self.now))
            self.catch_up(worker.number)
            while worker.recalls:
                worker.recalls.popleft()
                self.perform(self.pool.returned(worker.number, [], self.now))
            while worker.number in self.workers and (answer := worker.finish(1000)) is not None:
                self.perform(self.pool.answered(worker.number, answer, None, self.now))
        self.perform(self.pool.tick(self.now))


TestDispatcher = DispatcherMachine.TestCase
TestDispatcher.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
