"""Parts of the standard library that open files of themselves, at a tight limit."""

from __future__ import annotations

import pytest

PACKAGE = """
import importlib, posix  # whose names nobody replaces
def package(name, count):
    folder = os.path.join(FOLDER, name)
    os.mkdir(folder)
    for number in range(count):
        with open(os.path.join(folder, f"m{number}.py"), "w") as file:
            file.write(f"value = {number}\\n")
    with open(os.path.join(folder, "__init__.py"), "w") as file:
        file.writelines(f"from . import m{number}\\n" for number in range(count))
sys.path.insert(0, FOLDER)
"""


@pytest.mark.parametrize("install", [True, False])
def test_a_package_of_many_modules_is_imported_while_all_is_lent(limited, install: bool) -> None:
    """The import system lives on the reserve: also in several threads that hold files."""
    limited(f"""
        {PACKAGE.replace(chr(10), chr(10) + " " * 8)}
        for number in range(8): package(f"many{{number}}", 20)
        graceful.configure(max_open_files=8)
        if {install}: graceful.install()
        barrier = threading.Barrier(8)
        def work(number):
            with graceful.open(FILE, "rb"):
                barrier.wait()
                assert lent() == 8
                made = importlib.import_module(f"many{{number}}")
                assert made.m19.value == 19
                barrier.wait()
        in_threads(work, 8)
        seen = graceful.statistics()
        assert (seen.lent, seen.waits, seen.refused) == (0, 0, 0), seen
    """)


def test_an_import_that_the_kernel_refuses_goes_on_when_others_close(limited) -> None:
    """Sources, folders and shared libraries, though other code has the very last descriptor."""
    limited(f"""
        {PACKAGE.replace(chr(10), chr(10) + " " * 8)}
        from importlib.machinery import ExtensionFileLoader, FileFinder
        package("refused", 3)
        graceful.install()
        graceful.statistics()
        def hog():
            taken = []
            try:
                while True: taken.append(posix.dup(1))
            except OSError:
                return taken
        def while_refused(step):
            taken = hog()
            before = graceful.statistics().refused
            def end():
                wait_for(lambda: graceful.statistics().refused >= before + 3)
                for number in taken: os.close(number)
            thread = threading.Thread(target=end)
            thread.start()
            found = step()
            thread.join()
            return found
        assert while_refused(lambda: importlib.import_module("refused.m2")).value == 2
        from importlib.util import find_spec
        spec = FileFinder(FOLDER, (importlib.machinery.SourceFileLoader, [".py"]))
        assert while_refused(lambda: spec.find_spec("refused")).name == "refused"
        library = find_spec("_testcapi") or find_spec("_lsprof") or find_spec("xxlimited")
        if library is not None and library.loader.__class__ is ExtensionFileLoader:
            assert while_refused(lambda: library.loader.create_module(library)) is not None
        graceful.uninstall()
        assert not hasattr(FileFinder.find_spec, "__wrapped__")
    """)


def test_threads_that_await_a_refused_import_all_get_the_module(limited) -> None:
    """One that failed would leave the others with a module that is not there."""
    limited(f"""
        {PACKAGE.replace(chr(10), chr(10) + " " * 8)}
        graceful.install()
        graceful.statistics()
        with open(os.path.join(FOLDER, "slow.py"), "w") as file:
            file.write("import time; time.sleep(0.2)\\nimport later\\nvalue = 1\\n")
        with open(os.path.join(FOLDER, "later.py"), "w") as file:
            file.write("value = 2\\n")
        taken = []
        def take_all(seconds):
            try:
                while True: taken.append(posix.dup(1))
            except OSError:
                time.sleep(seconds)
            while taken: os.close(taken.pop())
        timer = threading.Timer(0.1, take_all, (0.4,))
        timer.start()
        def work(number):
            import slow
            assert slow.value == 1
        in_threads(work, 6)
        timer.join()
        assert graceful.statistics().refused
    """)


def test_an_import_that_is_refused_for_good_says_so(limited) -> None:
    """Its patience has an end: whoever has the descriptors may be waiting for it."""
    limited("""
        import errno, posix
        from fsworkers.graceful.patching import import_retry
        import_retry.PATIENCE_S = 0.2
        graceful.install()
        sys.path.insert(0, FOLDER)
        with open(os.path.join(FOLDER, "never.py"), "w") as file: pass
        taken = []
        try:
            while True: taken.append(posix.dup(1))
        except OSError:
            pass
        try:
            import never
        except OSError as error:
            assert error.errno == errno.EMFILE
        else:
            raise AssertionError("it was imported")
        finally:
            for number in taken: os.close(number)
        import never
    """)


def test_a_thread_that_does_nothing_but_open_waits(limited) -> None:
    """Whoever asks who called finds nobody above."""
    limited("""
        import _thread, warnings
        warnings.simplefilter("ignore")  # nobody closes what it opens
        graceful.configure(max_open_files=1)
        file = graceful.open(FILE, "rb")
        _thread.start_new_thread(graceful.open, (os.path.join(FOLDER, "new"), "w"))
        wait_for(lambda: graceful.statistics().waiting)
        file.close()
        wait_for(lambda: os.path.exists(os.path.join(FOLDER, "new")) and lent() == 0)
    """)


