"""What is tried again, how often, and when."""

from __future__ import annotations

import errno
import os
import time
from itertools import pairwise
from pathlib import Path

import pytest

from fsworkers import Pool, RetryLater, graceful
from fsworkers.errors import BadSetting


def fail_with(number: int) -> None:
    raise OSError(number, os.strerror(number))


def come_later(path: str) -> int:
    """Asks to be tried again until its file has three lines."""
    file = Path(path)
    with file.open("a") as log:
        log.write(f"{time.monotonic()}\n")
    attempts = len(file.read_text().splitlines())
    if attempts < 3:
        raise RetryLater(0.3, "its sidecar is still being written")
    return attempts


def never_ready(_: str) -> None:
    raise RetryLater(0.0)


def ask_by_name(error: BaseException) -> bool:
    return "please" in str(error)


def raise_value_error(text: str) -> None:
    raise ValueError(text)


def run_out_once(path: str) -> int:
    """Meet EMFILE in code below the descriptor layer, the first time; tell the capacity."""
    marker = Path(path)
    if not marker.exists():
        marker.touch()
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    return graceful.statistics().capacity


def test_refusal_below_the_layer_makes_room_and_is_no_attempt(tmp_path: Path) -> None:
    """The worker lends half as many descriptors for a while, and the job runs again, uncounted."""
    seen = tmp_path / "seen"
    seen.touch()
    with Pool(1, max_open_files=1000) as pool:
        (before,) = pool.map(run_out_once, [str(seen)])
        (after,) = pool.map(run_out_once, [str(tmp_path / "new")])
        assert pool.statistics().descriptors.refused == 1
    assert before.value == 1000
    assert 500 <= after.result() < 1000
    assert (after.status, after.attempts) == ("done", 1)


def test_only_errors_that_pass_are_retried() -> None:
    """ENOENT and EACCES stay what they are, EBUSY may pass, EIO gets one further chance."""
    numbers = [errno.ENOENT, errno.EACCES, errno.EBUSY, errno.ESTALE, errno.EIO]
    with Pool(1, retries=3) as pool:
        attempts = [one.attempts for one in pool.map(fail_with, numbers, ordered=True)]
    assert attempts == [1, 1, 4, 4, 2]


def test_no_retries_unless_asked() -> None:
    """Without ``retries`` a failure that may pass is the outcome."""
    with Pool(1) as pool:
        (outcome,) = pool.map(fail_with, [errno.EBUSY])
    assert (outcome.status, outcome.attempts) == ("failed", 1)


def test_task_may_ask_to_be_tried_later(tmp_path: Path) -> None:
    """It waits as long as it asked for, needs no ``retries``, and holds no slot meanwhile."""
    late = str(tmp_path / "late")
    with Pool(1) as pool:
        outcomes = list(pool.map(come_later, [late]))
        assert pool.statistics().restarts == 0
    assert [(one.status, one.value, one.attempts) for one in outcomes] == [("done", 3, 3)]
    times = [float(line) for line in Path(late).read_text().splitlines()]
    assert all(after - before >= 0.3 for before, after in pairwise(times))


def test_waiting_retry_holds_no_slot(tmp_path: Path) -> None:
    """With one worker, other jobs are done while one waits to be tried again."""
    paths = [str(tmp_path / "late"), *map(str, range(50))]

    def task(path: str) -> object:
        return come_later(path) if path == paths[0] else time.monotonic()

    with Pool(1) as pool:
        outcomes = list(pool.map(task, paths))
    assert outcomes[-1].path == paths[0]
    assert {one.status for one in outcomes} == {"done"}


def test_putting_off_for_ever_is_a_failure() -> None:
    """A run ends although a task asks for another attempt each time."""
    with Pool(1) as pool:
        (outcome,) = pool.map(never_ready, ["path"])
    assert outcome.status == "failed"
    assert "RetryLater: not yet" in str(outcome.error)
    assert outcome.attempts == 101


@pytest.mark.parametrize("retry_on", [ValueError, (KeyError, ValueError), ask_by_name])
def test_callers_say_what_is_worth_retrying(retry_on: object) -> None:
    """Classes or a predicate take the place of the built-in rule."""
    with Pool(1, retries=1, retry_on=retry_on) as pool:  # type: ignore[arg-type]
        (outcome,) = pool.map(raise_value_error, ["please"])
        (busy,) = pool.map(fail_with, [errno.EBUSY])
    assert (outcome.attempts, busy.attempts) == (2, 1)


def test_broken_retry_rule_is_told_with_the_failure() -> None:
    """A predicate that raises ends neither the worker nor the story of what went wrong."""
    with Pool(1, retries=1, retry_on=lambda error: error.no_such_name) as pool:
        (outcome,) = pool.map(raise_value_error, ["first"])
    assert outcome.status == "failed"
    assert "ValueError: first (and retry_on raised AttributeError" in str(outcome.error)


def test_senseless_retry_rule_is_refused() -> None:
    """It is found at once, not with the first failure."""
    with pytest.raises(BadSetting, match="retry_on"):
        Pool(retry_on="OSError")  # type: ignore[arg-type]
