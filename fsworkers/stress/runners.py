"""The two ways to run the jobs: a ``ProcessPoolExecutor``, as everybody does, and our pool."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from threading import Event
from typing import TYPE_CHECKING, Protocol

import msgspec

from fsworkers.pool.executor import Pool
from fsworkers.stress.board import CRASHED, DELIVERED, REFUSED, UNDELIVERED
from fsworkers.stress.records import Layer
from fsworkers.stress.scenarios.scenario import ConcurrentLoad, Job, Load, OrdinaryBatch
from fsworkers.stress.station import MOST_CHARACTERS, MOST_ERRORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsworkers.model import Outcome
    from fsworkers.stress.board import Board
    from fsworkers.stress.records import Brief
    from fsworkers.stress.scenarios.scenario import Scenario

KILLED = frozenset({"crashed", "timed_out"})

HEARD = {
    "done": DELIVERED,
    "failed": REFUSED,
    "skipped": REFUSED,
    "timed_out": CRASHED,
    "crashed": CRASHED,
    "cancelled": UNDELIVERED,
}
"""What an outcome tells the caller; a cancelled job was never run."""

MOST_RERUNS = 5
"""Of a job whose worker was killed by us each time."""

GRACE_S = 2.0
"""Silence after which our pool takes a worker for hung."""

READY_S = 60.0


class Round(msgspec.Struct):
    """What a round came to beside the board.

    Attributes:
        errors: What jobs and operations failed with, and how often.
        broken: Pools that broke.
        rerun: Jobs that were handed in again.
        duplicates: Results that came once more.
        drawn_ahead: The most items drawn and not consumed yet.
    """

    errors: Counter[str] = msgspec.field(default_factory=Counter)
    broken: int = 0
    rerun: int = 0
    duplicates: int = 0
    drawn_ahead: int = 0


class Runner(Protocol):
    """Runs rounds of jobs in worker processes that live from one to the next."""

    def run_round(self) -> Round:
        """Run all jobs once; the board has what became of each."""

    def layer(self) -> Layer | None:
        """The descriptor layer's figures."""

    def close(self) -> None:
        """End the workers."""


class _Consumer:
    """The caller: counts what is drawn and not consumed, and takes its time if it has to."""

    def __init__(self, wait_s: float) -> None:
        self.most_ahead = 0
        self._drawn = 0
        self._consumed = 0
        self._wait_s = wait_s
        self._never = Event()

    def draw(self, jobs: Iterable[Job]) -> Iterator[Job]:
        for job in jobs:
            self._drawn += 1
            self.most_ahead = max(self.most_ahead, self._drawn - self._consumed)
            yield job

    def consume(self, count: int = 1) -> None:
        self._consumed += count
        if self._wait_s:
            self._never.wait(self._wait_s)


class OrdinaryRunner:
    """A ``ProcessPoolExecutor``; a new one when it has broken.

    Args:
        scenario: What to run.
        brief: What the side was told.
        board: Where to note which results came.
    """

    def __init__(self, scenario: Scenario, brief: Brief, board: Board) -> None:
        self._scenario = scenario
        self._brief = brief
        self._board = board
        self._is_batched = scenario.is_concurrent or scenario.is_threaded
        kind = OrdinaryBatch if self._is_batched else Load
        self._load = kind(scenario, brief)
        self._executor: ProcessPoolExecutor | None = None

    def run_round(self) -> Round:
        """Submit everything, take results as they come."""
        done = Round()
        consumer = _Consumer(self._scenario.consume_s(self._brief.plan))
        executor = self._executor = self._executor or ProcessPoolExecutor(self._brief.plan.workers)
        futures: dict[Future[dict[str, int]], Job] = {}
        try:
            for job in consumer.draw(self._batches()):
                futures[executor.submit(self._load, job)] = job
        except BrokenProcessPool as error:
            done.errors[_shortened(error)] += 1
            done.broken = 1
        for future in as_completed(futures):
            self._take(future, futures[future], done)
            consumer.consume()
        if done.broken:
            executor.shutdown()
            self._executor = None
        done.drawn_ahead = consumer.most_ahead
        return done

    def _take(self, future: Future[dict[str, int]], job: Job, done: Round) -> None:
        number, first, count = job
        numbers = range(first, first + count) if self._is_batched else range(number, number + 1)
        error = future.exception()
        if error is None:
            done.errors.update(future.result())
        else:
            done.errors[_shortened(error)] += 1
            done.broken = int(done.broken or isinstance(error, BrokenProcessPool))
        if not isinstance(error, BrokenProcessPool):
            for one in numbers:
                self._board.deliver(one, DELIVERED if error is None else REFUSED)

    def _batches(self) -> Iterator[Job]:
        """The jobs; those meant to run at once put together to as many as a worker runs at once."""
        plan = self._brief.plan
        if not self._is_batched:
            yield from self._scenario.jobs(plan)
            return
        ops, size = self._scenario.ops(plan), self._scenario.batch_ops(plan)
        for number, first in enumerate(range(0, ops, size)):
            yield number, first, min(size, ops - first)

    def layer(self) -> Layer | None:
        """It has none."""
        return None

    def close(self) -> None:
        """Shut the executor down."""
        if self._executor is not None:
            self._executor.shutdown()