def test_modules_and_their_data_are_read_by_tasks_that_open_files(limited) -> None:
    """Fresh imports between opens, importlib's own readers, and a module loaded again."""
    limited(f"""
        {PACKAGE.replace(chr(10), chr(10) + " " * 8)}
        import importlib.resources, importlib.util, runpy, linecache
        package("data", 30)
        importlib.import_module("data")
        graceful.configure(max_open_files=4)
        graceful.install()
        def work(number):
            path = os.path.join(FOLDER, "data", f"m{{number}}.py")
            with open(path) as file: file.read()
            assert importlib.resources.files("data").joinpath(f"m{{number}}.py").read_text()
            assert importlib.reload(sys.modules[f"data.m{{number}}"]).value == number
            assert runpy.run_path(path)["value"] == number
            assert linecache.getline(path, 1) == f"value = {{number}}\\n"
        in_threads(work, 30)
        seen = graceful.statistics()
        assert seen.lent == 0 and seen.peak <= 4 and seen.refused == 0, seen
    """)


def test_a_thread_pool_opens_more_than_there_are_descriptors(limited) -> None:
    """Far more threads than the budget has permits."""
    limited("""
        from concurrent.futures import ThreadPoolExecutor, as_completed
        graceful.configure(max_open_files=4)
        graceful.install()
        before = open_count()
        def read(number):
            with open(FILE, "rb") as file, os.scandir(FOLDER) as entries:
                return len(file.read()) + len(list(entries))
        with ThreadPoolExecutor(40) as pool:
            futures = [pool.submit(read, number) for number in range(200)]
            assert {future.result() for future in as_completed(futures, 60)} == {4096}
            assert list(pool.map(os.listdir, [FOLDER] * 100)) == [[]] * 100
        seen = graceful.statistics()
        assert seen.lent == 0 and seen.deadlocks == 0 and open_count() == before, seen
    """)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_pool_is_started_and_ended_at_a_tight_limit(
    limited, method: str, when: str
) -> None:
    """Loaded before or after ``install``; what it took is there again afterwards."""
    early = "import multiprocessing.connection, concurrent.futures.process"
    limited(
        f"""
        {early if when == "before" else ""}
        graceful.configure()
        graceful.install()
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context
        files = [open(FILE, "rb") for _ in range(2)]
        for _ in range(2):
            with ProcessPoolExecutor(2, mp_context=get_context({method!r})) as pool:
                assert list(pool.map(os.path.getsize, [FILE] * 20, timeout=30)) == [4096] * 20
                assert pool.submit(os.listdir, FOLDER).result(30) == []
        for file in files: file.close()
        gc.collect()
        # The fork server and the resource tracker stay to the end.
        files = [open(FILE) for _ in range(graceful.statistics().capacity - 8)]
        for file in files: file.close()
        seen = graceful.statistics()
        assert seen.deadlocks == 0 and seen.rescued == 0, seen
    """,
        limit=48,
    )


def test_several_process_pools_are_started_at_once(limited) -> None:
    """Threads that each start one wait for one another instead of failing."""
    limited(
        """
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        graceful.configure()
        graceful.install()
        context = multiprocessing.get_context("spawn")
        def work(number):
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                assert pool.submit(os.path.getsize, FILE).result(60) == 4096
        in_threads(work, 4)
        assert graceful.statistics().deadlocks == 0
    """,
        limit=64,
    )


@pytest.mark.parametrize("is_early", [True, False])
@pytest.mark.parametrize(
    ("run", "open_file"),
    [
        ("anyio.run(main, backend='asyncio')", "anyio.open_file"),
        ("anyio.run(main, backend='trio')", "anyio.open_file"),
        ("trio.run(main)", "trio.open_file"),
    ],
)
def test_opens_on_limited_threads_wait_before_they_take_one(
    limited, run: str, open_file: str, is_early: bool
) -> None:
    """Their closes need the same threads. Loaded before or after ``install``."""
    limited(f"""
        if {is_early}: import anyio, trio
        graceful.install()
        import anyio, trio
        read = []
        async def job(number):
            async with await {open_file}(FILE, "rb") as file:
                await anyio.sleep(0.01)
                read.append(len(await file.read()))
        async def fail():
            try: await {open_file}(FOLDER)
            except IsADirectoryError: pass
            else: raise AssertionError("it opened")
        async def main():
            await fail()
            with anyio.fail_after(20):
                async with anyio.create_task_group() as group:
                    for number in range(300): group.start_soon(job, number)
            scope = anyio.CancelScope()
            files = held_elsewhere(graceful.statistics().capacity - lent())
            async def wait_a_while():  # not so on trio: its tasks are one owner, which holds
                with scope: await job(0)
            async with anyio.create_task_group() as group:
                group.start_soon(wait_a_while)
                await anyio.sleep(0.05)
                scope.cancel()
            for file in files: file.close()
            assert graceful.statistics().waiting == 0
        {run}
        gc.collect()
        assert read[:300] == [4096] * 300 and lent() == 0, (len(read), graceful.holders())
        assert graceful.statistics().deadlocks == 0
    """)
