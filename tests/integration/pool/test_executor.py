"""``Pool`` as a ``concurrent.futures.Executor``."""

from __future__ import annotations

import asyncio
import concurrent.futures
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fsworkers import Pool
from fsworkers.errors import (
    BadSetting,
    PoolClosed,
    UnpicklableTask,
    UnpicklableValue,
    WorkerDied,
    WorkerStartError,
)
from tests.integration.pool import functions_for_tests as functions


@pytest.fixture(scope="module")
def pool():
    """A pool for the tests that leave it as it was."""
    with Pool(2) as pool:
        list(pool.map(functions.wait, [0.2] * 4))  # until both are there
        yield pool


def test_pool_is_an_executor(pool: Pool) -> None:
    """It is one, and its futures are the standard library's."""
    assert isinstance(pool, concurrent.futures.Executor)
    future = pool.submit(pow, 2, exp=3)
    assert isinstance(future, concurrent.futures.Future)
    assert future.result() == 8


def test_exception_comes_back_with_its_traceback(pool: Pool) -> None:
    """The future raises the task's own exception; its cause shows where it came from."""
    with pytest.raises(ValueError, match="no pepper") as caught:
        pool.submit(functions.refuse, "pepper").result()
    assert "in refuse" in str(caught.value.__cause__)


def test_call_that_cannot_travel_fails(pool: Pool) -> None:
    """Unpicklable arguments are the future's exception, as in the standard library."""
    error = pool.submit(functions.refuse, threading.Lock()).exception()
    assert isinstance(error, UnpicklableValue)


def test_asyncio_takes_the_pool(pool: Pool) -> None:
    """An event loop runs functions in it."""

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(
            *(loop.run_in_executor(pool, functions.square, number) for number in range(20))
        )

    assert asyncio.run(main()) == [number * number for number in range(20)]


def test_many_threads_submit(pool: Pool) -> None:
    """Eight threads submit at once, and from callbacks; every future is fulfilled."""
    futures: list[concurrent.futures.Future[int]] = []
    chained: list[concurrent.futures.Future[int]] = []

    def submit() -> None:
        for number in range(50):
            future = pool.submit(functions.square, number)
            future.add_done_callback(lambda _: chained.append(pool.submit(functions.square, 2)))
            futures.append(future)

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    concurrent.futures.wait(futures, timeout=20)
    assert sorted(future.result() for future in futures) == sorted(
        number * number for number in range(50) for _ in range(8)
    )
    assert [future.result(timeout=20) for future in list(chained)] == [4] * 400


def test_waiting_call_can_be_cancelled() -> None:
    """A future that no worker was given is cancelled; those that run go on."""
    with Pool(1) as pool:
        futures = [pool.submit(functions.wait, 0.2) for _ in range(6)]
        assert futures[-1].cancel()
        assert futures[0].result() == 0.2
        assert futures[-1].cancelled()


def test_shutdown_cancels_waiting_futures_when_asked() -> None:
    """``cancel_futures`` drops what waits; without it everything submitted is completed."""
    pool = Pool(1)
    futures = [pool.submit(functions.wait, 0.1) for _ in range(8)]
    futures[0].result()
    pool.shutdown(wait=True, cancel_futures=True)
    assert all(future.done() for future in futures)
    assert futures[-1].cancelled()
    with Pool(1) as pool:
        futures = [pool.submit(functions.wait, 0.01) for _ in range(5)]
    assert [future.result() for future in futures] == [0.01] * 5


def test_submit_after_shutdown_is_refused() -> None:
    """As the standard library does, with a ``RuntimeError``."""
    pool = Pool(1)
    pool.shutdown()
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(abs, 1)


def test_worker_death_does_not_break_the_pool() -> None:
    """Where the standard pool is broken for good, this one repairs itself."""
    with Pool(1) as pool:
        with pytest.raises(concurrent.futures.BrokenExecutor, match="SIGKILL") as caught:
            pool.submit(functions.die, 1).result()
        assert type(caught.value) is WorkerDied
        assert pool.submit(abs, -3).result() == 3
        (outcome,) = pool.map(functions.die, [1])
        with pytest.raises(concurrent.futures.BrokenExecutor, match="SIGKILL"):
            outcome.result()


def test_call_over_its_time_is_a_timeout() -> None:
    """Its future, and its outcome's ``result``, raise a ``TimeoutError``."""
    with Pool(1, timeout=0.2) as pool:
        future = pool.submit(functions.wait, 30)
        concurrent.futures.wait([future])
        assert isinstance(future.exception(), TimeoutError)
        (outcome,) = pool.map(functions.wait, [30])
        with pytest.raises(TimeoutError, match=r"longer than 0\.2 s"):
            outcome.result()


def test_strict_executor_maps_as_the_standard_library(pool: Pool, tmp_path: Path) -> None:
    """Bare results in order, the first exception raised, all run though nobody looks."""
    executor = pool.as_executor()
    for chunksize in (1, 7):
        doubled = executor.map(pow, range(50), [2] * 50, chunksize=chunksize)
        assert list(doubled) == [n * n for n in range(50)]
    results = executor.map(functions.fail_on_three, range(5))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    executor.map(Path.touch, [tmp_path / "never looked at"])
    executor.submit(abs, 1).result()
    until = time.monotonic() + 10
    while not (tmp_path / "never looked at").exists():
        assert time.monotonic() < until
    with pytest.raises(TimeoutError):
        list(executor.map(functions.wait, [1.0], timeout=0.01))
    with pytest.raises(ValueError, match="chunksize"):
        executor.map(abs, [1], chunksize=0)


