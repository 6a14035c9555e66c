"""What becomes of single jobs."""

from __future__ import annotations

import pytest

from fsworkers.model import Job
from fsworkers.pool.actions import Failure, Row
from fsworkers.pool.fates import MAX_DEFERRALS, MAX_STARVATIONS, Fates
from fsworkers.pool.rules import Rules
from fsworkers.pool.waiting import WaitingJobs

JOB = Job(7, 0, "item", "item")


def fates_of(**rules: float) -> tuple[Fates, WaitingJobs]:
    """Fates whose every delay is one second."""
    waiting = WaitingJobs()
    return Fates(Rules(1, **rules), lambda _: 1.0, waiting), waiting  # type: ignore[arg-type]


def row_of(failure: Failure) -> Row:
    """The report of a failed attempt."""
    return (JOB.id, None, failure, 10, 0.5, 99)


def again(waiting: WaitingJobs) -> Job:
    """The one job that waits, as it will run again."""
    waiting.release(float("inf"))
    (job,) = [*waiting.queue, *waiting.solo]
    waiting.queue.clear()
    waiting.solo.clear()
    return job


def settled_status(fates: Fates) -> tuple[str, int]:
    """Status and attempts of the one job that was settled."""
    ((_, outcome, _),) = fates.settled[0]
    return outcome.status, outcome.attempts


@pytest.mark.parametrize(
    ("failure", "attempts"),
    [
        (Failure("OSError: EBUSY", is_transient=True), 4),
        (Failure("OSError: EIO", is_transient=True, is_dubious=True), 2),
        (Failure("ValueError: no"), 1),
        (Failure("not yet", retry_s=5.0), MAX_DEFERRALS + 1),
        (Failure("OSError: EMFILE", is_starved=True), 1),
    ],
)
def test_attempts_until_a_failure_is_final(failure: Failure, attempts: int) -> None:
    """Each kind of failure has its own patience; only executions that count are counted."""
    fates, waiting = fates_of(retries=3)
    job = JOB
    for _ in range(2 * MAX_DEFERRALS):
        fates.failed(job, failure, row_of(failure), 0, 0.0)
        if fates.settled:
            break
        job = again(waiting)
    assert settled_status(fates) == ("failed", attempts)
    assert job.starvations == (MAX_STARVATIONS if failure.is_starved else 0)


def test_starved_job_runs_alone_next_time() -> None:
    """Where descriptors ran short it gets a worker to itself."""
    fates, waiting = fates_of()
    failure = Failure("OSError: EMFILE", is_starved=True)
    fates.failed(JOB, failure, row_of(failure), 0, 0.0)
    waiting.release(2.0)
    assert [job.id for job in waiting.solo] == [JOB.id]


def test_cancelled_coroutine_is_timed_out() -> None:
    """The worker's report that it cancelled an attempt is a time-out, not a failure."""
    fates, _ = fates_of(timeout_s=2.0)
    failure = Failure("TimeoutError", is_overdue=True)
    fates.failed(JOB, failure, row_of(failure), 0, 0.0)
    assert settled_status(fates) == ("timed_out", 1)


def test_deaths_that_are_too_many_can_be_set() -> None:
    """A job may be given more lives than two."""
    fates, waiting = fates_of(max_deaths=4)
    job = JOB
    for _ in range(3):
        fates.orphaned([job], "killed by SIGKILL", 0)
        assert not fates.settled
        job = again(waiting)
    fates.orphaned([job], "killed by SIGKILL", 0)
    assert settled_status(fates) == ("crashed", 4)


def test_jobs_of_a_cancelled_run_are_not_tried_again() -> None:
    """Whatever happens to them, they are settled."""
    fates, waiting = fates_of(retries=3)
    fates.cancelled_runs.add(0)
    fates.queue([JOB])
    fates.requeue([JOB])
    fates.suspect([JOB])
    fates.orphaned([JOB, JOB], "killed by SIGKILL", 0)
    failure = Failure("OSError: EBUSY", is_transient=True)
    fates.failed(JOB, failure, row_of(failure), 0, 0.0)
    assert len(waiting) == 0
    assert [outcome.status for _, outcome, _ in fates.settled[0]] == ["cancelled"] * 6
