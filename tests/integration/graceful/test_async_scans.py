"""Folders looked into by coroutines: nothing is missing, and nothing stays open."""

from __future__ import annotations

import asyncio
import inspect
import sys
import textwrap

import pytest

from fsworkers.graceful import aio

SLOW = """
from fsworkers.graceful import aio
from fsworkers.graceful.budget import kernel

class Slow:
    '''Entries that are read when they are told to, and note what is done to them and by whom.'''

    def __init__(self, path):
        self.entries = original(path)
    def __iter__(self):
        return self
    def __next__(self):
        begun.set()
        assert go.wait(5)
        events.append(("read", threading.current_thread().name))
        return next(self.entries)
    def __enter__(self):
        return self
    def __exit__(self, *_):
        events.append(("close", threading.current_thread().name))
        self.entries.close()

original, kernel.scandir = kernel.scandir, Slow
begun, go, events = threading.Event(), threading.Event(), []
NAMES = sorted(f"{number:04}" for number in range(1000))
for name in NAMES:
    open(os.path.join(FOLDER, name), "w").close()

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
"""


def script(body: str) -> str:
    """A script with slow folders."""
    return SLOW + textwrap.dedent(body)


@pytest.mark.parametrize("use", ["entries", "anext(entries)", "entries.__aenter__()"])
def test_a_scan_that_is_cancelled_while_it_reads_is_closed_by_its_thread(limited, use: str) -> None:
    """The task does not wait for it; permit and descriptor are back when the read has ended."""
    limited(
        script(f"""
        async def main():
            entries = aio.os.scandir(FOLDER)
            numbers = os.listdir("/dev/fd")
            await cancelled(await begin({use}))
            assert lent() == 1 and not events
            go.set()
            await asyncio.to_thread(wait_for, lambda: lent() == 0)
            assert [one[0] for one in events] == ["read"] * 1001 + ["close"]
            assert os.listdir("/dev/fd") == numbers
        asyncio.run(main())
    """)
    )


def test_nothing_is_missing_however_a_scan_is_gone_on_with(limited) -> None:
    """After a break, with ``for`` and ``anext``, by whoever is next."""
    limited(
        script("""
        async def some(entries):
            async for entry in entries:
                return entry.name
        go.set()
        async def main():
            async with aio.os.scandir(FOLDER) as entries:
                found = [(await anext(entries)).name, await some(entries), next(entries).name]
                found += [await some(entries)]
                found += [next(entries).name for _ in range(600)]
                found += [entry.name async for entry in entries]
                assert sorted(found) == NAMES
                assert [*entries] == [one async for one in entries] == []
            assert lent() == 0
            scan = aio.os.scandir(FOLDER)
            found = [await some(scan), await some(scan), *[one.name async for one in scan]]
            assert sorted(found) == NAMES and lent() == 0
            entries = await aio.os.scandir(FOLDER)
            found = await asyncio.gather(*[anext(entries) for _ in range(1000)])
            assert sorted(one.name for one in found) == NAMES
            entries.close()
            assert lent() == 0
        asyncio.run(main())
    """)
    )


def test_an_error_in_the_middle_of_a_folder_is_told(limited) -> None:
    """Never taken for the folder's end; nothing stays open."""
    limited(
        script("""
        class Torn(Slow):
            def __next__(self):
                if len(events) == 5: raise OSError(errno.EIO, "torn")
                return super().__next__()
        kernel.scandir = Torn
        go.set()
        async def main():
            try:
                async for _ in aio.os.scandir(FOLDER): pass
            except OSError as error:
                assert error.errno == errno.EIO
            else:
                raise AssertionError("it ended")
            assert [one[0] for one in events] == ["read"] * 5 + ["close"] and lent() == 0
        asyncio.run(main())
    """)
    )


def test_a_scan_holds_nothing_once_it_is_read(limited) -> None:
    """Left by ``break``, an error, a cancel or ``aclose``, or not at all: no warning, no permit."""
    limited(
        script("""
        go.set()
        async def left(how):
            async for _ in aio.os.scandir(FOLDER):
                match how:
                    case "break": break
                    case "error": raise LookupError
                    case "wait": await asyncio.Event().wait()
        async def main():
            await left("break")
            assert lent() == 0
            with contextlib.suppress(LookupError):
                await left("error")
            assert lent() == 0
            await cancelled(await begin(left("wait")))
            await asyncio.to_thread(wait_for, lambda: lent() == 0)
            async with contextlib.aclosing(aio.os.scandir(FOLDER)) as scan:
                await anext(scan)
                assert lent() == 0
            assert [one async for one in scan] == []
            await aio.os.scandir(FOLDER).aclose()
        asyncio.run(main())
    """)
    )


def test_a_scan_runs_on_the_executor_it_was_given(limited) -> None:
    """Reads and the close too."""
    limited(
        script("""
        from concurrent.futures import ThreadPoolExecutor
        go.set()
        async def main():
            with ThreadPoolExecutor(1, thread_name_prefix="given") as executor:
                async with aio.os.scandir(FOLDER, executor=executor) as entries:
                    await anext(entries)
            assert {thread.split("_")[0] for _, thread in events} == {"given"}
            assert events[-1][0] == "close" and lent() == 0
        asyncio.run(main())
    """)
    )


def test_code_that_asks_is_told_that_scandir_is_awaited() -> None:
    """As of aiofiles' coroutine function: by ``asyncio``, and from Python 3.12 on ``inspect``."""
    is_coroutine_function = (
        inspect.iscoroutinefunction if sys.version_info >= (3, 12) else asyncio.iscoroutinefunction
    )
    assert is_coroutine_function(aio.os.scandir)


@pytest.mark.parametrize("followlinks", [False, True])
def test_walk_looks_at_links_after_its_caller_has_had_its_turn(limited, followlinks: bool) -> None:
    """Those added to the names, and those put in a folder's place, as the standard one does."""
    limited(f"""
        import shutil
        from fsworkers.graceful import aio
        def tree(top):
            for name in ("kept/in", "replaced/in", "other/in"): os.makedirs(f"{{top}}/{{name}}")
            os.symlink(f"{{top}}/other", f"{{top}}/kept/link")
        def meddle(folder, names):
            if "replaced" in names:
                shutil.rmtree(f"{{folder}}/replaced")
                os.symlink(f"{{folder}}/kept/in", f"{{folder}}/replaced")
                names.remove("other")
                names.append("kept/link")
        def standard(top):
            for folder, names, _ in os.walk(top, followlinks={followlinks}):
                yield folder[len(top):]
                meddle(folder, names)
        async def ours(top):
            async for folder, names, _ in aio.os.walk(top, followlinks={followlinks}):
                yield folder[len(top):]
                meddle(folder, names)
        async def main():
            return [one async for one in ours(FOLDER + "/b")]
        tree(FOLDER + "/a"); tree(FOLDER + "/b")
        found = asyncio.run(main())
        assert sorted(found) == sorted(standard(FOLDER + "/a"))
        assert ("/kept/link" in found) == ("/replaced" in found) == {followlinks}
        assert lent() == 0
    """)
