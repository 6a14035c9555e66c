"""Workers that are replaced in good health, and memory that stays flat."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter

from fsworkers import Pool

_kept: list[bytes] = []


def process_id(_: int) -> int:
    return os.getpid()


async def process_id_of_loop(_: int) -> int:
    return os.getpid()


def leak_a_megabyte(_: int) -> int:
    _kept.append(os.urandom(1 << 20))
    return os.getpid()


def test_worker_is_replaced_after_its_jobs() -> None:
    """No worker runs more than it may, and nothing counts as a failure or a repetition."""
    with Pool(2, max_jobs_per_worker=30) as pool:
        outcomes = list(pool.map(process_id, range(200)))
        until_s = time.monotonic() + 5
        while (
            pool.statistics().recycled < 6 and time.monotonic() < until_s
        ):  # the last may just end
            threading.Event().wait(0.01)
        figures = pool.statistics()
    assert {(one.status, one.attempts) for one in outcomes} == {("done", 1)}
    jobs = Counter(one.value for one in outcomes)
    assert len(jobs) >= 7
    assert max(jobs.values()) <= 30
    assert (figures.restarts, figures.recycled >= 6) == (0, True)


def test_worker_of_coroutines_is_replaced_after_its_jobs() -> None:
    """The same with many coroutines at one time."""
    with Pool(1, max_jobs_per_worker=50) as pool:
        jobs = Counter(one.value for one in pool.map(process_id_of_loop, range(200)))
    assert max(jobs.values()) <= 50
    assert sum(jobs.values()) == 200


def test_one_job_a_worker() -> None:
    """The smallest number there is."""
    with Pool(2, max_jobs_per_worker=1) as pool:
        jobs = Counter(one.value for one in pool.map(process_id, range(8)))
    assert list(jobs.values()) == [1] * 8


def test_worker_that_has_grown_too_large_is_replaced() -> None:
    """A leak in a task's library costs a restart now and then, not the machine's memory."""
    with Pool(1, max_rss_bytes=150 << 20) as pool:
        outcomes = list(pool.map(leak_a_megabyte, range(400)))
        figures = pool.statistics()
    assert {(one.status, one.attempts) for one in outcomes} == {("done", 1)}
    assert figures.recycled >= 2
    assert figures.restarts == 0


def test_large_results_do_not_pile_up_before_a_slow_consumer() -> None:
    """Results of 4 MB, taken one every 5 ms: the caller's memory stays flat."""
    script = """
        import os, resource, threading
        from fsworkers import Pool
        with Pool(2) as pool:
            for count, outcome in enumerate(pool.map(bytes, [4 << 20] * 400)):
                assert len(outcome.value) == 4 << 20
                threading.Event().wait(0.005)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if os.path.exists("/proc/self/status"):  # ru_maxrss holds what the parent had, too
            with open("/proc/self/status") as file:
                peak = file.read().split("VmHWM:")[1].split()[0]
        print(count + 1, peak)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    count, peak = map(int, done.stdout.split())
    peak_bytes = peak * (1 if sys.platform == "darwin" else 1024)
    assert count == 400
    assert peak_bytes < 200 << 20, f"{peak_bytes >> 20} MB"
