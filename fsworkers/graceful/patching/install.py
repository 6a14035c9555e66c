"""``install`` and ``uninstall``: make code that never heard of this layer graceful too.

Workers install it; importing the library never does. What is replaced are *names*: in the standard
modules, and in every loaded module that bound one of the originals (``from os import scandir``,
``tarfile.bltn_open``). Only classes (``socket.socket``, ``subprocess.Popen``, the import system's)
are changed in place, method by method, so that ``isinstance`` and subclasses made before hold.

Another patcher's work stays in force. A name that leads to its wrapper or mock when we come is left
alone: what it calls in the end is ours only where it keeps that as a name of its module. And
``uninstall`` restores a name only while it still leads to us; if the other patcher puts ours back
later, the next ``install`` finds out, and the next ``uninstall`` sets it right.
"""

from __future__ import annotations

import builtins
import glob as _glob
import io as _io
import os as _os
import shutil as _shutil
import socket as _socket
import subprocess as _subprocess
import sys
import tempfile as _tempfile
from _io import open as _standard_open
from functools import partial
from importlib.machinery import (
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from threading import Lock
from types import BuiltinFunctionType

from fsworkers.graceful import os as graceful_os
from fsworkers.graceful import shutil, socket, subprocess
from fsworkers.graceful.opening import open_file
from fsworkers.graceful.opening.error_passthrough import let_through
from fsworkers.graceful.opening.listing import listing_with
from fsworkers.graceful.patching.import_hook import WhenImported
from fsworkers.graceful.patching.import_retry import insistent
from fsworkers.graceful.patching.unbound import unbound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType
    from typing import Any, TypeAlias

    # The module or class, a name in it, what that led to, and ours.
    Change: TypeAlias = tuple[Any, str, Any, Any]

_lock = Lock()
_missing = object()
_undo: list[Change] = []
_kept: list[Change] = []
_enabled: list[tuple[set[Any], set[Any]]] = []
_OURS = "fsworkers.graceful"

# The import system must never wait for a permit (see ``import_retry``); these have the originals.
_LEFT_ALONE = {"posix", "_io", "_pyio", "_frozen_importlib", "_frozen_importlib_external"}

_STEPS_OF_IMPORTS: tuple[tuple[type[Any], str], ...] = (
    (FileFinder, "find_spec"),
    (SourceFileLoader, "get_data"),
    (SourcelessFileLoader, "get_data"),
    (ExtensionFileLoader, "create_module"),
)
"""What opens in them: folders are listed, modules read, shared libraries loaded."""


def is_installed() -> bool:
    """Whether ``install`` is in force."""
    return bool(_undo)


def install() -> None:
    """Replace the standard names in this process; a second call changes nothing."""
    with _lock:
        if _undo:
            return
        _kept[:] = [change for change in _kept if not _take_back(change)]
        try:
            _replace()
        except BaseException:
            _take_all_back()
            raise


def uninstall() -> None:
    """Put the originals back wherever a name still leads to us; without ``install`` a no-op."""
    with _lock:
        _take_all_back()


def _replace() -> None:
    replaced: dict[int, tuple[Any, Any]] = {}
    for module, name, ours in _names():
        original = getattr(module, name, _missing)
        if getattr(ours, "__wrapped__", None) is original or _is_standard(module, original):
            if isinstance(original, BuiltinFunctionType) and not isinstance(ours, type):
                ours = unbound(ours)  # noqa: PLW2901 - the same in another guise
            replaced[id(original)] = original, ours
            _set(module, name, ours)
    for change in _methods():
        _set(*change)
    for later in _LATER:
        later.begin()
    for name, module in list(sys.modules.items()):
        # By the name it is imported by: ``_io`` calls itself ``io``.
        if name not in _LEFT_ALONE and not name.startswith(_OURS):
            _sweep(module, replaced)
    for name in graceful_os.CAPABILITIES:
        able = getattr(_os, name)
        found = {ours for original, ours in replaced.values() if original in able}
        able.update(found)
        _enabled.append((able, found))


def _is_standard(module: Any, value: Any) -> bool:
    """Whether what a name leads to is the standard library's own, and not another patcher's."""
    if isinstance(value, type):
        return bool(value.__module__ == module.__name__)
    home = getattr(value, "__globals__", None)
    return home is vars(module) or isinstance(value, BuiltinFunctionType)


def _take_all_back() -> None:
    for later in _LATER:
        later.end()
    while _enabled:
        able, found = _enabled.pop()
        able -= found
    while _undo:
        change = _undo.pop()
        if not _take_back(change):
            _kept.append(change)


def _take_back(change: Change) -> bool:
    """Put an original back; not where another patcher has put something since."""
    target, name, original, ours = change
    if vars(target).get(name, _missing) is not ours:
        return False
    if original is _missing:
        delattr(target, name)
    else:
        setattr(target, name, original)
    return True


def _set(target: Any, name: str, ours: Any) -> None:
    original = vars(target).get(name, _missing)
    setattr(target, name, ours)
    _undo.append((target, name, original, ours))


def _sweep(module: ModuleType, replaced: dict[int, tuple[Any, Any]]) -> None:
    """Replace the originals where a loaded module has bound them to a name of its own."""
    try:
        bindings = list(vars(module).items())
    except TypeError:
        return
    for bound, value in bindings:
        found = replaced.get(id(value))
        if found is not None and found[0] is value:
            _set(module, bound, found[1])


def _names() -> Iterator[tuple[Any, str, Any]]:
    """Module, name and what replaces it."""
    yield builtins, "open", open_file.open
    yield _io, "open", open_file.open
    for name, ours in graceful_os.REPLACED.items():
        yield _os, name, ours
    yield _os, "fwalk", let_through(_os.fwalk)
    yield _shutil, "copyfile", shutil.copyfile_with(_shutil.copyfile)
    yield _shutil, "copytree", let_through(_shutil.copytree)
    yield _shutil, "rmtree", shutil.rmtree
    for name in ("socketpair", "dup", "close"):
        yield _socket, name, getattr(socket, name)
    for name in ("iglob", "glob1"):  # the second is undocumented, and used all the same
        if hasattr(_glob, name):
            yield _glob, name, let_through(getattr(_glob, name))
    if hasattr(_glob, "_listdir"):
        yield _glob, "_listdir", listing_with(vars(_glob)["_listdir"])
    for name in ("_get_default_tempdir", "TemporaryFile"):
        yield _tempfile, name, let_through(vars(_tempfile)[name])
    import mmap as _mmap  # noqa: PLC0415 - one shared library less where nothing is installed

    from fsworkers.graceful import mmap  # noqa: PLC0415 - as above

    yield _mmap, "mmap", mmap.mmap


def _methods() -> Iterator[tuple[type[Any], str, Any]]:
    """Class, method and what replaces it."""
    for name in ("__init__", "accept", "dup", "_real_close"):
        method: Any = vars(socket.socket)[name]
        if getattr(_socket.socket, name) is method.__wrapped__:
            yield _socket.socket, name, method
    yield _subprocess.Popen, "__init__", subprocess.init_with(_subprocess.Popen.__init__)
    for kind, name in _STEPS_OF_IMPORTS:
        yield kind, name, insistent(getattr(kind, name))
    if sys.version_info >= (3, 12):  # until then it passes all errors but PermissionError
        yield from _scans_of_pathlib()


def _changes_in(name: str) -> Iterator[tuple[Any, str, Any]]:
    """The same for a module that not everybody loads, once it is loaded."""
    if name == "tokenize":
        return _name_of_tokenize()
    from fsworkers.graceful.patching import asyncio_patches, limited_threads  # noqa: PLC0415 - load asyncio

    if name == "asyncio":
        return asyncio_patches.methods()
    if name == "uvloop":
        return asyncio_patches.methods_of_uvloop()
    return limited_threads.calls_of(name)


def _name_of_tokenize() -> Iterator[tuple[Any, str, Any]]:
    """How source lines are read: for tracebacks too, on the thread of an event loop.

    It is a part of the import system in this, which takes no permits.
    """
    tokenize = sys.modules["tokenize"]
    name = "_builtin_open"
    if vars(tokenize).get(name) is unbound(open_file.open):
        setattr(tokenize, name, _standard_open)  # as if it had been loaded before
    if vars(tokenize).get(name) is _standard_open:
        yield tokenize, name, insistent(_standard_open)


def _set_all(name: str) -> None:
    # At an import without the lock: who holds it may be waiting for this very import.
    for change in _changes_in(name):
        _set(*change)


_LATER = tuple(
    WhenImported(name, partial(_set_all, name))
    for name in ("asyncio", "uvloop", "anyio.to_thread", "trio.to_thread", "tokenize")
)
"""What is done once a module is loaded: now, or when somebody imports it."""


def _scans_of_pathlib() -> Iterator[tuple[type[Any], str, Any]]:
    """Its ways to look into folders that take an error for an empty one."""
    from pathlib import Path  # noqa: PLC0415 - takes a while to load

    for name in ("glob", "rglob", "walk"):
        if name in vars(Path):
            yield Path, name, let_through(vars(Path)[name])
    globber = getattr(_glob, "_StringGlobber", None)
    if globber is not None and "scandir" in vars(globber):
        yield globber, "scandir", staticmethod(graceful_os.scandir)
