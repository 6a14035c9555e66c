"""The faces at a tight limit: blocking, asynchronous, and installed under third-party code."""

from __future__ import annotations


def test_trees_deeper_than_the_budget(limited) -> None:
    """Walked, globbed, copied and removed at depth 100 with 8 descriptors; nothing is missing."""
    limited("""
        import glob, shutil
        graceful.configure(max_open_files=8)
        path = os.path.join(FOLDER, "deep")
        top = path
        for level in range(100):
            os.mkdir(path)
            open(os.path.join(path, "f"), "w").close()
            path = os.path.join(path, "d")
        for options in ({}, {"topdown": False}):
            def found(walk):
                return [(a, sorted(b), sorted(c)) for a, b, c in walk(top, **options)]
            assert found(graceful.os.walk) == found(os.walk)
        every = top + "/**"
        found = sorted(graceful.glob.glob(every, recursive=True))
        assert found == sorted(glob.glob(every, recursive=True))
        graceful.shutil.copytree(top, top + "2")
        assert len(list(os.walk(top + "2"))) == 100
        graceful.shutil.rmtree(top + "2")
        assert not os.path.exists(top + "2")
        graceful.shutil.move(top, top + "3")
        graceful.shutil.rmtree(top + "3", ignore_errors=True)
        assert not os.path.exists(top + "3") and lent() == 0
    """)


def test_counts_stay_right_through_every_kind_of_descriptor(limited) -> None:
    """dup, pipe, mmap after close, sockets, temporary files, subprocesses."""
    limited("""
        before = open_count()
        number = graceful.os.open(FILE, os.O_RDONLY)
        copy = graceful.os.dup(number)
        ends = graceful.os.pipe()
        assert lent() == 4
        for one in (number, copy, *ends): graceful.os.close(one)
        with graceful.open(FILE, "rb") as file:
            mapped = graceful.mmap.mmap(file.fileno(), 0, access=1)
        assert lent() == 1
        mapped.close()
        if sys.version_info >= (3, 13):
            with graceful.open(FILE, "rb") as file:
                mapped = graceful.mmap.mmap(file.fileno(), 0, access=1, trackfd=False)
            assert lent() == 0 and mapped[:1] == b"x"
            mapped.close()
        left, right = graceful.socket.socketpair()
        assert lent() == 2
        left.close(); right.close()
        assert lent() == 0
        lost = graceful.socket.socketpair()
        import warnings
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            del lost
            gc.collect()
        assert lent() == 0
        with graceful.tempfile.NamedTemporaryFile() as file:
            assert lent() == 1
        child = graceful.subprocess.Popen(["cat"], stdin=-1, stdout=-1, stderr=-1)
        assert lent() == 3
        assert child.communicate(b"x") == (b"x", b"")
        assert lent() == 0 and graceful.statistics().peak == 8
        assert graceful.subprocess.run(["true"], stdout=graceful.subprocess.DEVNULL).returncode == 0
        assert lent() == 0 and open_count() == before
    """)


def test_an_operation_too_large_for_the_budget_fails_at_once(limited) -> None:
    """A subprocess with three pipes needs eight."""
    limited("""
        graceful.configure(max_open_files=7)
        try:
            graceful.subprocess.run(["cat"], input=b"", capture_output=True)
        except graceful.BudgetTooSmall as error:
            assert (error.needed, error.budget) == (8, 7)
        else:
            raise AssertionError("it ran")
        assert lent() == 0
    """)


def test_third_party_code_at_a_tight_limit(limited) -> None:
    """Installed, a task's libraries wait their turn; uninstalled, all names are the originals."""
    limited("""
        import builtins, csv, glob, logging, pathlib, shutil, socket, sqlite3, subprocess
        import tarfile, tempfile, zipfile
        names = [(builtins, "open"), (io, "open"), (os, "open"), (os, "close"), (os, "scandir"),
                 (os, "walk"), (shutil, "rmtree"), (tarfile, "bltn_open"),
                 (socket.socket, "__init__"), (subprocess.Popen, "__init__"),
                 (socket, "socketpair")]
        originals = [getattr(*name) for name in names]
        graceful.configure(max_open_files=16)
        graceful.install()
        graceful.install()
        assert open.__wrapped__ is graceful.open and tarfile.bltn_open is open
        assert sys.modules["_io"].open is originals[0], "what imports work with is left alone"
        before = open_count()
        def work(number):
            base = os.path.join(FOLDER, str(number))
            os.mkdir(base)
            with open(os.path.join(base, "a.csv"), "w", newline="") as file:
                csv.writer(file).writerows([[1, 2]] * 10)
            with zipfile.ZipFile(os.path.join(base, "a.zip"), "w") as archive:
                archive.write(os.path.join(base, "a.csv"), "a.csv")
            with tarfile.open(os.path.join(base, "a.tar"), "w") as archive:
                archive.add(os.path.join(base, "a.csv"), "a.csv")
            shutil.copytree(base, base + "-copy")
            assert len(list(pathlib.Path(base + "-copy").iterdir())) == 3
            assert subprocess.run(["cat", os.path.join(base, "a.csv")], capture_output=True).stdout
            with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile(dir=folder):
                assert len(glob.glob(folder + "/*")) == 1
            with contextlib.closing(sqlite3.connect(os.path.join(base, "db"))) as base_:
                base_.execute("create table t (x)")
            handler = logging.FileHandler(os.path.join(base, "log"))
            handler.close()
            for one in socket.socketpair(): one.close()
            shutil.rmtree(base + "-copy")
        in_threads(work, 24)
        gc.collect()
        assert lent() == 0, graceful.holders()
        assert open_count() == before
        graceful.uninstall()
        assert [getattr(*name) for name in names] == originals
        graceful.uninstall()
    """)


