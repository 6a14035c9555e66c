"""The names: found by pickle, listed among the capabilities, with their signatures."""

from __future__ import annotations

import importlib
import inspect
import os
import pickle

import pytest

from fsworkers import graceful

FACES = ["os", "shutil", "tempfile", "glob", "subprocess", "socket", "mmap"]


@pytest.mark.parametrize("face", FACES)
def test_what_can_be_pickled_of_the_standard_module_can_be_of_the_face(face: str) -> None:
    """By reference, and the same object comes back."""
    standard = importlib.import_module(face)
    ours = getattr(graceful, face)
    pickled = 0
    for name in dir(standard):
        value = getattr(standard, name)
        if name.startswith("_") or not callable(value):
            continue
        try:
            pickle.dumps(value)
        except (pickle.PicklingError, TypeError, AttributeError):
            continue
        mine = getattr(ours, name)
        assert pickle.loads(pickle.dumps(mine)) is mine, name
        pickled += 1
    assert pickled


@pytest.mark.parametrize("face", FACES)
def test_no_name_of_a_face_hides_one_of_the_standard_module(face: str) -> None:
    """What is a function there is one here, a class a class, a constant the same constant."""
    standard = importlib.import_module(face)
    ours = getattr(graceful, face)
    for name in (one for one in dir(standard) if not one.startswith("_")):
        value, mine = getattr(standard, name), getattr(ours, name)
        if inspect.ismodule(value):
            continue
        assert callable(value) == callable(mine), name
        if not callable(value):
            assert mine == value or name.startswith("supports_"), name


def test_installed_names_are_pickled_and_sent_to_other_processes(limited) -> None:
    """Every replaced name of ``os``, and real calls in a pool of processes, forked and spawned."""
    limited("""
        import pickle, shutil, tempfile, glob, socket
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context
        graceful.install()
        for name in graceful.os.REPLACED:
            assert pickle.loads(pickle.dumps(getattr(os, name))) is getattr(os, name), name
        for one in (open, shutil.copyfile, shutil.rmtree, socket.socketpair, tempfile.mkdtemp,
                    glob.glob, glob.iglob):
            assert pickle.loads(pickle.dumps(one)) is one, one
        path = FOLDER + "/made"
        for method in ("fork", "spawn"):
            with ProcessPoolExecutor(2, mp_context=get_context(method)) as pool:
                assert pool.submit(os.listdir, FOLDER).result(30) == []
                assert pool.submit(os.rename, FILE, path).result(30) is None
                assert list(pool.map(os.listdir, [FOLDER] * 3)) == [["made"]] * 3
                assert pool.submit(graceful.shutil.copyfile, path, FILE).result(30) == FILE
                assert pool.submit(graceful.os.rename, path, FILE).result(30) is None
        graceful.uninstall()
    """)


def test_installed_functions_are_no_methods_of_a_class_that_keeps_them(limited) -> None:
    """As those of C that they replace; they keep their names and signatures."""
    limited("""
        import copy, functools, inspect
        names = [name for name, one in vars(os).items() if inspect.isbuiltin(one)]
        graceful.install()
        class Source:
            opener = open
            lister = os.listdir
            scanner = os.scandir
            duplicate, close = os.dup, os.close
            mover = os.rename
            maker = os.pipe
        source = Source()
        with source.opener(FILE, mode="rb") as file:
            assert len(file.read()) == 4096
        assert source.lister(FOLDER) == list(source.scanner(FOLDER)) == Source.lister(FOLDER) == []
        source.close(source.duplicate(0))
        source.mover(FILE, FOLDER + "/moved")
        for number in source.maker(): source.close(number)
        assert lent() == 0
        for name in names:
            ours = getattr(os, name)
            assert ours.__name__ == name and copy.deepcopy(ours) is ours and ours in {ours}
        assert str(inspect.signature(open)).startswith("(file: 'Any', mode: 'str' = 'r'")
        assert functools.wraps(open)(lambda: None).__name__ == "open" and open.__doc__
    """)


