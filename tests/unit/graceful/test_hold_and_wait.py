"""Holders that wait for a waiter by way of threads and events, and holders that are only slow."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from queue import Queue

import pytest

from fsworkers.graceful import Budget, DescriptorDeadlock
from fsworkers.graceful.aio.lending import take

LONGEST_S = 2.0
"""In which a hang must have come to its end."""

pytestmark = pytest.mark.timeout(20)


async def _to_thread(budget: Budget) -> None:
    await asyncio.to_thread(lambda: budget.take().give_back())


async def _executor(budget: Budget) -> None:
    await asyncio.get_running_loop().run_in_executor(None, lambda: budget.take().give_back())


async def _one_thread_for_all(budget: Budget) -> None:
    """The other's work is still in the queue behind the one that waits."""
    await asyncio.get_running_loop().run_in_executor(ONE, lambda: budget.take().give_back())


async def _event(budget: Budget) -> None:
    done = asyncio.Event()
    problems: list[Exception] = []

    async def child() -> None:
        try:
            (await take(budget=budget)).give_back()
        except DescriptorDeadlock as error:
            problems.append(error)
        done.set()

    asking = asyncio.ensure_future(child())
    await done.wait()
    await asking
    if problems:
        raise problems[0]


async def _queue_through_a_helper(budget: Budget) -> None:
    answers: asyncio.Queue[Exception | None] = asyncio.Queue()

    async def child() -> None:
        try:
            (await take(budget=budget)).give_back()
        except DescriptorDeadlock as error:
            answers.put_nowait(error)
        else:
            answers.put_nowait(None)

    async def helper() -> Exception | None:
        return await answers.get()

    asking = asyncio.ensure_future(child())
    problem = await asyncio.ensure_future(helper())
    await asking
    if problem is not None:
        raise problem


async def _thread_that_sets_a_future(budget: Budget) -> None:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Exception | None] = loop.create_future()

    def ask() -> None:
        problem = None
        try:
            budget.take().give_back()
        except DescriptorDeadlock as error:
            problem = error
        loop.call_soon_threadsafe(answer.set_result, problem)

    thread = threading.Thread(target=ask)
    thread.start()
    problem = await answer
    thread.join()
    if problem is not None:
        raise problem


ONE = ThreadPoolExecutor(1)


@pytest.fixture(autouse=True, scope="module")
def _end_of_one():
    yield
    ONE.shutdown()


@pytest.mark.parametrize(
    "way",
    [
        _to_thread,
        _executor,
        _one_thread_for_all,
        _event,
        _queue_through_a_helper,
        _thread_that_sets_a_future,
    ],
)
def test_tasks_that_hold_and_wait_for_an_asker_are_seen(way) -> None:
    """Two hold one of two each and wait, in a roundabout way, for another: one is told in time."""

    async def main() -> list[str]:
        budget = Budget(2)

        async def job() -> str:
            permit = await take(budget=budget)
            await asyncio.sleep(0.01)
            try:
                await way(budget)
            except DescriptorDeadlock:
                return "told"
            finally:
                permit.give_back()
            return "done"

        return sorted(await asyncio.gather(job(), job()))

    begun_s = time.monotonic()
    assert asyncio.run(main()) == ["done", "told"]
    assert time.monotonic() - begun_s < LONGEST_S


def _join(budget: Budget) -> None:
    problems: list[Exception] = []

    def ask() -> None:
        try:
            budget.take().give_back()
        except DescriptorDeadlock as error:
            problems.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    if problems:
        raise problems[0]


def _result(budget: Budget) -> None:
    with ThreadPoolExecutor(1) as executor:
        executor.submit(lambda: budget.take().give_back()).result()


def _answer_in_a_queue(budget: Budget) -> None:
    answers: Queue[Exception | None] = Queue()

    def ask() -> None:
        try:
            budget.take().give_back()
        except DescriptorDeadlock as error:
            answers.put(error)
        else:
            answers.put(None)

    thread = threading.Thread(target=ask)
    thread.start()
    problem = answers.get()
    thread.join()
    if problem is not None:
        raise problem


def _loop_of_its_own(budget: Budget) -> None:
    asyncio.run(_event(budget))


