"""``install`` beside other patchers, whichever came first, and when it goes wrong."""

from __future__ import annotations

import pytest

UVLOOP = """
import asyncio
from concurrent.futures import ThreadPoolExecutor
class Loop(asyncio.SelectorEventLoop):
    threads = ThreadPoolExecutor(2)
    def run_in_executor(self, executor, func, *args):
        return asyncio.wrap_future(self.threads.submit(func, *args), loop=self)
"""


def test_a_wrapper_that_was_there_before_stays_in_force(limited) -> None:
    """It is called, leads on to us by the name it keeps, and is there afterwards."""
    limited("""
        import builtins
        original, listdir = builtins.open, os.listdir
        kept = original
        seen = []
        def wrapper(*args, **kwargs):
            seen.append(args[0])
            return kept(*args, **kwargs)
        builtins.open = wrapper
        os.listdir = lambda path: ["made up"]
        fake = os.listdir
        graceful.install()
        with open(FILE) as file:
            assert seen == [FILE] and lent() == 1
        assert os.listdir(FOLDER) == ["made up"] and io.open.__wrapped__ is graceful.open
        graceful.uninstall()
        assert builtins.open is wrapper and os.listdir is fake and kept is io.open is original
        builtins.open, os.listdir = original, listdir
        graceful.install()
        assert builtins.open.__wrapped__ is graceful.open
        assert os.listdir.__wrapped__ is graceful.os.listdir
        graceful.uninstall()
        assert builtins.open is original and os.listdir is listdir
    """)


def test_mocks_stay_in_force_and_what_they_bring_back_is_set_right(limited) -> None:
    """One begun before ``install``, and one that ends after ``uninstall``."""
    limited("""
        import builtins
        from unittest import mock
        original = builtins.open
        with mock.patch("builtins.open", mock.mock_open(read_data="made up")):
            graceful.install()
            assert open("nowhere").read() == "made up"
        graceful.uninstall()
        assert builtins.open is original is io.open
        graceful.install()
        on_top = mock.patch("builtins.open")
        on_top.start()
        graceful.uninstall()
        on_top.stop()
        assert builtins.open.__wrapped__ is graceful.open and io.open is original
        graceful.install()
        assert builtins.open is io.open and io.open.__wrapped__ is graceful.open
        graceful.uninstall()
        assert builtins.open is original is io.open
    """)


def test_an_install_that_fails_leaves_nothing(limited) -> None:
    """And can be tried again."""
    limited("""
        import socket, subprocess
        def state():
            return [
                (id(place), name, id(value))
                for place in (io, os, socket, socket.socket, subprocess.Popen, sys.modules["posix"])
                for name, value in sorted(vars(place).items())
            ] + [id(one) for one in sys.meta_path] + [len(os.supports_dir_fd)]
        class Sealed(type):
            def __setattr__(cls, name, value):
                raise TypeError("sealed")
        from fsworkers.graceful.patching import install
        standard = subprocess.Popen
        subprocess.Popen = Sealed("Popen", (standard,), {})
        before = state()
        for _ in range(2):
            try:
                graceful.install()
            except TypeError:
                assert not graceful.is_installed() and state() == before
            else:
                raise AssertionError("it was installed")
        subprocess.Popen = standard
        graceful.install()
        assert graceful.is_installed() and open.__wrapped__ is graceful.open
    """)


def test_a_path_class_that_lacks_a_method_is_no_obstacle(limited) -> None:
    """As a fake file system puts one in."""
    limited("""
        import pathlib
        pathlib.Path = type("Path", (), {})
        graceful.install()
        assert graceful.is_installed()
    """)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_traceback_in_a_coroutine_does_not_wait(limited, when: str) -> None:
    """Source lines are read as modules are: with everything lent, on the loop's own thread."""
    limited(f"""
        import linecache, tokenize
        if {when == "after"}:
            for name in ("tokenize", "linecache", "traceback"): del sys.modules[name]
        standard = open
        graceful.install()
        import json, linecache, tokenize, traceback
        async def main():
            files = [graceful.open(FILE) for _ in range(graceful.statistics().capacity - lent())]
            linecache.clearcache()
            waits = graceful.statistics().waits
            try:
                json.loads("{{")
            except ValueError:
                assert "raw_decode" in traceback.format_exc()
            with tokenize.open(json.__file__) as source:
                assert "json" in source.readline() + source.readline()
            assert graceful.statistics().waits == waits
            for file in files: file.close()
        asyncio.run(main())
        graceful.uninstall()
        assert tokenize._builtin_open is standard
    """)


def test_bare_aiofiles_in_a_loop_of_another_make(limited) -> None:
    """As uvloop's, as far as it matters here, imported after ``install``; once looked for."""
    limited(f"""
        with open(os.path.join(FOLDER, "uvloop.py"), "w") as file:
            file.write({UVLOOP!r})
        import importlib.util
        graceful.install()
        sys.path.insert(0, FOLDER)
        importlib.invalidate_caches()
        assert importlib.util.find_spec("uvloop") is not None
        import uvloop
        original = uvloop.Loop.run_in_executor.__wrapped__
        import aiofiles
        async def read():
            async with aiofiles.open(FILE, "rb") as file:
                return len(await file.read())
        async def main():
            assert set(await asyncio.gather(*(read() for _ in range(200)))) == {{4096}}
        with asyncio.Runner(loop_factory=uvloop.Loop) as runner:
            runner.run(main())
        seen = graceful.statistics()
        assert (seen.lent, seen.deadlocks, seen.rescued) == (0, 0, 0), seen
        graceful.uninstall()
        assert uvloop.Loop.run_in_executor is original
    """)
