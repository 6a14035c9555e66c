"""Jobs that take too long, and workers that stand still."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from fsworkers import Pool
from tests.integration.pool import functions_for_tests as functions


async def sleep(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


async def block_the_loop(seconds: float) -> float:
    if seconds:
        functions.wait(seconds)
    return seconds


async def ignore_cancellation(seconds: float) -> float:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            await asyncio.sleep(deadline - time.monotonic())
        except asyncio.CancelledError:
            continue
    return seconds


async def clean_up_when_cancelled(path: str) -> None:
    try:
        await asyncio.sleep(60)
    finally:
        Path(path).write_text("cleaned up")  # noqa: ASYNC240  (nothing else runs in this loop)


def test_time_out_holds_while_c_code_keeps_the_interpreter_lock() -> None:
    """Silence past the time-out is overrunning: no need to wait for the grace period."""
    began = time.monotonic()
    with Pool(2, timeout=0.5) as pool:
        outcomes = {one.path: one for one in pool.map(functions.hang_holding_the_gil, range(60))}
    assert outcomes.pop(0).status == "timed_out"
    assert {one.status for one in outcomes.values()} == {"done"}
    assert len(outcomes) == 59
    assert time.monotonic() - began < 15


def test_time_out_longer_than_the_grace_period_counts() -> None:
    """Who allows a job ten seconds does not want it ended because it is silent for one."""
    with Pool(1, timeout=10.0, grace=0.5) as pool:
        (outcome,) = pool.map(functions.hold_the_gil, [1.5])
    assert (outcome.status, outcome.attempts) == ("done", 1)


def test_overrunning_coroutine_is_cancelled_and_no_worker_killed() -> None:
    """Its neighbours in the same loop go on, and it can clean up."""
    with Pool(1, timeout=0.3) as pool:
        outcomes = {one.path: one for one in pool.map(sleep, [30.0, *([0.01] * 50)])}
        assert outcomes[30.0].status == "timed_out"
        assert "0.3 s" in str(outcomes[30.0].error)
        assert outcomes[0.01].status == "done"
        assert pool.statistics().restarts == 0


def test_cancelled_coroutine_cleans_up(tmp_path: Path) -> None:
    """What it has in ``finally`` is executed."""
    path = str(tmp_path / "left")
    with Pool(1, timeout=0.2) as pool:
        (outcome,) = pool.map(clean_up_when_cancelled, [path])
    assert outcome.status == "timed_out"
    assert Path(path).read_text() == "cleaned up"


def test_coroutine_that_ignores_its_cancellation_is_killed() -> None:
    """Where cancelling does not help the worker goes, and the others' jobs run elsewhere."""
    with Pool(1, timeout=0.3) as pool:
        outcomes = list(pool.map(ignore_cancellation, [30.0, *([0.01] * 20)]))
        assert [one.value for one in pool.map(sleep, [0.0])] == [0.0]
        assert pool.statistics().restarts == 1
    assert sorted(one.status for one in outcomes) == ["done"] * 20 + ["timed_out"]


def test_coroutine_that_blocks_its_loop_is_the_only_one_timed_out() -> None:
    """Those that could not go on because of it are not blamed."""
    with Pool(1, timeout=0.5) as pool:
        outcomes = list(pool.map(block_the_loop, [60.0, *([0.0] * 20)]))
    assert [one.path for one in outcomes if one.status == "timed_out"] == [60.0]
    assert [one.status for one in outcomes].count("done") == 20


def test_overrunning_job_is_retried_when_asked() -> None:
    """A time-out is worth a retry; the second one is the outcome."""
    with Pool(1, timeout=0.2, retries=1) as pool:
        (outcome,) = pool.map(functions.wait, [30.0])
        assert pool.statistics().retries == 1
    assert (outcome.status, outcome.attempts) == ("timed_out", 2)


def test_innocent_neighbours_keep_their_retries() -> None:
    """A job that waited behind an overrunning one has all its attempts left."""
    with Pool(1, timeout=0.4) as pool:
        outcomes = {one.path: one for one in pool.map(functions.wait, [30.0, 0.0, 0.001])}
    assert outcomes[30.0].status == "timed_out"
    assert (outcomes[0.0].attempts, outcomes[0.001].attempts) == (1, 1)


def test_stopped_worker_is_noticed_long_before_the_grace_period() -> None:
    """A process under SIGSTOP can be seen to stand still: it need not be waited for."""
    began = time.monotonic()
    with Pool(2) as pool:
        statuses = []
        for outcome in pool.map(functions.wait, [0.005] * 400):
            statuses.append(outcome.status)
            if len(statuses) == 20:
                worker = next(
                    child
                    for child in psutil.Process().children()
                    if "fsworkers.pool.worker" in child.cmdline()
                )
                os.kill(worker.pid, signal.SIGSTOP)
        assert statuses == ["done"] * 400
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("place", ["a job", "its start"])
def test_only_worker_is_noticed_when_it_is_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    """Also with no other worker there whose heartbeats would wake the master."""
    marker = tmp_path / "stopped"
    if place == "its start":
        (tmp_path / "sitecustomize.py").write_text(
            f"import os, signal\n"
            f"if not os.path.exists({str(marker)!r}):\n"
            f"    os.close(os.open({str(marker)!r}, os.O_CREAT))\n"
            f"    os.kill(os.getpid(), signal.SIGSTOP)\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    else:
        monkeypatch.setenv("FSWORKERS_TEST_STOP", str(marker))
    began = time.monotonic()
    with Pool(1, ready_timeout=25) as pool:
        (outcome,) = pool.map(functions.stop_once, [1])
        assert (outcome.status, pool.statistics().restarts) == ("done", 1)
    assert marker.exists()
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("timeout", [None, 30.0])
def test_job_that_stops_its_worker_is_the_only_one(timeout: float | None) -> None:
    """A job in which the worker is stopped each time is not run for ever."""
    with Pool(2, timeout=timeout) as pool:
        outcomes = list(pool.map(functions.stop_on_zero, range(30)))
    assert [one.path for one in outcomes if one.status == "timed_out"] == [0]
    assert [one.status for one in outcomes].count("done") == 29