class PoolRunner:
    """Our pool.

    Args:
        scenario: What to run.
        brief: What the side was told.
        board: Where to note which results came.
    """

    def __init__(self, scenario: Scenario, brief: Brief, board: Board) -> None:
        self._scenario = scenario
        self._plan = brief.plan
        self._board = board
        kind = ConcurrentLoad if scenario.is_concurrent else Load
        self._load = kind(scenario, brief)
        self._poison = scenario.poison(brief.plan)
        self._pool = Pool(
            brief.plan.workers,
            slots=scenario.slots(brief.plan),
            retries=scenario.retries,
            grace=GRACE_S,
            ready_timeout=READY_S,
        )

    def run_round(self) -> Round:
        """Map the load over the jobs, take outcomes as they come."""
        done = Round()
        consumer = _Consumer(self._scenario.consume_s(self._plan))
        twice_killed: list[Job] = []
        jobs = consumer.draw(self._scenario.jobs(self._plan))
        for outcome in self._pool.map(self._load, jobs):
            if self._was_killed_by_us(outcome):
                twice_killed.append(outcome.path)
            else:
                self._take(outcome, done)
            consumer.consume()
        done.rerun = len(twice_killed)
        self._run_again(twice_killed, done)
        done.drawn_ahead = consumer.most_ahead
        return done

    def _run_again(self, jobs: list[Job], done: Round) -> None:
        """Hand jobs in that our own kills met too often; some may meet it once more."""
        for _ in range(MOST_RERUNS):
            killed: list[Job] = []
            for outcome in self._pool.map(self._load, jobs):
                if self._was_killed_by_us(outcome):
                    killed.append(outcome.path)
                else:
                    self._take(outcome, done)
            jobs = killed
            if not jobs:
                return
        for job in jobs:
            done.errors["a worker was killed over it in every run"] += 1
            self._board.deliver(job[0], CRASHED)

    def _was_killed_by_us(self, outcome: Outcome) -> bool:
        """Whether its last worker was struck, and poison never came to killing one itself.

        The pool judges a job by a worker that it had for itself, so the last one tells. If it
        died before the job had entered it on the board, how it died does.
        """
        op = outcome.path[1]
        if op in self._poison:
            return outcome.status == "timed_out"
        if outcome.status not in KILLED:
            return False
        has_begun = self._board.attempts[op] >= outcome.attempts
        is_killed = outcome.status == "timed_out" or "SIGKILL" in (outcome.error or "")
        return self._board.is_struck(self._board.pids[op]) or (is_killed and not has_begun)

    def _take(self, outcome: Outcome, done: Round) -> None:
        heard = HEARD[outcome.status]
        if heard != UNDELIVERED:
            done.duplicates += not self._board.deliver(outcome.path[0], heard)
        if outcome.status == "done":
            done.errors.update(outcome.value)
        elif outcome.path[1] not in self._poison:
            done.errors[(outcome.error or outcome.status)[:MOST_CHARACTERS]] += 1

    def layer(self) -> Layer:
        """The figures over all workers that there were."""
        seen = self._pool.statistics()
        use = seen.descriptors
        return Layer(
            budget=use.budget,
            peak=use.peak,
            waits=use.waits,
            waited_s=use.waited_s,
            refused=use.refused,
            restarts=seen.restarts,
            retries=seen.retries,
        )

    def close(self) -> None:
        """Shut the pool down."""
        self._pool.shutdown()


def runner_of(scenario: Scenario, brief: Brief, board: Board) -> Runner:
    """The runner of a side."""
    kind = OrdinaryRunner if brief.side == "ordinary" else PoolRunner
    return kind(scenario, brief, board)


def most_frequent(errors: Counter[str]) -> dict[str, int]:
    """The errors that came most often."""
    return dict(errors.most_common(MOST_ERRORS))


def _shortened(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:MOST_CHARACTERS]
