"""The threads of the asynchronous face."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import tempfile
import threading
import weakref
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from fsworkers.graceful import BUDGET, aio
from fsworkers.graceful.aio.executor import DaemonThreadPool, SerialExecutor, transfers
from fsworkers.graceful.aio.tempfile import _Discardable

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
    assert crew.submit(lambda: "done").result(5) == "done"
    until(lambda: len(told) == 5)
    assert {str(one.exc_value) for one in told} == {"nobody's"}
    assert {one.thread.name for one in told} <= {"test-1", "test-2"}


def test_a_strand_goes_on_after_a_call_that_fails(crew: DaemonThreadPool, told: list[Any]) -> None:
    """Also with what was handed over before that."""
    strand = SerialExecutor(crew)
    begun = threading.Event()
    strand.post(partial(wait_for, begun))
    strand.post(fail)
    after = strand.submit(lambda: "done")
    begun.set()
    assert after.result(5) == "done"
    until(lambda: len(told) == 1)


def test_threads_are_begun_once_they_can_be(crew: DaemonThreadPool, monkeypatch) -> None:
    """A burst without any more threads leaves no word of idle ones that there are not."""
    release = threading.Event()
    crew.post(partial(wait_for, release))
    with monkeypatch.context() as patch:
        patch.setattr(crew, "_begin", lambda: False)
        done = [crew.submit(lambda: None) for _ in range(30)]
    release.set()
    for one in done:
        one.result(5)
    blocked = threading.Event()
    crew.post(partial(wait_for, blocked))
    assert crew.submit(lambda: "beside it").result(3) == "beside it"
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


def test_a_folder_nobody_wants_any_more_is_removed_without_a_descriptor(tmp_path: Path) -> None:
    """On a thread that files are closed on: it must not wait for one to be closed."""
    unwanted = _Discardable(tempfile.TemporaryDirectory(dir=tmp_path))
    lent = [BUDGET.take_if_free() for _ in range(BUDGET.statistics().capacity)]
    rescued = BUDGET.statistics().rescued
    unwanted.close()
    assert BUDGET.statistics().rescued == rescued
    for permit in filter(None, lent):
        permit.give_back()
    assert not list(tmp_path.iterdir())
