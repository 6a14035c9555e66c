"""``Pool`` as a ``concurrent.futures.Executor``."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from pathlib import Path

import pytest

from fsworkers import Pool
from fsworkers.errors import BadSetting, PoolClosed, UnpicklableValue
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
        with pytest.raises(Exception, match="SIGKILL"):
            pool.submit(functions.die, 1).result()
        assert pool.submit(abs, -3).result() == 3


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