@pytest.mark.parametrize("way", [_join, _result, _answer_in_a_queue, _loop_of_its_own])
def test_threads_that_hold_and_wait_for_an_asker_are_seen(way) -> None:
    """The same for plain threads that join, await a result or an answer, or run a loop."""
    budget = Budget(2)
    outcomes: list[str] = []
    both = threading.Barrier(2)

    def job() -> None:
        permit = budget.take()
        both.wait()
        try:
            way(budget)
            outcomes.append("done")
        except DescriptorDeadlock as error:
            outcomes.append(f"told of {len(error.holders)} holders")
        finally:
            permit.give_back()

    threads = [threading.Thread(target=job, daemon=True) for _ in range(2)]
    begun_s = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "told of 2 holders"]
    assert time.monotonic() - begun_s < LONGEST_S


SLOW_S = 2.5
"""Longer than any patience of the detector."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["computing", "reading", "timed wait", "told by another thread"])
def test_a_slow_thread_costs_the_waiters_only_their_time(kind: str) -> None:
    """It computes, reads, naps or waits for one who does: nobody behind it is told of deadlocks."""
    budget = Budget(2)
    readable, writable = os.pipe()
    told = threading.Event()

    def compute() -> None:
        until_s = time.monotonic() + SLOW_S
        while time.monotonic() < until_s:
            sum(range(1000))

    ways = {
        "computing": compute,
        "reading": lambda: os.read(readable, 1),
        "timed wait": lambda: threading.Event().wait(SLOW_S),
        "told by another thread": told.wait,
    }

    def hold() -> None:
        permit = budget.take()
        ways[kind]()
        permit.give_back()

    served: list[None] = []

    def ask(*known: object) -> None:
        budget.take().give_back()
        served.append(None)

    threads = [threading.Thread(target=hold) for _ in range(2)]
    for thread in threads:
        thread.start()
    while budget.statistics().lent < 2:
        threading.Event().wait(0.002)
    asking = [threading.Thread(target=ask, args=(told,)) for _ in range(5)]
    for thread in asking:
        thread.start()
    threading.Event().wait(SLOW_S)
    os.write(writable, b"xx")
    told.set()
    for thread in threads + asking:
        thread.join(10)
    os.close(readable)
    os.close(writable)
    seen = budget.statistics()
    assert (len(served), seen.deadlocks, seen.rescued, seen.peak) == (5, 0, 0, 2), seen


async def _nap(_told: asyncio.Event) -> None:
    await asyncio.sleep(SLOW_S)


async def _slow_thread(_told: asyncio.Event) -> None:
    await asyncio.to_thread(threading.Event().wait, SLOW_S)


async def _timed_event(_told: asyncio.Event) -> None:
    waited = asyncio.ensure_future(asyncio.Event().wait())
    await asyncio.wait([waited], timeout=SLOW_S)
    waited.cancel()


async def _by_a_timer(told: asyncio.Event) -> None:
    asyncio.get_running_loop().call_later(SLOW_S, told.set)
    await told.wait()


async def _by_another_task(told: asyncio.Event) -> None:
    async def tell() -> None:
        await asyncio.sleep(SLOW_S)
        told.set()

    telling = asyncio.ensure_future(tell())
    await told.wait()
    await telling


async def _stream(_told: asyncio.Event) -> None:
    readable, writable = os.pipe()
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(readable, "rb")
    )
    writing = threading.Timer(SLOW_S, os.close, (writable,))
    writing.start()
    await reader.read()
    transport.close()
    writing.join()


@pytest.mark.slow
@pytest.mark.parametrize(
    "slowly", [_nap, _slow_thread, _timed_event, _by_a_timer, _by_another_task, _stream]
)
def test_a_slow_task_costs_its_own_children_only_their_time(slowly) -> None:
    """Its child waits in the line and knows the event too, but it is not the child that sets it."""

    async def main() -> None:
        budget = Budget(2)

        async def child(*_known: object) -> None:
            (await take(budget=budget)).give_back()

        async def job() -> None:
            told = asyncio.Event()
            permit = await take(budget=budget)
            background = asyncio.ensure_future(child(told))
            await slowly(told)
            permit.give_back()
            await background

        await asyncio.gather(job(), job(), child())
        seen = budget.statistics()
        assert (seen.deadlocks, seen.rescued, seen.lent, seen.peak) == (0, 0, 0, 2), seen

    asyncio.run(main())