def test_capabilities_are_what_they_were(limited) -> None:
    """``os.open in os.supports_dir_fd``: installed, uninstalled, and in the face."""
    limited("""
        sets = [name for name in dir(os) if name.startswith("supports_")]
        sets.remove("supports_bytes_environ")
        def able(module):
            return {
                (name, function) for name in sets for function in dir(os)
                if getattr(module, function).__hash__ is not None
                and getattr(module, function) in getattr(module, name)
            }
        before = able(os)
        originals = {name: set(getattr(os, name)) for name in sets}
        assert ("supports_dir_fd", "open") in before and ("supports_fd", "scandir") in before
        assert able(graceful.os) == before
        for _ in range(2):
            graceful.install()
            assert able(os) == before
            graceful.uninstall()
            assert {name: getattr(os, name) for name in sets} == originals
    """)


def test_code_that_looks_capabilities_up_finds_the_safe_way(limited) -> None:
    """A second shutil, loaded while installed still removes trees without following links."""
    limited("""
        graceful.install()
        import importlib, shutil
        again = importlib.reload(shutil)
        assert again._use_fd_functions and again.rmtree.avoids_symlink_attacks
        os.makedirs(FOLDER + "/a/b")
        again.rmtree(FOLDER + "/a")
        assert os.listdir(FOLDER) == [] and lent() == 0
    """)


@pytest.mark.parametrize("name", sorted(graceful.os.REPLACED))
def test_signatures_are_the_standard_ones(name: str) -> None:
    """Names, kinds and defaults; what is added comes after, by keyword only."""
    theirs = list(inspect.signature(getattr(os, name)).parameters.values())
    ours = list(inspect.signature(getattr(graceful.os, name)).parameters.values())
    added = ours[len(theirs) :]
    assert all(one.kind is one.KEYWORD_ONLY for one in added)
    if name not in ("rename", "replace"):
        assert len(added) == (name == "listdir")
    for mine, original in zip(ours, theirs, strict=False):
        assert (mine.name, mine.kind, mine.default) == (
            original.name,
            original.kind,
            original.default,
        )


def test_no_path_means_the_current_folder(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``None`` does, as with the standard ones."""
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    for arguments in ((), (None,), (".",)):
        assert graceful.os.listdir(*arguments) == ["file"]
        with graceful.os.scandir(*arguments) as entries:
            assert [entry.path for entry in entries] == [
                entry.path for entry in os.scandir(*arguments)
            ]


def test_names_taken_while_installed_go_on_to_work_afterwards(limited) -> None:
    """A module loaded in between keeps ours."""
    limited("""
        import types
        graceful.install()
        late = types.ModuleType("late")
        sys.modules["late"] = late
        exec("from os import open as os_open, close, listdir; from builtins import open; "
             "from io import open as io_open; from tempfile import mkstemp; from glob import iglob",
             vars(late))
        graceful.uninstall()
        for opener in (late.open, late.io_open):
            with opener(FILE, "rb") as file:
                assert lent() == 1 and len(file.read()) == 4096
        number = late.os_open(FILE, os.O_RDONLY)
        late.close(number)
        assert late.listdir(FOLDER) == list(late.iglob(FOLDER + "/*")) == []
        number, path = late.mkstemp()
        os.close(number)
        os.remove(path)
        assert lent() == 0
    """)


def test_sockets_by_number(limited) -> None:
    """The module's own ``dup`` and ``close``, beside the methods of those names."""
    limited("""
        import socket
        before = open_count()
        for install in (lambda: None, graceful.install):
            install()
            left, right = graceful.socket.socketpair()
            number = graceful.socket.dup(left.fileno())
            assert lent() == 3 and not os.get_inheritable(number)
            graceful.socket.close(number)
            with left.dup() as again:
                assert lent() == 3
            left.close(); right.close()
            assert lent() == 0
        with socket.socket() as one, socket.fromfd(one.fileno(), one.family, one.type):
            assert lent() == 2
        assert lent() == 0 and open_count() == before
    """)
