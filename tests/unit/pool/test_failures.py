"""What becomes of single items."""

from __future__ import annotations

import pytest

from fsworkers.pool.blocks import FRESH, History
from fsworkers.pool.failures import (
    MAX_DEFERRALS,
    MAX_STARVATIONS,
    Again,
    Failure,
    Settle,
    after_death,
    after_overrun,
    as_suspect,
    verdict,
)
from fsworkers.pool.rules import Rules


def delay_s(_: int) -> float:
    """Every pause is one second."""
    return 1.0


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
    history = FRESH
    for _ in range(2 * MAX_DEFERRALS):
        decided = verdict(history, failure, Rules(1, retries=3), delay_s)
        if isinstance(decided, Settle):
            break
        history = decided.history
    assert decided == Settle("failed", failure)
    assert history.attempt == attempts
    assert history.starvations == (MAX_STARVATIONS if failure.is_starved else 0)


def test_starved_item_runs_alone_next_time() -> None:
    """Where descriptors ran short it gets a worker to itself."""
    decided = verdict(FRESH, Failure("OSError: EMFILE", is_starved=True), Rules(1), delay_s)
    assert isinstance(decided, Again)
    assert decided.history.must_run_alone
    assert as_suspect(FRESH).must_run_alone
    assert not History(attempt=3, retried=2).must_run_alone


def test_cancelled_coroutine_is_timed_out() -> None:
    """The worker's report that it cancelled an attempt is a time-out, not a failure."""
    failure = Failure("TimeoutError", is_overdue=True)
    decided = verdict(FRESH, failure, Rules(1, timeout_s=2.0), delay_s)
    assert isinstance(decided, Settle)
    assert (decided.status, decided.failure.error) == (
        "timed_out",
        "TimeoutError: took longer than 2 s",
    )
    assert isinstance(after_overrun(FRESH, Rules(1, retries=1, timeout_s=2.0), delay_s), Again)


def test_declined_file_is_skipped() -> None:
    """A task may say that a file is none of its business."""
    declined = Failure("no picture", is_skip=True)
    assert verdict(FRESH, declined, Rules(1, retries=3), delay_s) == Settle("skipped", declined)


def test_deaths_that_are_too_many_can_be_set() -> None:
    """An item may be given more lives than two, or one."""
    history = FRESH
    rules = Rules(1, max_deaths=4)
    for _ in range(3):
        decided = after_death(history, "killed by SIGKILL", rules, is_certain=True, is_hung=False)
        assert isinstance(decided, Again)
        history = decided.history
    last = after_death(history, "killed by SIGKILL", rules, is_certain=True, is_hung=False)
    assert isinstance(last, Settle)
    assert (last.status, history.attempt) == ("crashed", 4)
    unsure = after_death(history, "killed by SIGKILL", rules, is_certain=False, is_hung=False)
    assert isinstance(unsure, Again)