def test_pillow_at_a_tight_limit(limited) -> None:
    """A library that never heard of the layer reads and writes under it."""
    limited("""
        import pytest
        Image = pytest.importorskip("PIL.Image")
        Image.init()
        graceful.configure(max_open_files=4)
        graceful.install()
        def work(number):
            path = os.path.join(FOLDER, f"{number}.png")
            Image.new("RGB", (8, 8)).save(path)
            with Image.open(path) as image:
                image.load()
        in_threads(work, 30)
        assert lent() == 0 and graceful.statistics().peak <= 5
    """)


def test_another_patcher_keeps_what_it_put_on_top(limited) -> None:
    """Uninstall leaves alone what is not ours any more, and it goes on to work."""
    limited("""
        import builtins
        original = open
        graceful.install()
        ours = builtins.open
        def theirs(*args, **kwargs):
            return ours(*args, **kwargs)
        builtins.open = theirs
        graceful.uninstall()
        assert builtins.open is theirs and io.open is original
        open(FILE).close()
        builtins.open = original
    """)


def test_isinstance_and_pickle_hold_while_installed(limited) -> None:
    """Objects made before and after are of the same classes; ``open`` can be pickled."""
    limited("""
        import collections.abc, pickle, socket, subprocess
        import mmap
        early = socket.socket()
        early_map = mmap.mmap(-1, 10)
        graceful.install()
        assert isinstance(early_map, mmap.mmap) and isinstance(mmap.mmap(-1, 10), mmap.mmap)
        assert not isinstance(early, mmap.mmap)
        assert repr(mmap.mmap(-1, 10)) == repr(early_map)
        class Sized(mmap.mmap, collections.abc.Sized):
            pass
        assert repr(Sized(-1, 10)).startswith("<Sized closed=False")
        late = socket.socket()
        assert isinstance(early, socket.socket) and isinstance(late, socket.socket)
        early.close(); late.close()
        assert pickle.loads(pickle.dumps(open)) is open
        with open(FILE, "rb") as file:
            assert isinstance(file, io.BufferedReader) and isinstance(file.raw, io.FileIO)
        with graceful.subprocess.Popen(["true"]) as child:
            assert isinstance(child, subprocess.Popen)
        assert lent() == 0
    """)


def test_asyncio_opens_wait_in_the_loop(limited) -> None:
    """Subprocesses, servers and connections of coroutines, more than there are descriptors for."""
    limited("""
        graceful.configure(max_open_files=16)
        graceful.install()
        async def run(number):
            child = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
            output, _ = await child.communicate(b"x")
            assert output == b"x"
        async def main():
            await asyncio.gather(*(run(number) for number in range(12)))
        asyncio.run(main())
        gc.collect()
        assert lent() == 0, graceful.holders()
        graceful.uninstall()
    """)


def test_cancelling_at_any_moment_leaves_nothing(limited) -> None:
    """While waiting, opening, reading and closing: descriptors and permits all come back."""
    limited("""
        import random
        from fsworkers.graceful import aio
        graceful.configure(max_open_files=12)
        async def one():
            async with aio.open(FILE, "rb") as file:
                await file.read()
        async def raw():
            async with aio.open(FILE, "rb", buffering=0) as file:
                await file.read(1)
        async def whole():
            await aio.read_bytes(FILE)
        async def main():
            await one()
            before = open_count()
            for number in range(150):
                kinds = random.choices((one, raw, whole), k=30)
                tasks = [asyncio.ensure_future(kind()) for kind in kinds]
                for _ in range(random.randrange(6)):
                    await asyncio.sleep(0)
                if number % 3 == 0:
                    await asyncio.sleep(random.random() * 0.003)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(wait_for, lambda: lent() == 0 and open_count() <= before + 1)
            gc.collect()
            assert open_count() == before and graceful.statistics().waiting == 0
        asyncio.run(main())
    """)


