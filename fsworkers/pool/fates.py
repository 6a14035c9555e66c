"""Decides what becomes of a job whose attempt did not simply succeed. Pure.

Run again or settle, at once or later, alone or in company, and with which outcome. Every job that
is handed in leaves to exactly one place: ``WaitingJobs``, or ``settled``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from fsworkers.model import Outcome
from fsworkers.pool.actions import Failure, Row, Settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fsworkers.model import Job, Status
    from fsworkers.pool.rules import Rules
    from fsworkers.pool.waiting import WaitingJobs

MAX_STARVATIONS = 6
"""A job that lacked descriptors so often, alone in its worker, needs more than there are."""

MAX_DEFERRALS = 100
"""A task that puts its file off so often waits for something that does not happen."""


class Fates:
    """Takes jobs off a lane's hands.

    Args:
        rules: The settings.
        delay_s: How long to wait after a failed attempt, given how many failed before.
        waiting: Where jobs go that will run again.

    Attributes:
        retries: Attempts after a failure, over all jobs.
        settled: By run, the jobs that came to their outcome and have not been recorded.
        cancelled_runs: Runs of which nothing is to be started any more.
    """

    def __init__(self, rules: Rules, delay_s: Callable[[int], float], waiting: WaitingJobs) -> None:
        self.retries = 0
        self.settled: dict[int, list[Settled]] = {}
        self.cancelled_runs: set[int] = set()
        self._rules = rules
        self._delay_s = delay_s
        self._waiting = waiting

    def queue(self, jobs: Sequence[Job]) -> None:
        """New jobs: behind all others."""
        if self.cancelled_runs:
            jobs = self._without_cancelled(jobs)
        self._waiting.add(jobs)

    def requeue(self, jobs: Sequence[Job]) -> None:
        """Jobs that are not to blame for anything, and were not started: before all others."""
        self._waiting.put_first(self._without_cancelled(jobs))

    def done(self, job: Job, row: Row, worker: int) -> None:
        """An attempt that succeeded."""
        _, value, _, size, duration_s, mtime_ns = row
        outcome = Outcome(
            job.path, "done", value, None, job.attempt, size, duration_s, worker, None, mtime_ns
        )
        self.settled.setdefault(job.run, []).append((job, outcome, None))

    def failed(self, job: Job, failure: Failure, row: Row, worker: int, now: float) -> None:
        """An attempt that its worker reports as failed."""
        if failure.is_overdue:
            self.overran(job, worker, now)
        elif failure.is_starved and job.starvations < MAX_STARVATIONS:
            starved = replace(job, starvations=job.starvations + 1)
            self._delay(starved, now + self._delay_s(starved.starvations))
        elif failure.retry_s is not None and job.deferrals < MAX_DEFERRALS:
            deferred = replace(job, attempt=job.attempt + 1, deferrals=job.deferrals + 1)
            self._delay(deferred, now + failure.retry_s)
        elif failure.is_transient and not (failure.is_dubious and job.retried):
            self._retry(job, now, "failed", failure, row, worker)
        else:
            status: Status = "skipped" if failure.is_skip else "failed"
            self._settle(job, status, failure, row, worker)

    def overran(self, job: Job, worker: int, now: float) -> None:
        """An attempt that took longer than it may."""
        timeout_s = self._rules.timeout_s or 0.0
        failure = Failure(f"TimeoutError: took longer than {timeout_s:g} s")
        row: Row = (job.id, None, failure, None, timeout_s, None)
        self._retry(job, now, "timed_out", failure, row, worker)

    def suspect(self, jobs: Iterable[Job]) -> None:
        """Jobs of which one held the others up: each runs alone, so that it shows which."""
        for job in self._without_cancelled(list(jobs)):
            self._waiting.put_alone(replace(job, attempt=job.attempt + 1, is_suspect=True))

    def orphaned(
        self, jobs: Sequence[Job], reason: str, worker: int, *, is_hung: bool = False
    ) -> None:
        """Jobs whose worker died: each runs again alone, unless it is certain which one did it."""
        is_certain = len(jobs) == 1
        for job in jobs:
            deaths = job.deaths + 1
            if job.run in self.cancelled_runs:
                self.cancelled(job)
            elif is_certain and deaths >= self._rules.max_deaths:
                status: Status = "timed_out" if is_hung else "crashed"
                failure = Failure(f"its worker died {deaths} times: {reason}")
                self._settle(job, status, failure, None, worker)
            else:
                again = replace(job, attempt=job.attempt + 1, deaths=deaths)
                self._waiting.put_alone(again)

    def take_late_results(self, rows: Sequence[Row], worker: int) -> None:
        """Results that a worker sent before it died and that arrive after the news of its death.

        Where the job still waits to be run again, the finished attempt stands.
        """
        arrived = {row[0]: row for row in rows if row[2] is None}
        for job in self._waiting.take_ready(arrived):
            finished = replace(job, attempt=max(1, job.attempt - 1))
            self.done(finished, arrived[job.id], worker)

    def cancelled(self, job: Job) -> None:
        """A job that is not to be run any more."""
        before = replace(job, attempt=job.attempt - 1)
        self._settle(before, "cancelled", Failure("cancelled before it ran"), None, None)

    def aborted(self, job: Job, worker: int) -> None:
        """A job whose worker is killed because nobody wants its result any more."""
        self._settle(job, "cancelled", Failure("cancelled while it ran"), None, worker)

    def _retry(
        self, job: Job, now: float, status: Status, failure: Failure, row: Row, worker: int
    ) -> None:
        """Run a job again, if any of its retries is left."""
        if job.retried >= self._rules.retries:
            self._settle(job, status, failure, row, worker)
            return
        self.retries += 1
        again = replace(job, attempt=job.attempt + 1, retried=job.retried + 1)
        self._delay(again, now + self._delay_s(again.retried))

    def _delay(self, job: Job, until: float) -> None:
        if job.run in self.cancelled_runs:
            self.cancelled(job)
        else:
            self._waiting.delay(job, until)

    def _without_cancelled(self, jobs: Sequence[Job]) -> Sequence[Job]:
        if not self.cancelled_runs:
            return jobs
        for job in jobs:
            if job.run in self.cancelled_runs:
                self.cancelled(job)
        return [job for job in jobs if job.run not in self.cancelled_runs]

    def _settle(
        self, job: Job, status: Status, failure: Failure, row: Row | None, worker: int | None
    ) -> None:
        size, duration_s, mtime_ns = (None, 0.0, None) if row is None else row[3:]
        outcome = Outcome(
            job.path, status, None, failure.error, job.attempt, size, duration_s, worker,
            failure.traceback, mtime_ns,
        )  # fmt: skip
        self.settled.setdefault(job.run, []).append((job, outcome, failure))
