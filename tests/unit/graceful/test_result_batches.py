"""What threads bring back to a loop."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import weakref
from typing import Any

import pytest

from fsworkers.graceful import aio
from fsworkers.graceful.aio import offload, result_batches


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
        here = result_batches.of(loop)

        def bring() -> None:
            for number, future in enumerate(futures):
                here.put(loop, (future, number, None))

        in_a_thread(bring)
        first = await asyncio.gather(*futures)
        late = loop.create_future()
        in_a_thread(lambda: here.put(loop, (late, "late", None)))
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


def test_ctrl_c_in_the_midst_of_settling_leaves_nobody_waiting() -> None:
    """Those that arrived with the one that was struck are settled in the loop's next round."""
    loop = asyncio.new_event_loop()
    here = result_batches.of(loop)

    class Interrupted(asyncio.Future[Any]):
        def set_result(self, result: Any) -> None:
            raise KeyboardInterrupt

    before, struck, after = loop.create_future(), Interrupted(loop=loop), loop.create_future()
    for future in (before, struck, after):
        here.put(loop, (future, "there", None))
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(asyncio.sleep(0))
    assert loop.run_until_complete(asyncio.wait_for(after, 5)) == "there"
    assert before.result() == "there"
    loop.close()


def test_ctrl_c_just_as_settling_begins_mutes_no_loop(monkeypatch) -> None:
    """What the loop was called for is lost then: the next call makes sure of it."""

    def struck(here: result_batches.ResultBatches, loop: asyncio.AbstractEventLoop) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    loop = asyncio.new_event_loop()
    here = result_batches.of(loop)
    lost = loop.create_future()
    monkeypatch.setattr(result_batches.ResultBatches, "_settle", struck)
    here.put(loop, (lost, "there", None))
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(asyncio.sleep(0))
    work = offload.run(lambda: "done", loop=loop)
    assert loop.run_until_complete(asyncio.wait_for(work, 5)) == "done"
    assert lost.result() == "there"
    loop.close()


def test_a_loop_that_was_closed_meanwhile_is_forgotten() -> None:
    """What waits to be settled in it refers to it."""
    loop = asyncio.new_event_loop()
    here = result_batches.of(loop)
    here.put(loop, (loop.create_future(), None, None))
    loop.close()
    here.put(loop, (loop.create_future(), None, None))
    gone = weakref.ref(loop)
    del loop, here
    gc.collect()
    assert gone() is None


def test_an_open_whose_opener_stops_an_iteration_ends(tmp_path) -> None:
    """A future takes no ``StopIteration``; the task is not to wait for ever."""

    def opener(path: str, flags: int) -> int:
        raise StopIteration("no more numbers")

    async def main() -> None:
        async with aio.open(tmp_path / "file", "w", opener=opener):
            pass

    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(asyncio.wait_for(main(), 5))


def test_a_child_does_not_rely_on_a_thread_it_has_not() -> None:
    """The parent's thread was about to call the loop when the child was forked."""
    loop = asyncio.new_event_loop()
    here = result_batches.of(loop)
    child = os.fork()
    if child == 0:
        os._exit(1 if result_batches.of(loop) is here else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert result_batches.of(loop) is here
    loop.close()