def test_the_asynchronous_face_is_aiofiles(limited) -> None:
    """Every public name of aiofiles and the modules used is there, its parameters in order."""
    limited("""
        import inspect, pickle, types
        import aiofiles, aiofiles.os, aiofiles.ospath, aiofiles.tempfile
        from fsworkers.graceful import aio as ours
        checked = []
        # Where aiofiles keeps its classes and tools: who needs these has them of aiofiles.
        inner = {"base", "threadpool.binary", "threadpool.text", "threadpool.utils",
                 "tempfile.temptypes"}
        def compare(theirs, ours, path):
            for name in sorted({*dir(theirs), *getattr(theirs, "__all__", ())}):
                value = getattr(theirs, name)
                home = value.__name__ if inspect.ismodule(value) else getattr(
                    value, "__module__", None) or "aiofiles"
                is_theirs = home.startswith("aiofiles") or name in getattr(theirs, "__all__", ())
                # What its decorators are called where they are used is nobody's business.
                is_tool = home == "aiofiles.threadpool.utils" and theirs.__name__ != home
                if name.startswith("_") or not is_theirs or is_tool or path + name in inner:
                    continue
                mine = getattr(ours, name)
                checked.append(path + name)
                if inspect.ismodule(value):
                    compare(value, mine, path + name + ".")
                elif inspect.isclass(value):
                    assert mine is value, path + name
                elif inspect.isfunction(value) and (path, name) != ("os.", "scandir"):
                    added = {"is_sorted"}
                    expected = set(inspect.signature(value).parameters) - added
                    found = [one for one in inspect.signature(mine).parameters if one not in added]
                    assert found == [
                        one for one in inspect.signature(value).parameters if one in expected
                    ], path + name
        compare(aiofiles, ours, "")
        import fsworkers.graceful.aio.os, fsworkers.graceful.aio.ospath
        import fsworkers.graceful.aio.tempfile
        assert {"open", "os.scandir", "os.path", "ospath.exists", "tempfile.NamedTemporaryFile",
                "threadpool.AsyncBufferedReader", "threadpool.wrap"} <= set(checked), checked
        for one in (ours.os.stat, ours.os.path.exists, ours.os.scandir, ours.copy, ours.read_bytes):
            assert pickle.loads(pickle.dumps(one)) is one
        async def main():
            async with ours.open(FILE, "rb") as file:
                assert isinstance(file, aiofiles.threadpool.binary.AsyncBufferedReader)
            wrapped = ours.threadpool.wrap(graceful.open(FILE))
            assert isinstance(wrapped, aiofiles.threadpool.text.AsyncTextIOWrapper)
            assert len(await wrapped.read()) == 4096
            await wrapped.close()
            opening = ours.tempfile.TemporaryDirectory()
            assert isinstance(opening, ours.tempfile.AiofilesContextManagerTempDir)
            async with opening as folder:
                assert os.path.isdir(folder)
            assert not os.path.exists(folder)
        asyncio.run(main())
        assert lent() == 0
    """)


def test_a_folder_is_scanned_in_any_way(limited) -> None:
    """Awaited, entered, iterated over, as a task: with and without ``await``."""
    limited("""
        from fsworkers.graceful import aio
        for name in "abc":
            open(os.path.join(FOLDER, name), "w").close()
        async def main():
            async def names(entries):
                return sorted([entry.name async for entry in entries])
            scan = aio.os.scandir
            assert await names(scan(FOLDER)) == ["a", "b", "c"] and lent() == 0
            assert await names(await scan(FOLDER)) == ["a", "b", "c"] and lent() == 0
            async with scan(FOLDER) as entries:
                assert lent() == 0 and await names(entries) == ["a", "b", "c"]
            async with await scan(FOLDER) as entries:
                assert lent() == 0 and await names(entries) == ["a", "b", "c"]
            assert lent() == 0
            async with scan(FOLDER) as entries:
                assert next(entries).name in "abc" and lent() == 0
            with await scan(FOLDER) as entries:
                assert sorted(entry.name for entry in entries) == ["a", "b", "c"]
            for awaited in (asyncio.create_task(scan(FOLDER)), asyncio.wait_for(scan(FOLDER), 9)):
                assert len(list(await awaited)) == 3
            [both, other] = await asyncio.gather(scan(FOLDER), scan(os.fsencode(FOLDER)))
            assert len([*both, *other]) == 6 and lent() == 0
            os.chdir(FOLDER)
            assert await names(scan()) == ["a", "b", "c"]
            for action in (lambda: names(scan(FILE)), lambda: scan(FILE)):
                try:
                    await action()
                except NotADirectoryError as error:
                    assert error.filename == FILE
            scan(FOLDER).close()
        asyncio.run(main())
        assert lent() == 0
    """)