def test_shutdown_of_a_strict_executor_finishes_what_was_mapped(tmp_path: Path) -> None:
    """As the standard library's does, where a map of the pool itself is cancelled."""
    paths = [tmp_path / str(number) for number in range(100)]
    with Pool(1).as_executor() as executor:
        executor.map(Path.touch, paths)
    assert len(list(tmp_path.iterdir())) == 100


def test_names_of_the_standard_library() -> None:
    """``max_workers``, and the attribute by which Dask sizes what it sends."""
    with Pool(max_workers=3) as pool:
        assert (pool.worker_count, pool._max_workers, pool.as_executor()._max_workers) == (3, 3, 3)
    with pytest.raises(BadSetting, match="not both"):
        Pool(2, max_workers=3)


@pytest.mark.parametrize("install", [True, False])
def test_initializer_runs_once_in_each_worker(install: bool) -> None:
    """Before its first job, also in a worker that replaces another."""

    def begin(word: str) -> None:
        import builtins

        builtins.begun = [*getattr(builtins, "begun", []), word]  # type: ignore[attr-defined]

    def begun(_: int) -> list[str]:
        import builtins

        return list(builtins.begun)  # type: ignore[attr-defined]

    with Pool(2, initializer=begin, initargs=("word",), install=install, max_deaths=1) as pool:
        for _ in range(2):
            assert {tuple(one.result()) for one in pool.map(begun, range(50))} == {("word",)}
            list(pool.map(functions.die, [1]))


def test_functions_see_the_globals_that_the_initializer_sets(tmp_path: Path) -> None:
    """As with the standard library, where all are of ``__main__``; by ``map`` and ``submit``."""
    code = """
model, loaded = None, []
def begin(name):
    global model
    model = name
    loaded.append(name)
def use(_):
    return model, loaded
import fsworkers
with fsworkers.Pool(1, initializer=begin, initargs=("m",)) as pool:
    print([one.value for one in pool.map(use, [1])], pool.submit(use, 1).result())
print(fsworkers.process_tree(__file__, use, engine="inline", initializer=begin, initargs=("n",),
                             on_outcome=lambda one: print(one.value)).done)
"""
    (tmp_path / "script.py").write_text(code)
    ran = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines() == ["[('m', ['m'])] ('m', ['m'])", "('n', ['n'])", "1"]


def test_initializer_that_raises_breaks_the_pool_at_once() -> None:
    """Everything submitted raises ``BrokenExecutor``, which says what the initializer said."""
    with Pool(2, initializer=functions.refuse, initargs=("salt",)) as pool:
        with pytest.raises(concurrent.futures.BrokenExecutor, match="no salt") as caught:
            pool.submit(abs, 1).result(timeout=20)
        assert isinstance(caught.value, WorkerStartError)
    with pytest.raises(TypeError, match="'salt' can't be called"):
        Pool(2, initializer="salt")  # type: ignore[arg-type]
    with pytest.raises(UnpicklableTask):
        Pool(2, initializer=abs, initargs=(threading.Lock(),)).start()


@pytest.mark.parametrize("what", ["len", 5, None])
def test_what_is_no_function_is_refused_at_once(pool: Pool, what: object) -> None:
    """By ``map`` and ``submit`` alike, and not by every item."""
    for run in (pool.map, pool.submit):
        with pytest.raises(TypeError, match="can't be called"):
            run(what, [1])  # type: ignore[call-overload]


def test_managers_proxies_are_used_in_workers(pool: Pool) -> None:
    """A dictionary or lock of ``multiprocessing.Manager`` may be an argument, and be enclosed."""
    pool.submit(abs, 1).result()  # workers that have been told nothing of managers
    with multiprocessing.Manager() as manager:
        shared, lock = manager.dict(), manager.Lock()

        def note(number: int) -> None:
            with lock:
                shared[number] = shared.get(number, 0) + 1

        pool.submit(shared.update, {0: 5}).result(timeout=20)
        assert [one.status for one in pool.map(note, [1, 1, 2])] == ["done"] * 3
        with Pool(1, initializer=note, initargs=(3,)) as other:
            other.submit(abs, 1).result(timeout=20)
        assert dict(shared) == {0: 5, 1: 2, 2: 1, 3: 1}


def test_forked_child_does_not_use_the_parents_pool(pool: Pool) -> None:
    """In a forked child the pool says that it is not its own."""
    child = os.fork()
    if child == 0:
        try:
            pool.submit(abs, 1)
        except PoolClosed:
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@pytest.mark.parametrize(
    "settings",
    [
        {"workers": 0},
        {"workers": 1.5},
        {"slots": 0},
        {"timeout": 0},
        {"retries": -1},
        {"max_open_files": 0},
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, float]) -> None:
    """A value that can't be is refused by name, before any worker starts."""
    with pytest.raises(BadSetting, match=next(iter(settings))):
        Pool(**settings)  # type: ignore[arg-type]


def test_pool_in_a_task(tmp_path: Path) -> None:
    """A task may start a pool of its own."""

    def nested(number: int) -> int:
        with Pool(1) as inner:
            return inner.submit(abs, -number).result()

    with Pool(1) as pool:
        assert [outcome.value for outcome in pool.map(nested, [3])] == [3]
