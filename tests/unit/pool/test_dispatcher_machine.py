"""The dispatcher under any order of events: every job gets exactly one outcome."""

from __future__ import annotations

import math
import random
from collections import Counter, deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fsworkers.model import Job
from fsworkers.pool.actions import (
    Action,
    Failure,
    GiveUp,
    Kill,
    Recall,
    Record,
    Retire,
    Row,
    Send,
    Start,
)
from fsworkers.pool.dispatcher import Dispatcher, RunTraits
from fsworkers.pool.rules import Rules

TRANSIENT = Failure("OSError: again", is_transient=True)
STARVED = Failure("OSError: EMFILE", is_starved=True)
LASTING = Failure("ValueError: no")
DUBIOUS = Failure("OSError: EIO", is_transient=True, is_dubious=True)
OVERDUE = Failure("TimeoutError", is_overdue=True)
DEFERRED = Failure("RetryLater: not yet", retry_s=0.05)
SKIPPED = Failure("no picture", is_skip=True)
FAILURES = [TRANSIENT, STARVED, LASTING, DUBIOUS, OVERDUE, DEFERRED, SKIPPED]


class ScriptedWorker:
    """A worker whose every step the test decides: it holds jobs and answers when it is told to."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_ready = False
        self.is_retired = False
        self.taken = 0
        self.jobs: deque[Job] = deque()
        self.recalls: deque[int] = deque()


class DispatcherMachine(RuleBasedStateMachine):
    """Plays the shell and the workers: delays, reorders, kills, loses and repeats at will."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.workers: dict[int, ScriptedWorker] = {}
        self.added: list[int] = []
        self.outcomes: Counter[int] = Counter()
        self.statuses: Counter[str] = Counter()
        self.unsent: list[tuple[int, list[Row]]] = []
        self.has_given_up = False
        self.random = random.Random(0)

    @initialize(
        workers=st.integers(1, 4),
        retries=st.integers(0, 2),
        timeout=st.booleans(),
        max_lane_jobs=st.none() | st.integers(1, 20),
    )
    def open(self, workers: int, retries: int, timeout: bool, max_lane_jobs: int | None) -> None:
        """Start."""
        rules = Rules(
            workers,
            retries=retries,
            timeout_s=1.0 if timeout else None,
            max_lane_jobs=max_lane_jobs,
            max_rss_bytes=1000,
        )
        self.max_lane_jobs = max_lane_jobs
        self.dispatcher = Dispatcher(rules, lambda attempt: 0.01 * attempt)
        self.dispatcher.add_run(0, RunTraits())
        self.dispatcher.add_run(1, RunTraits(slots=3, is_cancellable=True))
        self.perform(self.dispatcher.open(self.now))

    def perform(self, actions: list[Action]) -> None:
        """Carry actions out as the shell would."""
        for action in actions:
            if isinstance(action, Start):
                self.workers[action.lane] = ScriptedWorker(action.lane)
            elif isinstance(action, Send):
                self.send(self.workers[action.lane], action.jobs)
            elif isinstance(action, Recall):
                self.workers[action.lane].recalls.append(action.most)
            elif isinstance(action, Record):
                for job, outcome, _ in action.settled:
                    self.outcomes[job.id] += 1
                    self.statuses[outcome.status] += 1
            elif isinstance(action, Kill):
                self.die(action.lane)
            elif isinstance(action, Retire):
                assert not self.workers[action.lane].jobs
                self.workers[action.lane].is_retired = True
            elif isinstance(action, GiveUp):
                self.has_given_up = True

    def send(self, worker: ScriptedWorker, jobs: list[Job]) -> None:
        """A block arrives, which must be one that the worker may be given."""
        assert worker.is_ready, "no job leaves before its worker is ready"
        assert not worker.is_retired, "no job is sent to a worker that was told to end"
        assert len({job.run for job in jobs}) == 1
        worker.jobs.extend(jobs)
        worker.taken += len(jobs)
        assert self.max_lane_jobs is None or worker.taken <= self.max_lane_jobs

    def die(self, number: int) -> None:
        """A worker ends with all that it holds."""
        if self.workers.pop(number, None) is not None:
            self.perform(self.dispatcher.died(number, "killed by SIGKILL", self.now))

    def pick(self, choice: int) -> ScriptedWorker | None:
        """One of the workers."""
        workers = list(self.workers.values())
        return workers[choice % len(workers)] if workers else None

    @rule(count=st.integers(1, 40), run=st.integers(0, 1))
    def add(self, count: int, run: int) -> None:
        """Jobs come in."""
        first = len(self.added)
        jobs = [Job(first + i, run, "item", "item") for i in range(count)]
        self.added += [job.id for job in jobs]
        self.perform(self.dispatcher.add(jobs, self.now))

    @rule(choice=st.integers(0, 3))
    def get_ready(self, choice: int) -> None:
        """A worker reports ready."""
        worker = self.pick(choice)
        if worker is not None:
            worker.is_ready = True
            self.perform(self.dispatcher.ready(worker.number, self.now))

    @rule(
        choice=st.integers(0, 3),
        count=st.integers(1, 10),
        failure=st.none() | st.sampled_from(FAILURES),
        is_out_of_order=st.booleans(),
        is_held_up=st.booleans(),
    )
    def answer(
        self,
        choice: int,
        count: int,
        failure: Failure | None,
        is_out_of_order: bool,
        is_held_up: bool,
    ) -> None:
        """A worker finishes jobs; the report may arrive much later."""
        worker = self.pick(choice)
        if worker is None:
            return
        rows: list[Row] = []
        for _ in range(min(count, len(worker.jobs))):
            job = worker.jobs.pop() if is_out_of_order else worker.jobs.popleft()
            seconds = self.random.choice([1e-6, 1e-3, 0.2])
            rows.append((job.id, None, failure, None, seconds, None))
        if is_held_up:
            self.unsent.append((worker.number, rows))
        else:
            self.perform(self.dispatcher.results(worker.number, rows, self.now))

    @precondition(lambda self: self.unsent)
    @rule()
    def arrive_late(self) -> None:
        """A report arrives that was held up, perhaps after the news of its worker's death."""
        number, rows = self.unsent.pop(0)
        self.perform(self.dispatcher.results(number, rows, self.now))

    @rule(choice=st.integers(0, 3), started=st.integers(0, 3))
    def give_back(self, choice: int, started: int) -> None:
        """A worker answers a recall with what it has not started."""
        worker = self.pick(choice)
        if worker is not None and worker.recalls:
            count = min(worker.recalls.popleft(), max(0, len(worker.jobs) - started))
            back = [worker.jobs.pop().id for _ in range(count)]
            worker.taken -= len(back)
            self.perform(self.dispatcher.returned(worker.number, back[::-1], self.now))

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
        self.perform(self.dispatcher.tick(self.now))

    @rule(choice=st.integers(0, 3), elapsed=st.sampled_from([0.1, 0.9, 1.5]))
    def heartbeat(self, choice: int, elapsed: float) -> None:
        """A worker tells what it runs."""
        worker = self.pick(choice)
        if worker is not None and worker.is_ready:
            running = [(worker.jobs[0].id, elapsed)] if worker.jobs else []
            self.perform(self.dispatcher.heard(worker.number, running, self.now))

    @rule(choice=st.integers(0, 3), rss_bytes=st.sampled_from([500, 1500]))
    def weigh(self, choice: int, rss_bytes: int) -> None:
        """A worker tells how much memory it has."""
        worker = self.pick(choice)
        if worker is not None:
            self.dispatcher.weighed(worker.number, rss_bytes)

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
        if worker is not None and worker.number in self.dispatcher.silent_lanes(self.now):
            self.perform(self.dispatcher.stopped(worker.number, self.now))

    @rule(seconds=st.sampled_from([1.0, 100.0]))
    def sleep_all(self, seconds: float) -> None:
        """The whole machine stands still: nobody is killed for that."""
        self.now += seconds
        self.dispatcher.overslept(seconds)

    @rule(run=st.just(1))
    def abort(self, run: int) -> None:
        """The caller of one run wants out at once."""
        self.perform(self.dispatcher.abort(run, self.now))
        held = [job for lane in self.dispatcher.lanes.values() for job in lane.held.values()]
        assert all(job.run != run for job in held)

    @rule(run=st.just(1))
    def cancel(self, run: int) -> None:
        """The caller of one run loses interest."""
        self.perform(self.dispatcher.cancel(run, self.now))

    @invariant()
    def never_two_outcomes(self) -> None:
        """No job is recorded twice, and no more are anywhere than were added."""
        if not self.added:
            return
        assert max(self.outcomes.values(), default=0) <= 1
        unsettled = len(self.added) - len(self.outcomes)
        assert self.dispatcher.queued + self.dispatcher.in_flight == unsettled

    @invariant()
    def there_is_always_somebody(self) -> None:
        """There is a worker and a time at which to look again, or the pool has given up."""
        if not self.added or self.has_given_up:
            return
        assert self.workers
        next_tick = self.dispatcher.next_tick(self.now)
        assert next_tick is not None
        assert math.isfinite(next_tick)

    @invariant()
    def lanes_hold_two_blocks_at_most(self) -> None:
        """A lane's credit is two blocks: no more is unanswered than the last two had."""
        if not self.added:
            return
        for lane in self.dispatcher.lanes.values():
            assert len(lane.held) <= 2 * 1024 + 2

    def teardown(self) -> None:
        """Let everything that is left run its course: each job has exactly one outcome."""
        if not hasattr(self, "dispatcher"):
            return
        for _ in range(20_000):
            if len(self.outcomes) == len(self.added) or self.has_given_up:
                break
            self.settle_a_little()
        if not self.has_given_up:
            assert sorted(self.outcomes) == self.added
            assert set(self.outcomes.values()) <= {1}

    def settle_a_little(self) -> None:
        """Every worker does what it owes."""
        self.now += 0.02
        for worker in list(self.workers.values()):
            if worker.is_retired:
                self.die(worker.number)
                continue
            if not worker.is_ready:
                worker.is_ready = True
                self.perform(self.dispatcher.ready(worker.number, self.now))
            while worker.recalls:
                worker.recalls.popleft()
                self.perform(self.dispatcher.returned(worker.number, [], self.now))
            rows: list[Row] = [(job.id, None, None, None, 0.001, None) for job in worker.jobs]
            worker.jobs.clear()
            # Held-up answers were lost with their worker, or are still on their way.
            rows += [row for number, late in self.unsent if number == worker.number for row in late]
            self.unsent = [entry for entry in self.unsent if entry[0] != worker.number]
            self.perform(self.dispatcher.results(worker.number, rows, self.now))
        self.perform(self.dispatcher.tick(self.now))


TestDispatcher = DispatcherMachine.TestCase
TestDispatcher.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