def test_a_folder_read_as_a_file_is_named_in_the_error(limited) -> None:
    """All ways to read or write a whole file say which path it was."""
    limited("""
        from fsworkers.graceful import aio
        async def main():
            for call in (aio.read_bytes(FOLDER), aio.read_text(FOLDER),
                         aio.write_bytes(FOLDER, b""), aio.write_text(FOLDER, "", atomic=True)):
                try:
                    await call
                except IsADirectoryError as error:
                    assert error.filename == FOLDER
                else:
                    raise AssertionError("it did")
        asyncio.run(main())
        assert lent() == 0
    """)


def test_whole_files_and_the_rest_of_the_asynchronous_face(limited) -> None:
    """Reading, writing, atomic writing, lines, temporary files, folders, walking."""
    limited("""
        from fsworkers.graceful import aio
        graceful.configure(max_open_files=6)
        path = os.path.join(FOLDER, "file")
        async def main():
            assert await aio.write_text(path, "one\\ntwo\\n") == 8
            assert await aio.read_text(path) == "one\\ntwo\\n"
            os.chmod(path, 0o640)
            assert await aio.write_bytes(path, b"three", atomic=True) == 5
            assert await aio.read_bytes(path) == b"three" and os.stat(path).st_mode & 0o777 == 0o640
            assert os.listdir(FOLDER) == ["file"]
            try:
                await aio.write_text(path, "\\udcff", atomic=True)
            except UnicodeEncodeError:
                pass
            assert os.listdir(FOLDER) == ["file"] and await aio.read_bytes(path) == b"three"
            async with aio.open(path, "w+") as file:
                await file.writelines(["a\\n", "b\\n"])
                await file.seek(0)
                assert [line async for line in file] == ["a\\n", "b\\n"]
            async with aio.tempfile.SpooledTemporaryFile(max_size=4) as file:
                await file.write(b"12345")
                assert lent() == 1
            async with aio.tempfile.TemporaryDirectory() as folder:
                open(os.path.join(folder, "f"), "w").close()
            assert not os.path.exists(folder)
            async with await aio.os.scandir(FOLDER) as entries:
                assert [entry.name async for entry in entries] == ["file"]
            assert [one async for one in aio.os.walk(FOLDER)] == list(os.walk(FOLDER))
            await aio.copy(path, path + "2")
            assert sorted(await aio.os.listdir(FOLDER)) == ["file", "file2"]
            assert await aio.os.path.exists(path) and lent() == 0
        asyncio.run(main())
    """)


def test_closes_do_not_queue_behind_the_programs_own_threads(limited) -> None:
    """With the loop's default executor full of blocking opens, files still close."""
    limited("""
        from fsworkers.graceful import aio
        graceful.configure(max_open_files=4)
        async def main():
            files = [await aio.open(FILE, "rb") for _ in range(4)]
            def use(): graceful.open(FILE).close()
            loop = asyncio.get_running_loop()
            stuck = [loop.run_in_executor(None, use) for _ in range(40)]
            waiting = asyncio.gather(*stuck)
            await asyncio.sleep(0.05)
            for file in files:
                await file.read()
                await file.close()
            await asyncio.wait_for(waiting, 10)
        asyncio.run(main())
        assert lent() == 0 and graceful.statistics().rescued == 0
    """)


def test_trees_are_removed_with_a_budget_of_two(limited) -> None:
    """By coroutines and without, flat and deep, also a temporary folder at its end."""
    limited("""
        from fsworkers.graceful import aio
        graceful.configure(max_open_files=2)
        def tree(path):
            os.makedirs(os.path.join(path, *"abcde"))
            for folder, _, _ in list(os.walk(path)):
                for number in range(3):
                    os.close(os.open(os.path.join(folder, str(number)), os.O_CREAT))
        def flat(path):
            os.mkdir(path)
            os.close(os.open(os.path.join(path, "f"), os.O_CREAT))
        async def main():
            for make in (flat, tree):
                path = os.path.join(FOLDER, "top")
                make(path)
                await aio.rmtree(path)
                assert not os.path.exists(path)
                async with aio.tempfile.TemporaryDirectory(dir=FOLDER) as folder:
                    make(os.path.join(folder, "below"))
                assert os.listdir(FOLDER) == []
        asyncio.run(main())
        tree(os.path.join(FOLDER, "top"))
        graceful.shutil.rmtree(os.path.join(FOLDER, "top"))
        with graceful.tempfile.TemporaryDirectory(dir=FOLDER) as folder:
            tree(os.path.join(folder, "below"))
        assert os.listdir(FOLDER) == []
        seen = graceful.statistics()
        assert (seen.lent, seen.peak, seen.waits, seen.rescued) == (0, 2, 0, 0), seen
    """)
