"""Files of coroutines: what a cancelled open leaves, replaced opens, reservations, the end."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("steps", range(4))
def test_a_number_is_closed_only_by_a_file_that_somebody_got(limited, steps: int) -> None:
    """An open of one that is cancelled, at whatever step, leaves it to its owner."""
    limited(f"""
        from fsworkers.graceful import aio
        async def opened(number):
            return await aio.open(number, "rb")
        async def main():
            number = graceful.os.open(FILE, os.O_RDONLY)
            task = asyncio.ensure_future(opened(number))
            for _ in range({steps}): await asyncio.sleep(0)
            task.cancel()
            [got] = await asyncio.gather(task, return_exceptions=True)
            for _ in range(10):
                await asyncio.to_thread(gc.collect)
                os.fstat(number)
            if isinstance(got, asyncio.CancelledError):
                graceful.os.close(number)
            else:
                await got.close()
            assert lent() == 0
        asyncio.run(main())
    """)


def test_a_replaced_open_is_what_opens(limited) -> None:
    """As the README of aiofiles has its files mocked; until it is put back, with its arguments."""
    limited("""
        from unittest import mock
        from fsworkers.graceful import aio
        name = "fsworkers.graceful.aio.threadpool.sync_open"
        async def main():
            stream = mock.MagicMock(read=lambda size: b"x" * size)
            with mock.patch(name, return_value=stream) as opening:
                for file in ("nowhere", 99):
                    async with aio.open(file, "rb") as opened:
                        assert await opened.read(3) == b"xxx"
                    assert opening.call_args == mock.call(
                        file, mode="rb", buffering=-1, encoding=None, errors=None, newline=None,
                        closefd=True, opener=None,
                    )
            assert lent() == 0
            with mock.patch(name, wraps=aio.threadpool.sync_open) as opening:
                async with aio.open(FILE) as opened:
                    assert lent() == 1 and len(await opened.read()) == 4096
                assert opening.called
            async with aio.threadpool.open(FILE) as opened:
                assert len(await opened.read()) == 4096
            assert lent() == 0 and aio.threadpool.open is aio.open
        asyncio.run(main())
    """)


def test_a_class_registered_for_a_file_is_left_as_aiofiles_leaves_it(limited) -> None:
    """As the README of aiofiles has mocks wrapped: by a class that cannot be left by itself."""
    limited("""
        from unittest import mock
        from fsworkers.graceful import aio
        aio.threadpool.wrap.register(mock.MagicMock)(
            lambda *args, **kwargs: aio.threadpool.AsyncBufferedIOBase(*args, **kwargs)
        )
        stream = mock.MagicMock(read=lambda: b"chunk")
        async def main():
            with mock.patch("fsworkers.graceful.aio.threadpool.sync_open", return_value=stream):
                async with aio.open("nowhere", "w") as opened:
                    await opened.write("data")
                    assert await opened.read() == b"chunk"
        asyncio.run(main())
        stream.write.assert_called_once_with("data")
        stream.__exit__.assert_called_once_with(None, None, None)
    """)


@pytest.mark.parametrize("is_used_before", [False, True])
@pytest.mark.parametrize("is_first", [False, True])
def test_files_are_used_in_an_exit_handler(limited, is_used_before: bool, is_first: bool) -> None:
    """When our threads have ended, and when there were none and none can be begun any more."""
    output = limited(f"""
        import atexit
        async def use():
            async with aio.open(FILE, "rb") as file:
                assert len(await file.read()) == 4096
            async for entry in aio.os.scandir(FOLDER):
                raise AssertionError(entry)
            await aio.write_bytes(FILE, await aio.read_bytes(FILE))
            async with aio.tempfile.SpooledTemporaryFile(max_size=1) as file:
                await file.write(b"12")
            assert lent() == 0
        async def end():
            await asyncio.wait_for(use(), 5)
            print("done", end="")
        if not {is_first}: atexit.register(lambda: asyncio.run(end()))
        from fsworkers.graceful import aio
        if {is_first}: atexit.register(lambda: asyncio.run(end()))
        if {is_used_before}: asyncio.run(use())
    """)
    assert output == "done"


def test_a_temporary_file_draws_on_a_reservation_again_and_again(limited) -> None:
    """What was opened by way of something else goes back to where it came from as well."""
    limited("""
        from fsworkers.graceful import aio
        async def main():
            async with graceful.reserve(2):
                for _ in range(4):
                    for kind in ("NamedTemporaryFile", "TemporaryFile"):
                        async with getattr(aio.tempfile, kind)() as file:
                            await file.write(b"some")
                    async with aio.tempfile.SpooledTemporaryFile(3) as file:
                        await file.write(b"more than three")
                    async with aio.open(FILE, opener=lambda *way: os.open(*way)) as file:
                        await file.read()
                    async with aio.tempfile.TemporaryDirectory():
                        assert lent() == 2
            assert lent() == 0 and graceful.statistics().peak == 2
        asyncio.run(main())
    """)


def test_what_needs_two_draws_on_a_reservation_again_and_again(limited) -> None:
    """Copies, trees and removals of tasks that have reserved all there is; two or none."""
    limited("""
        from fsworkers.graceful import aio
        graceful.configure(max_open_files=4, wait_s=5)
        async def job(number):
            path = os.path.join(FOLDER, str(number))
            async with graceful.reserve(4):
                async with aio.open(FILE), aio.open(FILE):
                    for _ in range(3):
                        await aio.copy(FILE, path)
                        assert await aio.os.listdir(FOLDER)
                for _ in range(3):
                    os.mkdir(path + "d")
                    await aio.copytree(path + "d", path + "e")
                    await aio.rmtree(path + "d")
                    await aio.rmtree(path + "e")
                for path in ("nowhere", "elsewhere"):
                    try:
                        await aio.copy(path, FOLDER)
                    except FileNotFoundError:
                        continue
                    raise AssertionError("it was there")
        async def crowded():
            async with graceful.reserve(4):
                async with aio.open(FILE), aio.open(FILE), aio.open(FILE):
                    await aio.copy(FILE, FILE + "2")
        async def main():
            await asyncio.gather(*map(job, range(3)))
            seen = graceful.statistics()
            assert (seen.lent, seen.deadlocks, seen.rescued) == (0, 0, 0), seen
            await crowded()
            seen = graceful.statistics()
            assert (seen.lent, seen.deadlocks, seen.rescued) == (0, 0, 1), seen
        asyncio.run(main())
    """)


def test_a_deadline_tells_the_whole_wait_and_not_that_of_the_last_try(limited) -> None:
    """The kernel refuses again and again; the error says how long it has been in all."""
    limited("""
        from fsworkers.graceful import aio
        async def main():
            async with aio.open(FILE) as file: await file.read()
            graceful.configure(wait_s=0.5)
            foreign = []
            with contextlib.suppress(OSError):
                while True: foreign.append(os.dup(0))
            for opening in (aio.open(FILE), aio.read_bytes(FILE)):
                try:
                    await opening
                except graceful.BudgetTimeout as error:
                    assert 0.45 < error.waited_s < 5, error
                else:
                    raise AssertionError("it was opened")
            for number in foreign: os.close(number)
        asyncio.run(main())
        assert lent() == 0
    """)


def test_a_class_that_is_registered_wraps_what_is_opened(limited) -> None:
    """As aiofiles' README has it for mocks."""
    limited("""
        from unittest import mock
        from aiofiles.base import AsyncBase
        from fsworkers.graceful import aio
        class Odd:
            def read(self): return "odd"
            def close(self): pass
        class Mine(AsyncBase):
            async def read(self): return "mine"
        aio.threadpool.wrap.register(Odd)(
            lambda file, *, loop=None, executor=None: Mine(file, loop, executor))
        async def main():
            with mock.patch.object(aio.threadpool, "sync_open", return_value=Odd()):
                opened = await aio.open("x")
                assert type(opened) is Mine and await opened.read() == "mine"
            for mode, buffering in (("r", -1), ("rb", -1), ("rb", 0), ("r+b", -1), ("wb", -1)):
                async with aio.open(FILE, mode, buffering) as file:
                    assert type(file).__module__ == "fsworkers.graceful.aio.file_classes"
        asyncio.run(main())
        assert lent() == 0
    """)
