"""Decides which jobs go to which lane, and when a lane must end. Pure: no socket, clock, process.

Events come in as method calls that carry the time, actions go out as a list. The shell around it
(``pool.master``) owns the sockets and the processes. Whatever the order of events, every job
that was added is recorded exactly once: a job is either waiting (``pool.waiting``) or held by one
lane, and what becomes of it when it leaves a lane without success is ``pool.fates``'s to decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fsworkers.model import Outcome
from fsworkers.pool.actions import (
    Action,
    GiveUp,
    Kill,
    Recall,
    Record,
    Retire,
    Row,
    Send,
    Start,
    Warn,
)
from fsworkers.pool.fates import Fates
from fsworkers.pool.lane import STUCK_S, Lane, tail_block_jobs
from fsworkers.pool.rules import CANCEL_S
from fsworkers.pool.waiting import WaitingJobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fsworkers.model import Job
    from fsworkers.pool.rules import Rules

MAX_FAILED_STARTS = 3
"""So many starts in a row without a ready worker mean that the next one fails as well."""


SUSPICIOUS_S = 2.0
"""Silence of a worker after which it is worth a look; heartbeats come at least every 0.5 s."""

LOOK_S = 0.5
"""Between two looks at a worker that stays silent."""


class RunTraits(msgspec.Struct, frozen=True):
    """What matters here of a run.

    Attributes:
        slots: How many of its jobs a worker executes at one time.
        is_cancellable: Whether the worker itself ends an attempt that takes too long.
    """

    slots: int = 1
    is_cancellable: bool = False


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
        self.recycled = 0
        self.more_may_come = True
        self._waiting = WaitingJobs()
        self._fates = Fates(rules, delay_s, self._waiting)
        self._runs: dict[int, RunTraits] = {}
        self._next_lane = 0
        self._gate_closes_at: float | None = None
        self._is_gate_open = False
        self._failed_starts = 0
        self._has_given_up = False
        self._actions: list[Action] = []

    # What the shell may ask

    @property
    def queued(self) -> int:
        """Jobs that wait here, in no lane."""
        return len(self._waiting)

    @property
    def retries(self) -> int:
        """Attempts after a failure, over all jobs."""
        return self._fates.retries

    @property
    def in_flight(self) -> int:
        """Jobs that lanes hold."""
        return sum(len(lane.held) for lane in list(self.lanes.values()))

    @property
    def demand(self) -> int:
        """How many more jobs it can use now: one further block for each lane, less the queue."""
        return 0 if self._has_given_up else max(0, self.block_jobs - len(self._waiting.queue))

    @property
    def block_jobs(self) -> int:
        """How many jobs one further block for every lane has."""
        at_work = [lane for lane in self.lanes.values() if lane.is_at_work]
        return sum(lane.next_block_jobs() for lane in at_work) or self.rules.workers

    def is_ready(self, number: int) -> bool:
        """Whether a worker has reported ready."""
        lane = self.lanes.get(number)
        return lane is not None and lane.is_ready

    def next_tick(self, now: float) -> float | None:
        """When there is something to decide or to look at; ``None`` if only events can matter."""
        times: list[float] = []
        for lane in self.lanes.values():
            if not lane.is_condemned:
                ending = lane.last_heard + self._silence_s(lane)
                times.append(ending if lane.is_ready else lane.deadline)
                times.append(max(lane.last_heard + SUSPICIOUS_S, now + LOOK_S))
        if self._waiting.next_release is not None:
            times.append(self._waiting.next_release)
        if not self._waiting.queue and any(lane.is_idle for lane in self.lanes.values()):
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

    def add_run(self, run: int, traits: RunTraits) -> None:
        """Learn of a run."""
        self._runs[run] = traits

    def drop_run(self, run: int) -> None:
        """Forget a run of which no job is left."""
        self._runs.pop(run, None)
        self._fates.cancelled_runs.discard(run)

    def add(self, jobs: Sequence[Job], now: float) -> list[Action]:
        """Queue jobs, in order."""
        self._fates.queue(jobs)
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

    def starts_later(self, number: int, now: float) -> None:
        """A worker can't be started yet; once the pool has been at work, there is time for it."""
        lane = self.lanes.get(number)
        if lane is not None and (self._is_gate_open or self._any_ready()):
            lane.deadline = now + self.rules.ready_s

    def heard(self, number: int, running: Iterable[tuple[int, float]], now: float) -> list[Action]:
        """A heartbeat: which jobs run in the worker, and for how many seconds."""
        lane = self.lanes.get(number)
        if lane is None or lane.is_condemned:
            return []
        lane.last_heard = now
        overdue = [job for job, elapsed_s in running if self._is_overdue(lane, job, elapsed_s)]
        if overdue:
            self._time_out(lane, overdue, now)
        return self._decide(now)

    def results(self, number: int, rows: Sequence[Row], now: float) -> list[Action]:
        """A worker reports attempts; those of jobs that are settled or moved on are void."""
        lane = self.lanes.get(number)
        if lane is None:
            self._fates.take_late_results(rows, number)
            return self._decide(now)
        lane.last_heard = lane.last_progress = now
        held, all_settled = lane.held, self._fates.settled
        busy_s = 0.0
        answered = 0
        run = -1
        for row in rows:
            job_id, value, failure, size, duration_s, mtime_ns = row
            job = held.pop(job_id, None)
            if job is None:
                continue
            answered += 1
            busy_s += duration_s
            if failure is not None:
                self._fates.failed(job, failure, row, number, now)
                continue
            if job.run != run:
                run = job.run
                settled = all_settled.setdefault(run, [])
            outcome = Outcome(
                job.path, "done", value, None, job.attempt, size, duration_s, number, None, mtime_ns
            )
            settled.append((job, outcome, None))
        if answered:
            lane.learn(answered, busy_s)
        lane.is_solo = lane.is_solo and bool(held)
        return self._decide(now)

    def weighed(self, number: int, rss_bytes: int) -> None:
        """A worker reports how much memory it has; what follows is decided with its results."""
        if number in self.lanes:
            self.lanes[number].rss_bytes = rss_bytes

    def silent_lanes(self, now: float) -> list[int]:
        """Lanes that should have been heard from some time ago: the shell may look at them."""
        return [
            lane.number
            for lane in self.lanes.values()
            if not lane.is_condemned and now - lane.last_heard >= SUSPICIOUS_S
        ]

    def stopped(self, number: int, now: float) -> list[Action]:
        """A worker's process has been stopped (SIGSTOP): it is as good as hung."""
        lane = self.lanes.get(number)
        if lane is not None and not lane.is_condemned:
            lane.is_hung = True
            self._kill(lane, "it was stopped")
        return self._decide(now)

    def overslept(self, by_s: float) -> None:
        """Everybody stood still for a while (a suspended machine): no lane was silent then."""
        for lane in self.lanes.values():
            lane.last_heard += by_s
            lane.deadline += by_s

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
        lane.sent_jobs -= len(back)
        self._fates.requeue(back)
        return self._decide(now)

    def died(self, number: int, reason: str, now: float) -> list[Action]:
        """A worker's process has ended, for whatever ``reason``."""
        lane = self.lanes.pop(number, None)
        if lane is None:
            return []
        if not lane.is_ready:
            self._failed_starts += 1
        self._take_orphans(lane, reason, now)
        if lane.is_retiring and not lane.held:
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

    def cancel(self, run: int, now: float) -> list[Action]:
        """Drop the jobs of ``run`` that have not been started; those in lanes are recalled."""
        self._drop_waiting(run)
        for lane in self.lanes.values():
            self._recall_all(lane)
        return self._decide(now)

    def abort(self, run: int, now: float) -> list[Action]:
        """Drop all jobs of ``run``; workers that may be running one are killed."""
        self._drop_waiting(run)
        for lane in self.lanes.values():
            dropped = [job for job in lane.held.values() if job.run == run]
            for job in dropped:
                del lane.held[job.id]
                self._fates.aborted(job, lane.number)
            if dropped and not lane.is_condemned:
                self._kill(lane, "its jobs were cancelled")
        return self._decide(now)

    def tick(self, now: float) -> list[Action]:
        """Time has passed: deadlines, delayed retries, silent workers."""
        self._waiting.release(now)
        for lane in list(self.lanes.values()):
            if lane.is_condemned:
                continue
            if not lane.is_ready:
                if now >= lane.deadline:
                    self._expire(lane)
            elif now - lane.last_heard >= self._silence_s(lane):
                lane.is_hung = True
                self._kill(lane, f"no sign of life for {self._silence_s(lane):g} s")
        return self._decide(now)

    # Decisions

    def _decide(self, now: float) -> list[Action]:
        if not self._is_gate_open:
            self._is_gate_open = self._may_gate_open(now)
        if self._is_gate_open:
            self._retire_lanes()
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

    def _retire_lanes(self) -> None:
        """Let workers go that have run enough jobs or grown too large, between two jobs."""
        for lane in self.lanes.values():
            if lane.is_at_work and self._has_had_enough(lane):
                lane.is_retiring = True
                self._recall_all(lane)
            if lane.is_retiring and not (lane.held or lane.is_told_to_end or lane.is_condemned):
                lane.is_told_to_end = True
                self._actions.append(Retire(lane.number))

    def _send_solo(self, now: float) -> None:
        solo = self._waiting.solo
        for lane in self.lanes.values():
            if not solo:
                return
            if lane.is_idle:
                lane.is_solo = True
                self._send(lane, [solo.popleft()], now)

    def _send_blocks(self, now: float) -> None:
        """Deal out the queue.

        A lane that is at work is sent whole blocks only, unless no more jobs may come: what little
        waits is worth more here, where an idle lane can have it. While jobs wait to run alone,
        lanes are left to fall idle for them.
        """
        queue = self._waiting.queue
        while queue and not self._waiting.solo:
            lane = min(
                (lane for lane in self.lanes.values() if self._may_send(lane)),
                key=lambda lane: len(lane.held),
                default=None,
            )
            if lane is None:
                return
            lane.slots = self._traits(queue[0].run).slots
            size = lane.next_block_jobs()
            if not self.more_may_come:
                size = min(size, tail_block_jobs(len(queue), len(self.lanes)))
            elif len(queue) < size and not lane.has_free_slot:
                return
            if self.rules.max_lane_jobs is not None:
                size = min(size, self.rules.max_lane_jobs - lane.sent_jobs)
            self._send(lane, self._waiting.take_block(size), now)

    def _may_send(self, lane: Lane) -> bool:
        return lane.has_credit and not self._has_had_enough(lane)

    def _send(self, lane: Lane, jobs: list[Job], now: float) -> None:
        if not lane.held:
            lane.last_progress = now
        lane.held.update({job.id: job for job in jobs})
        lane.last_block_jobs = len(jobs)
        lane.sent_jobs += len(jobs)
        self._actions.append(Send(lane.number, jobs))

    def _relieve(self, now: float) -> None:
        """Recall waiting jobs from busy lanes when others have nothing to do."""
        if self._waiting.queue:
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
        self.lanes[number] = Lane(
            number, slots=1, deadline=now + self.rules.ready_s, last_heard=now
        )
        self._actions.append(Start(number))

    def _kill(self, lane: Lane, reason: str) -> None:
        lane.is_condemned = True
        self._actions.append(Kill(lane.number, reason))

    def _expire(self, lane: Lane) -> None:
        """A worker should have been ready by now: the pool can't work, or goes on without it."""
        if not (self._is_gate_open or self._any_ready()):
            self._give_up(f"no worker was ready within {self.rules.ready_s:g} s")
            return
        self._warn(f"worker {lane.number} was not ready within {self.rules.ready_s:g} s")
        self._kill(lane, "it was not ready in time")

    def _warn(self, message: str) -> None:
        self._actions.append(Warn(message))

    def _give_up(self, reason: str) -> None:
        if not self._has_given_up:
            self._has_given_up = True
            self._actions.append(GiveUp(reason))

    # Lanes that end

    def _traits(self, run: int) -> RunTraits:
        return self._runs.get(run, RunTraits())

    def _silence_s(self, lane: Lane) -> float:
        if not lane.held:
            return self.rules.grace_s
        is_cancellable = any(self._traits(job.run).is_cancellable for job in lane.held.values())
        return self.rules.silence_s + (CANCEL_S if is_cancellable else 0.0)

    def _has_had_enough(self, lane: Lane) -> bool:
        most_jobs, most_bytes = self.rules.max_lane_jobs, self.rules.max_rss_bytes
        return (most_jobs is not None and lane.sent_jobs >= most_jobs) or (
            most_bytes is not None and lane.rss_bytes > most_bytes
        )

    def _is_overdue(self, lane: Lane, job_id: int, elapsed_s: float) -> bool:
        job = lane.held.get(job_id)
        if self.rules.timeout_s is None or job is None:
            return False
        is_cancellable = self._traits(job.run).is_cancellable
        return elapsed_s > self.rules.timeout_s + (CANCEL_S if is_cancellable else 0.0)

    def _time_out(self, lane: Lane, overdue: Sequence[int], now: float) -> None:
        """Kill a worker for the sake of jobs that overran.

        Where it is more than one, any of them may have held up the others (C code that keeps the
        interpreter lock does, and a coroutine that blocks its loop): each runs again alone.
        """
        jobs = [lane.held.pop(job_id) for job_id in overdue]
        if len(jobs) == 1:
            self._fates.overran(jobs[0], lane.number, now)
        else:
            self._fates.suspect(jobs)
        self._kill(lane, f"a job took longer than {self.rules.timeout_s:g} s")

    def _take_orphans(self, lane: Lane, reason: str, now: float) -> None:
        """Decide on the jobs that a dead worker held."""
        jobs = list(lane.held.values())
        if lane.is_condemned and not lane.is_hung:
            self._fates.requeue(jobs)  # someone else is to blame
        elif lane.is_hung and self.rules.timeout_s is not None and len(jobs) == 1:
            self._fates.overran(jobs[0], lane.number, now)
        elif lane.is_hung and self.rules.timeout_s is not None:
            self._fates.suspect(jobs)
        else:
            self._fates.orphaned(jobs, reason, lane.number, is_hung=lane.is_hung)

    def _drop_waiting(self, run: int) -> None:
        self._fates.cancelled_runs.add(run)
        for job in self._waiting.take_run(run):
            self._fates.cancelled(job)

    def _recall_all(self, lane: Lane) -> None:
        if lane.waiting_jobs and not lane.is_recalling and not lane.is_condemned:
            lane.is_recalling = True
            self._actions.append(Recall(lane.number, len(lane.held)))

    def _take_actions(self) -> list[Action]:
        settled = self._fates.settled
        if settled:
            self._actions += [Record(run, entries) for run, entries in settled.items()]
            self._fates.settled = {}
        actions, self._actions = self._actions, []
        return actions
