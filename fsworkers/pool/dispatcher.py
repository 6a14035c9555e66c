"""Decides which jobs go to which lane, and what becomes of them. Pure: no socket, clock, process.

Events come in as method calls that carry the time, actions go out as a list. The shell around it
(``pool.master``) owns the sockets and the processes. Whatever the order of events, every job
that was added is recorded exactly once: a job lives in exactly one of the queue, the solo queue,
the delayed heap and one lane's ``held``, and leaves that place only for another or for its record.

Jobs that must run alone (their worker died on them, or descriptors ran short) go through the solo
queue: one at a time to a lane that holds nothing else, so that blame is certain.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from fsworkers.model import Outcome
from fsworkers.pool.actions import (
    Action,
    Failure,
    GiveUp,
    Kill,
    Recall,
    Record,
    Row,
    Send,
    Settled,
    Start,
    Warn,
)
from fsworkers.pool.lane import STUCK_S, Lane, tail_block_jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fsworkers.model import Job, Status

MAX_FAILED_STARTS = 3
"""So many starts in a row without a ready worker mean that the next one fails as well."""

MAX_STARVATIONS = 6
"""A job that lacked descriptors so often, alone in its worker, needs more than there are."""


class Rules(msgspec.Struct, frozen=True):
    """The settings that decide, in seconds and counts.

    Attributes:
        workers: Lanes to keep alive.
        retries: Further attempts for a job whose failure is transient.
        timeout_s: Longest time of one attempt; ``None`` for no bound.
        ready_s: How long a worker may take to report ready.
        grace_s: Longest silence of a worker before it counts as hung.
        max_deaths: Deaths of a worker that make the job it ran ``crashed``.
    """

    workers: int
    retries: int = 0
    timeout_s: float | None = None
    ready_s: float = 10.0
    grace_s: float = 30.0
    max_deaths: int = 2


class Dispatcher:
    """The state machine behind a pool.

    Args:
        rules: The settings.
        delay_s: How long to wait after a failed attempt, given its number.
    """

    def __init__(self, rules: Rules, delay_s: Callable[[int], float]) -> None:
        self.rules = rules
        self.lanes: dict[int, Lane] = {}
        self.restarts = 0
        self.retries = 0
        self.more_may_come = True
        self._delay_s = delay_s
        self._queue: deque[Job] = deque()
        self._solo: deque[Job] = deque()
        self._delayed: list[tuple[float, int, Job]] = []
        self._slots: dict[int, int] = {}
        self._cancelled_runs: set[int] = set()
        self._next_lane = 0
        self._gate_closes_at: float | None = None
        self._is_gate_open = False
        self._failed_starts = 0
        self._has_given_up = False
        self._actions: list[Action] = []
        self._settled: dict[int, list[Settled]] = {}

    # What the shell may ask

    @property
    def queued(self) -> int:
        """Jobs that wait here, in no lane."""
        return len(self._queue) + len(self._solo) + len(self._delayed)

    @property
    def in_flight(self) -> int:
        """Jobs that lanes hold."""
        return sum(len(lane.held) for lane in list(self.lanes.values()))

    @property
    def demand(self) -> int:
        """How many more jobs it can use now: one further block for each lane, less the queue."""
        return 0 if self._has_given_up else max(0, self.block_jobs - len(self._queue))

    @property
    def block_jobs(self) -> int:
        """How many jobs one further block for every lane has."""
        ready = [lane for lane in self.lanes.values() if lane.is_ready and not lane.is_condemned]
        return sum(lane.next_block_jobs() for lane in ready) or self.rules.workers

    def is_ready(self, number: int) -> bool:
        """Whether a worker has reported ready."""
        lane = self.lanes.get(number)
        return lane is not None and lane.is_ready

    def next_tick(self, now: float) -> float | None:
        """When ``tick`` has something to decide next; ``None`` if only other events can matter."""
        times = [lane.deadline for lane in self.lanes.values() if not lane.is_ready]
        times += [
            lane.last_heard + self.rules.grace_s
            for lane in self.lanes.values()
            if lane.is_ready and not lane.is_condemned
        ]
        if self._delayed:
            times.append(self._delayed[0][0])
        if not self._queue and any(lane.is_idle for lane in self.lanes.values()):
            times += [
                max(lane.last_progress + STUCK_S, lane.recall_from, now + STUCK_S / 4)
                for lane in self.lanes.values()
                if lane.waiting_jobs and not lane.is_recalling
            ]
        return min(times, default=None)

    # Events

    def open(self, now: float) -> list[Action]:
        """Start the workers."""
        self._gate_closes_at = now + self.rules.ready_s
        for _ in range(self.rules.workers):
            self._start_lane(now)
        return self._take_actions()

    def add_run(self, run: int, slots: int) -> None:
        """Learn of a run, and how many of its jobs a worker executes at one time."""
        self._slots[run] = slots

    def drop_run(self, run: int) -> None:
        """Forget a run of which no job is left."""
        self._slots.pop(run, None)
        self._cancelled_runs.discard(run)

    def add(self, jobs: Sequence[Job], now: float) -> list[Action]:
        """Queue jobs, in order."""
        if self._cancelled_runs:
            self._requeue(jobs)
        else:
            self._queue.extend(jobs)
        return self._decide(now)

    def ready(self, number: int, now: float) -> list[Action]:
        """A worker reports that it can run jobs."""
        lane = self.lanes.get(number)
        if lane is None or lane.is_ready:
            return []
        lane.is_ready = True
        lane.last_heard = lane.last_progress = now
        self._failed_starts = 0
        return self._decide(now)

    def heard(self, number: int, running: Iterable[tuple[int, float]], now: float) -> list[Action]:
        """A heartbeat: which jobs run in the worker, and for how many seconds."""
        lane = self.lanes.get(number)
        if lane is None or lane.is_condemned:
            return []
        lane.last_heard = now
        timeout_s = self.rules.timeout_s
        if timeout_s is not None:
            overdue = [job for job, elapsed_s in running if elapsed_s > timeout_s]
            self._time_out(lane, [job for job in overdue if job in lane.held], now)
        return self._decide(now)

    def results(self, number: int, rows: Sequence[Row], now: float) -> list[Action]:
        """A worker reports attempts; those of jobs that are settled or moved on are void."""
        lane = self.lanes.get(number)
        if lane is None:
            self._take_late_results(number, rows)
            return self._decide(now)
        lane.last_heard = lane.last_progress = now
        held = lane.held
        busy_s = 0.0
        answered = 0
        run = -1
        for job_id, value, failure, size, duration_s, mtime_ns in rows:
            job = held.pop(job_id, None)
            if job is None:
                continue
            answered += 1
            busy_s += duration_s
            if failure is None:
                if job.run != run:
                    run = job.run
                    settled = self._settled.setdefault(run, [])
                outcome = Outcome(
                    job.path, "done", value, None, job.attempt, size, duration_s, number, None,
                    mtime_ns,
                )  # fmt: skip
                settled.append((job, outcome, None))
            else:
                self._take_failure(job, failure, size, duration_s, number, now, mtime_ns)
        if answered:
            lane.learn(answered, busy_s)
        lane.is_solo = lane.is_solo and bool(held)
        return self._decide(now)

    def returned(self, number: int, job_ids: Sequence[int], now: float) -> list[Action]:
        """A worker gives back jobs it had not started, after a recall."""
        lane = self.lanes.get(number)
        if lane is None:
            return []
        lane.is_recalling = False
        lane.last_heard = lane.last_progress = now
        if not job_ids:
            lane.recall_from = now + STUCK_S
        back = [lane.held.pop(job_id) for job_id in job_ids if job_id in lane.held]
        self._requeue(back)
        return self._decide(now)

    def died(self, number: int, reason: str, now: float) -> list[Action]:
        """A worker's process has ended, for whatever ``reason``."""
        lane = self.lanes.pop(number, None)
        if lane is None:
            return []
        if not lane.is_ready:
            self._failed_starts += 1
        self._requeue_orphans(lane, reason)
        if self._failed_starts < MAX_FAILED_STARTS:
            self.restarts += 1
            self._start_lane(now)
        elif not self.lanes:
            self._give_up(f"workers die before they are ready: {reason}")
        return self._decide(now)

    def cancel(self, run: int, now: float) -> list[Action]:
        """Drop the jobs of ``run`` that have not been started; those in lanes are recalled."""
        self._cancelled_runs.add(run)
        dropped = [
            *(job for job in self._queue if job.run == run),
            *(job for job in self._solo if job.run == run),
            *(job for _, _, job in self._delayed if job.run == run),
        ]
        self._queue = deque(job for job in self._queue if job.run != run)
        self._solo = deque(job for job in self._solo if job.run != run)
        self._delayed = [entry for entry in self._delayed if entry[2].run != run]
        heapq.heapify(self._delayed)
        for job in dropped:
            self._settle_cancelled(job)
        for lane in self.lanes.values():
            if lane.waiting_jobs and not lane.is_recalling and not lane.is_condemned:
                lane.is_recalling = True
                self._actions.append(Recall(lane.number, len(lane.held)))
        return self._decide(now)

    def tick(self, now: float) -> list[Action]:
        """Time has passed: deadlines, delayed retries, silent workers."""
        while self._delayed and self._delayed[0][0] <= now:
            job = heapq.heappop(self._delayed)[2]
            (self._solo if job.deaths or job.starvations else self._queue).append(job)
        for lane in list(self.lanes.values()):
            if lane.is_condemned:
                continue
            if not lane.is_ready:
                if now >= lane.deadline and (self._is_gate_open or self._any_ready()):
                    self._warn_late(lane)
                elif now >= lane.deadline:
                    self._give_up(f"no worker was ready within {self.rules.ready_s:g} s")
            elif now - lane.last_heard >= self.rules.grace_s:
                lane.is_hung = True
                self._kill(lane, f"no sign of life for {self.rules.grace_s:g} s")
        return self._decide(now)

    # Decisions

    def _decide(self, now: float) -> list[Action]:
        if not self._is_gate_open:
            self._is_gate_open = self._may_gate_open(now)
        if self._is_gate_open:
            self._send_solo(now)
            self._send_blocks(now)
            self._relieve(now)
        return self._take_actions()

    def _may_gate_open(self, now: float) -> bool:
        """Jobs leave once every worker is ready; after the deadline, once any is."""
        if self._gate_closes_at is None or not self._any_ready():
            return False
        if all(lane.is_ready for lane in self.lanes.values()):
            return True
        return now >= self._gate_closes_at

    def _any_ready(self) -> bool:
        return any(lane.is_ready for lane in self.lanes.values())

    def _send_solo(self, now: float) -> None:
        for lane in self.lanes.values():
            if not self._solo:
                return
            if lane.is_idle:
                lane.is_solo = True
                self._send(lane, [self._solo.popleft()], now)

    def _send_blocks(self, now: float) -> None:
        """Deal out the queue.

        A lane that is at work is sent whole blocks only, unless no more jobs may come: what little
        waits is worth more here, where an idle lane can have it. While jobs wait to run alone,
        lanes are left to fall idle for them.
        """
        while self._queue and not self._solo:
            lane = min(
                (lane for lane in self.lanes.values() if lane.has_credit),
                key=lambda lane: len(lane.held),
                default=None,
            )
            if lane is None:
                return
            lane.slots = self._slots.get(self._queue[0].run, 1)
            size = lane.next_block_jobs()
            if not self.more_may_come:
                size = min(size, tail_block_jobs(len(self._queue), len(self.lanes)))
            elif len(self._queue) < size and not lane.has_free_slot:
                return
            self._send(lane, self._take_block(size), now)

    def _take_block(self, size: int) -> list[Job]:
        queue = self._queue
        block = [queue.popleft()]
        run = block[0].run
        for _ in range(min(size - 1, len(queue))):
            if queue[0].run != run:
                break
            block.append(queue.popleft())
        return block

    def _send(self, lane: Lane, jobs: list[Job], now: float) -> None:
        if not lane.held:
            lane.last_progress = now
        lane.held.update({job.id: job for job in jobs})
        lane.last_block_jobs = len(jobs)
        self._actions.append(Send(lane.number, jobs))

    def _relieve(self, now: float) -> None:
        """Recall waiting jobs from busy lanes when others have nothing to do."""
        if self._queue:
            return
        idle = sum(lane.is_idle for lane in self.lanes.values())
        if not idle:
            return
        busy = [lane for lane in self.lanes.values() if lane.is_worth_relieving(now)]
        if busy:
            fullest = max(busy, key=lambda lane: lane.waiting_jobs * (lane.job_s or 1.0))
            share = -(-fullest.waiting_jobs * idle // (idle + 1))
            fullest.is_recalling = True
            self._actions.append(Recall(fullest.number, share))

    def _start_lane(self, now: float) -> None:
        number = self._next_lane
        self._next_lane += 1
        self.lanes[number] = Lane(number, slots=1, deadline=now + self.rules.ready_s)
        self._actions.append(Start(number))

    def _kill(self, lane: Lane, reason: str) -> None:
        lane.is_condemned = True
        self._actions.append(Kill(lane.number, reason))

    def _warn_late(self, lane: Lane) -> None:
        lane.deadline = float("inf")
        self._actions.append(
            Warn(
                f"worker {lane.number} was not ready within {self.rules.ready_s:g} s; "
                "going on with the others"
            )
        )

    def _give_up(self, reason: str) -> None:
        if not self._has_given_up:
            self._has_given_up = True
            self._actions.append(GiveUp(reason))

    # What becomes of a job

    def _take_failure(
        self,
        job: Job,
        failure: Failure,
        size: int | None,
        duration_s: float,
        worker: int,
        now: float,
        mtime_ns: int | None,
    ) -> None:
        if failure.is_starved and job.starvations < MAX_STARVATIONS:
            starved = replace(job, starvations=job.starvations + 1)
            self._delay(starved, now, starved.starvations)
        elif failure.is_transient and job.attempt <= self.rules.retries:
            self._retry_later(job, now)
        else:
            status: Status = "skipped" if failure.is_skip else "failed"
            self._settle(
                job, status, failure,
                size=size, duration_s=duration_s, worker=worker, mtime_ns=mtime_ns,
            )  # fmt: skip

    def _retry_later(self, job: Job, now: float) -> None:
        self.retries += 1
        self._delay(replace(job, attempt=job.attempt + 1), now, job.attempt)

    def _delay(self, job: Job, now: float, times: int) -> None:
        if job.run in self._cancelled_runs:
            self._settle_cancelled(job)
        else:
            heapq.heappush(self._delayed, (now + self._delay_s(times), job.id, job))

    def _requeue(self, jobs: Sequence[Job]) -> None:
        """Put jobs that are not to blame for anything back to the head of the queue."""
        self._queue.extendleft(job for job in reversed(jobs) if job.run not in self._cancelled_runs)
        for job in jobs:
            if job.run in self._cancelled_runs:
                self._settle_cancelled(job)

    def _time_out(self, lane: Lane, overdue: Sequence[int], now: float) -> None:
        for job_id in overdue:
            job = lane.held.pop(job_id)
            if job.attempt <= self.rules.retries:
                self._retry_later(job, now)
            else:
                failure = Failure(f"TimeoutError: took longer than {self.rules.timeout_s:g} s")
                duration_s = self.rules.timeout_s or 0.0
                self._settle(job, "timed_out", failure, duration_s=duration_s, worker=lane.number)
        if overdue:
            self._kill(lane, f"a job took longer than {self.rules.timeout_s:g} s")

    def _requeue_orphans(self, lane: Lane, reason: str) -> None:
        """Give the jobs of a dead worker another run: alone, unless someone else is to blame."""
        is_innocent = lane.is_condemned and not lane.is_hung
        if is_innocent:
            self._requeue([replace(job, attempt=job.attempt + 1) for job in lane.held.values()])
            return
        is_certain = len(lane.held) == 1
        for job in lane.held.values():
            deaths = job.deaths + 1
            if job.run in self._cancelled_runs:
                self._settle_cancelled(job)
            elif is_certain and deaths >= self.rules.max_deaths:
                status: Status = "timed_out" if lane.is_hung else "crashed"
                failure = Failure(f"its worker died {deaths} times: {reason}")
                self._settle(job, status, failure, worker=lane.number)
            else:
                self._solo.append(replace(job, attempt=job.attempt + 1, deaths=deaths))

    def _take_late_results(self, number: int, rows: Sequence[Row]) -> None:
        """Results that a worker sent before it died and that arrive after the news of its death.

        Where the job still waits here to be run again, the finished attempt stands.
        """
        arrived = {row[0]: row for row in rows if row[2] is None}
        waiting = [job for queue in (self._solo, self._queue) for job in queue if job.id in arrived]
        for job in waiting:
            _, value, _, size, duration_s, mtime_ns = arrived[job.id]
            attempts = max(1, job.attempt - 1)
            outcome = Outcome(
                job.path, "done", value, None, attempts, size, duration_s, number, None, mtime_ns
            )
            self._settled.setdefault(job.run, []).append((job, outcome, None))
        if waiting:
            taken = {job.id for job in waiting}
            self._solo = deque(job for job in self._solo if job.id not in taken)
            self._queue = deque(job for job in self._queue if job.id not in taken)

    def _settle_cancelled(self, job: Job) -> None:
        before = replace(job, attempt=job.attempt - 1)
        self._settle(before, "cancelled", Failure("cancelled before it ran"))

    def _settle(
        self,
        job: Job,
        status: Status,
        failure: Failure,
        *,
        size: int | None = None,
        duration_s: float = 0.0,
        worker: int | None = None,
        mtime_ns: int | None = None,
    ) -> None:
        outcome = Outcome(
            job.path, status, None, failure.error, job.attempt, size, duration_s, worker,
            failure.traceback, mtime_ns,
        )  # fmt: skip
        self._settled.setdefault(job.run, []).append((job, outcome, failure))

    def _take_actions(self) -> list[Action]:
        if self._settled:
            self._actions += [Record(run, settled) for run, settled in self._settled.items()]
            self._settled = {}
        actions, self._actions = self._actions, []
        return actions
