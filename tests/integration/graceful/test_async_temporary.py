"""Temporary files of coroutines: removed, closed behind what they do, on the threads asked for."""

from __future__ import annotations

import sys
import textwrap

import pytest

SLOW = """
from concurrent.futures import ThreadPoolExecutor
from fsworkers.graceful import aio
temporary = aio.tempfile
begun, go = threading.Event(), threading.Event()

async def begin(action):
    task = asyncio.ensure_future(action)
    await asyncio.to_thread(begun.wait, 5)
    return task

async def cancelled(task):
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return
    raise AssertionError("it was not cancelled")

move = graceful.tempfile.SpooledTemporaryFile.rollover
def move_slowly(self):
    begun.set()
    assert go.wait(5)
    move(self)
graceful.tempfile.SpooledTemporaryFile.rollover = move_slowly
"""


def script(body: str) -> str:
    """A script in which spooled files move when they are told to."""
    return SLOW + textwrap.dedent(body)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there is no delete_on_close")
def test_a_file_not_to_be_deleted_when_closed_is_deleted_at_the_end(limited) -> None:
    """``async with`` ends as ``with`` does, whether or not it was closed inside."""
    limited(
        script("""
        async def main():
            for is_closed in (False, True):
                async with temporary.NamedTemporaryFile(delete_on_close=False) as file:
                    if is_closed:
                        await file.close()
                        assert lent() == 0
                    assert os.path.exists(file.name)
                assert not os.path.exists(file.name) and lent() == 0
        asyncio.run(main())
    """)
    )


def test_a_spooled_file_is_closed_behind_its_move(limited) -> None:
    """Left by a cancelled task while its thread makes the real file: that is closed too."""
    limited(
        script("""
        async def spool():
            async with temporary.SpooledTemporaryFile(max_size=3) as file:
                await file.write(b"12345")
        async def main():
            before = open_count()
            task = await begin(spool())
            task.cancel()
            for _ in range(3): await asyncio.sleep(0)
            go.set()
            await cancelled(task)
            await asyncio.to_thread(wait_for, lambda: lent() == 0)
            assert open_count() == before
        asyncio.run(main())
    """)
    )


def test_a_spooled_file_moves_before_its_thread_has_to_wait(limited) -> None:
    """Made longer than all that may be in memory, which is nothing where no size was given."""
    limited(
        script("""
        go.set()
        graceful.configure(max_open_files=4)
        async def main():
            for most in (0, 3):
                begun.clear()
                held = [graceful.open(FILE) for _ in range(4)]
                async with temporary.SpooledTemporaryFile(max_size=most) as file:
                    growing = asyncio.ensure_future(file.truncate(4))
                    while not graceful.statistics().waiting: await asyncio.sleep(0)
                    assert not begun.is_set()
                    for one in held: one.close()
                    assert await growing == 4 and lent() == 1
                    assert await file.read() == bytes(4)
            assert lent() == 0
        asyncio.run(main())
    """)
    )


def test_a_spooled_file_leaves_the_loops_own_threads_alone(limited) -> None:
    """Moved, it is used on the threads it was given, or on ours."""
    limited(
        script("""
        go.set()
        used = []
        class Given(ThreadPoolExecutor):
            def submit(self, *arguments, **options):
                used.append(arguments)
                return super().submit(*arguments, **options)
        async def use(**options):
            async with temporary.SpooledTemporaryFile(max_size=3, **options) as file:
                await file.write(b"12345")
                await file.seek(0)
                assert await file.read() == b"12345"
        async def main():
            loop = asyncio.get_running_loop()
            end = threading.Event()
            with ThreadPoolExecutor(1) as stuck, Given(1) as given:
                loop.set_default_executor(stuck)
                loop.run_in_executor(None, end.wait)
                try:
                    await asyncio.wait_for(use(), 5)
                    assert not used
                    await asyncio.wait_for(use(executor=given), 5)
                    assert used
                finally:
                    end.set()
        asyncio.run(main())
    """)
    )
