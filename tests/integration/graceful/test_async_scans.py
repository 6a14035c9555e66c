"""Folders looked into by coroutines: nothing is missing, and nobody closes what another reads."""

from __future__ import annotations

import asyncio
import inspect
import sys
import textwrap

import pytest

from fsworkers.graceful import aio

SLOW = """
from fsworkers.graceful import aio, system

class Slow:
    '''Entries that are read when they are told to, and note what is done to them and by whom.'''

    def __init__(self, path):
        self.entries = original(path)
        self.is_read = False
    def __next__(self):
        assert not self.is_read, "read by two"
        self.is_read = True
        begun.set()
        assert go.wait(5)
        events.append(("read", threading.current_thread().name))
        try:
            return next(self.entries)
        finally:
            self.is_read = False
    def close(self):
        assert not self.is_read, "closed under its reader"
        events.append(("close", threading.current_thread().name))
        self.entries.close()

original, system.scandir = system.scandir, Slow
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


def test_leaving_a_scan_waits_for_its_read(limited) -> None:
    """Cancelled in the middle of a read, ``async with`` closes after it, also cancelled again."""
    limited(
        script("""
        async def look():
            async with aio.os.scandir(FOLDER) as entries:
                async for _ in entries: pass
        async def main():
            task = await begin(look())
            for _ in range(2):
                task.cancel()
                for _ in range(3): await asyncio.sleep(0)
            assert not [one for one in events if one[0] == "close"]
            go.set()
            await cancelled(task)
            await asyncio.to_thread(wait_for, lambda: lent() == 0)
            assert [one[0] for one in events].index("close") == 512
        asyncio.run(main())
    """)
    )


@pytest.mark.parametrize(
    "ending", ["entries.close()", "del entries", "entries.__exit__(*[None] * 3)"]
)
def test_whoever_reads_a_scan_closes_it_when_another_wants_it_closed(limited, ending: str) -> None:
    """Closed, dropped or left by its owner while a cancelled read is under way: nobody waits."""
    limited(
        script(f"""
        async def main():
            entries = aio.os.scandir(FOLDER)
            if {ending!r} != "del entries":
                entries = await entries
            await cancelled(await begin(anext(entries)))
            {ending}
            assert lent() == 1 and not events
            go.set()
            await asyncio.to_thread(wait_for, lambda: lent() == 0)
            assert [one[0] for one in events].index("close") == 512
        asyncio.run(main())
    """)
    )


def test_nothing_is_missing_however_a_scan_is_gone_on_with(limited) -> None:
    """After a break, after a cancelled read, with ``for`` and ``anext``, by whoever is next."""
    limited(
        script("""
        async def some(entries):
            async for entry in entries:
                return entry.name
        async def main():
            async with aio.os.scandir(FOLDER) as entries:
                await cancelled(await begin(anext(entries)))
                go.set()
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


def test_what_was_read_before_an_error_comes_before_it(limited) -> None:
    """Also when the task that would have got it was cancelled."""
    limited(
        script("""
        class Torn(Slow):
            def __next__(self):
                if len(events) == 5: raise OSError(errno.EIO, "torn")
                return super().__next__()
        system.scandir = Torn
        async def main():
            async with aio.os.scandir(FOLDER) as entries:
                await cancelled(await begin(anext(entries)))
                go.set()
                for _ in range(5): await anext(entries)
                try:
                    await anext(entries)
                except OSError as error:
                    assert error.errno == errno.EIO
                else:
                    raise AssertionError("it ended")
            assert lent() == 0
        asyncio.run(main())
    """)
    )


def test_a_scan_left_early_is_closed_at_once(limited) -> None:
    """By ``break``, an error, a cancel or ``aclose``: no warning, and the permit is back."""
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
                assert lent() == 1
            assert lent() == 0
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
