"""The threads of the asynchronous face."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import weakref
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from fsworkers.graceful import BUDGET, aio, tempfile
from fsworkers.graceful.aio import executor, offload
from fsworkers.graceful.aio.executor import DaemonThreadPool, transfers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def crew() -> Any:
    """Two threads of our own; they end with the test."""
    made = DaemonThreadPool("test", 2)
    yield made
    made._end()


@pytest.fixture
def told(monkeypatch) -> list[Any]:
    """What threads told of errors that nobody waited for."""
    heard: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", heard.append)
    return heard


def fail() -> None:
    """Raise what nobody waits for."""
    raise ZeroDivisionError("nobody's")


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread is about to do."""
    longest_s = monotonic() + 5
    while not condition():
        assert monotonic() < longest_s, "it did not come about"
        threading.Event().wait(0.002)


def wait_for(event: threading.Event) -> None:
    """Keep a thread busy until then."""
    event.wait(5)


def test_a_call_that_fails_costs_no_thread(crew: DaemonThreadPool, told: list[Any]) -> None:
    """After as many as there are threads the next one is still run."""
    for _ in range(5):
        crew.post(fail)
    done = threading.Event()
    crew.post(done.set)
    assert done.wait(5)
    until(lambda: len(told) == 5)
    assert {str(one.exc_value) for one in told} == {"nobody's"}
    assert {one.thread.name for one in told} <= {"test-1", "test-2"}


def test_threads_are_begun_once_they_can_be(crew: DaemonThreadPool, monkeypatch) -> None:
    """A burst without any more threads leaves no word of idle ones that there are not."""
    release = threading.Event()
    crew.post(partial(wait_for, release))
    with monkeypatch.context() as patch:
        patch.setattr(crew, "_begin", lambda: None)
        done = [threading.Event() for _ in range(30)]
        for one in done:
            crew.post(one.set)
    release.set()
    assert all(one.wait(5) for one in done)
    blocked, beside = threading.Event(), threading.Event()
    crew.post(partial(wait_for, blocked))
    crew.post(beside.set)
    assert beside.wait(3)
    blocked.set()


@pytest.mark.parametrize("probe", ["open", "stat", "read_bytes"])
def test_what_fails_keeps_nothing_alive(probe: str) -> None:
    """No collector is needed for what the frames of a failed call hold."""

    class Buffer:
        pass

    calls: dict[str, Any] = {"open": aio.open, "stat": aio.os.stat, "read_bytes": aio.read_bytes}

    async def one() -> weakref.ref[Any]:
        buffer = Buffer()
        with contextlib.suppress(FileNotFoundError):
            await calls[probe]("/there/is/no/such/file")
        return weakref.ref(buffer)

    async def main() -> list[weakref.ref[Any]]:
        return await asyncio.gather(*(one() for _ in range(5)))

    gc.collect()
    gc.disable()
    try:
        kept = asyncio.run(main())
        until = monotonic() + 3
        while any(one() for one in kept):
            assert monotonic() < until
            threading.Event().wait(0.001)  # a thread may not have come to the end of its call
    finally:
        gc.enable()


def test_what_is_cancelled_in_time_is_not_done(tmp_path: Path) -> None:
    """As with any executor: what waits for a thread is dropped."""
    file = tmp_path / "file"
    file.write_bytes(b"x")

    async def main() -> None:
        release = threading.Event()
        for _ in range(transfers._most):
            transfers.post(partial(wait_for, release))
        try:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(aio.os.remove(file), 0.05)
        finally:
            release.set()
        await aio.os.stat(tmp_path)

    asyncio.run(main())
    assert file.exists()


def test_a_folder_nobody_wants_any_more_is_removed(tmp_path: Path, monkeypatch) -> None:
    """Its task was cancelled while it was made."""
    begun, go = threading.Event(), threading.Event()
    mkdtemp = tempfile.mkdtemp

    def make_slowly(*args: Any) -> str:
        begun.set()
        wait_for(go)
        return str(mkdtemp(*args))

    monkeypatch.setattr(tempfile._twin, "mkdtemp", make_slowly)

    async def main() -> None:
        making = asyncio.ensure_future(aio.tempfile.TemporaryDirectory(dir=tmp_path))
        await asyncio.to_thread(wait_for, begun)
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
        go.set()

    asyncio.run(main())
    until(lambda: BUDGET.statistics().lent == 0 and not list(tmp_path.iterdir()))


def in_a_thread(call: Any) -> None:
    """Call it on another thread, and wait for that."""
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


def test_what_arrives_together_takes_one_call_of_the_loop(monkeypatch) -> None:
    """And what comes after that has been settled takes another."""

    async def main() -> tuple[list[int], int]:
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in range(100)]
        calls = []
        original = loop.call_soon_threadsafe

        def call_soon_threadsafe(*args: Any) -> Any:
            calls.append(args)
            return original(*args)

        monkeypatch.setattr(loop, "call_soon_threadsafe", call_soon_threadsafe)
        here = executor._Arrivals()

        def bring() -> None:
            for number, future in enumerate(futures):
                here.put(loop, future, number, None)

        in_a_thread(bring)
        first = await asyncio.gather(*futures)
        late = loop.create_future()
        in_a_thread(lambda: here.put(loop, late, "late", None))
        assert await late == "late"
        return first, len(calls)

    assert asyncio.run(main()) == (list(range(100)), 2)


def test_nothing_is_lost_between_threads_and_loop() -> None:
    """Whoever finds the loop called relies on a call that has not begun to settle."""

    async def main() -> int:
        async def one(number: int) -> int:
            return await offload.run(lambda: number)

        total = 0
        for _ in range(200):
            total += sum(await asyncio.wait_for(asyncio.gather(*map(one, range(20))), 30))
        return total

    assert asyncio.run(main()) == 200 * sum(range(20))


def test_a_loop_that_was_closed_meanwhile_is_forgotten() -> None:
    """What waits to be settled in it refers to it."""
    loop = asyncio.new_event_loop()
    here = executor._Arrivals()
    here.put(loop, loop.create_future(), None, None)
    loop.close()
    here.put(loop, loop.create_future(), None, None)
    gone = weakref.ref(loop)
    del loop, here
    gc.collect()
    assert gone() is None
