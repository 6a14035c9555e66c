"""Files that coroutines open in an executor, as aiofiles does, while the layer is installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

LATE = """
import subprocess, sys
from fsworkers import graceful
graceful.install()
assert "asyncio" not in sys.modules
import asyncio
assert hasattr(asyncio.BaseEventLoop.run_in_executor, "__wrapped__")
graceful.uninstall()
assert not hasattr(asyncio.BaseEventLoop.run_in_executor, "__wrapped__")
"""

NEVER = """
import sys
from fsworkers import graceful
before = list(sys.meta_path)
graceful.install()
graceful.uninstall()
assert sys.meta_path == before
import asyncio
assert not hasattr(asyncio.BaseEventLoop.run_in_executor, "__wrapped__")
"""


@pytest.mark.parametrize("script", [LATE, NEVER])
def test_asyncio_may_be_imported_later(script: str) -> None:
    """Installed, its loops are changed as soon as there are any; uninstalled, they are not."""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_bare_aiofiles_at_a_tight_limit(limited) -> None:
    """Its reads and closes never queue behind opens that wait."""
    limited("""
        graceful.install()
        import aiofiles
        async def job(number):
            async with aiofiles.open(FILE, "rb") as file:
                return len(await file.read())
        async def main():
            begun_s = time.monotonic()
            sizes = await asyncio.gather(*(job(number) for number in range(500)))
            assert set(sizes) == {4096}
            assert time.monotonic() - begun_s < 10, graceful.statistics()
        asyncio.run(main())
        gc.collect()
        seen = graceful.statistics()
        assert (seen.lent, seen.deadlocks, seen.rescued) == (0, 0, 0), seen
    """)


def test_what_holds_such_a_file_is_its_task(limited) -> None:
    """Tasks that hold one and want another are seen, and helped or told."""
    limited("""
        graceful.configure()
        graceful.install()
        import aiofiles
        async def job(number):
            async with aiofiles.open(FILE, "rb") as first:
                await asyncio.sleep(0.05)
                async with aiofiles.open(FILE, "rb") as second:
                    return len(await first.read()) + len(await second.read())
        async def main():
            begun_s = time.monotonic()
            found = await asyncio.gather(*(job(n) for n in range(60)), return_exceptions=True)
            ended = [one for one in found if isinstance(one, graceful.DescriptorDeadlock)]
            assert found.count(8192) + len(ended) == 60, found
            assert len(ended) < 30 and time.monotonic() - begun_s < 15, graceful.statistics()
        asyncio.run(main())
        gc.collect()
        assert lent() == 0, graceful.holders()
    """)


def test_open_in_a_thread_keeps_its_ways(limited) -> None:
    """Errors, arguments, a cancelled wait, an opener and an executor of one's own."""
    limited("""
        from concurrent.futures import ThreadPoolExecutor
        graceful.configure(max_open_files=4)
        before = open_count()
        graceful.install()
        async def main():
            loop = asyncio.get_running_loop()
            with contextlib.suppress(FileNotFoundError):
                await asyncio.to_thread(open, FILE + "-")
                raise AssertionError
            with contextlib.suppress(ValueError):
                await loop.run_in_executor(None, open, FILE, "nonsense")
                raise AssertionError
            file = await asyncio.to_thread(open, FILE, "r", encoding="latin-1")
            assert (file.encoding, len(file.read())) == ("latin-1", 4096)
            file.close()
            opener = lambda path, flags: os.open(path, flags)
            (await asyncio.to_thread(open, FILE, "rb", opener=opener)).close()
            with ThreadPoolExecutor(1) as own:
                (await loop.run_in_executor(own, open, FILE, "rb")).close()
                number = os.open(FILE, os.O_RDONLY)
                (await loop.run_in_executor(own, open, number, "rb")).close()
            held = [open(FILE) for _ in range(4)]
            waiting = loop.run_in_executor(None, open, FILE)
            await asyncio.sleep(0.05)
            assert graceful.statistics().waiting == 1
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
                raise AssertionError
            assert graceful.statistics().waiting == 0
            for one in held: one.close()
        asyncio.run(main())
        gc.collect()
        assert lent() == 0 and open_count() == before, graceful.holders()
        graceful.uninstall()
        assert not hasattr(asyncio.BaseEventLoop.run_in_executor, "__wrapped__")
    """)


def test_open_in_a_thread_runs_where_the_loop_has_its_threads(limited) -> None:
    """In the default executor that was set, as long as there is one."""
    limited("""
        import concurrent.futures
        graceful.install()
        async def main():
            loop = asyncio.get_running_loop()
            mine = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="mine")
            loop.set_default_executor(mine)
            seen = []
            def hook(event, args):
                if event == "open" and args[0] == FILE:
                    seen.append(threading.current_thread().name)
            sys.addaudithook(hook)
            (await loop.run_in_executor(None, open, FILE)).close()
            (await asyncio.to_thread(open, FILE)).close()
            assert seen == ["mine_0", "mine_0"], seen
            await loop.shutdown_default_executor()
            try:
                await loop.run_in_executor(None, open, FILE)
            except RuntimeError as error:
                assert "shutdown" in str(error)
            else:
                raise AssertionError("it ran all the same")
        asyncio.run(main())
        assert lent() == 0
    """)
