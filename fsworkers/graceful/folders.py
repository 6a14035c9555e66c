"""Looking into folders once a descriptor is free: ``os.listdir``, ``scandir`` and ``walk``.

None of them ends early for want of a descriptor: the standard ``walk`` takes EMFILE for an empty
folder.
"""

from __future__ import annotations

import os as _os
import sys

from fsworkers.graceful.errors import GracefulError
from fsworkers.graceful.pressure import give_back
from fsworkers.graceful.unswallowed import persist

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Any, Self

    from fsworkers.graceful.counter import Lent

# Taken now: when installed, ``os`` leads back here.
_listdir = _os.listdir
_scandir = _os.scandir


def listdir(path: Any = None, *, is_sorted: bool = False) -> list[Any]:
    """``os.listdir``, waiting until a descriptor is free.

    Args:
        path: The folder, as ``os.listdir`` takes it.
        is_sorted: Names in order, as graceful-fs has them; the kernel's order otherwise.
    """
    # A descriptor number is duplicated to be read, so that takes one as well.
    names, lent = persist(lambda: _listdir(path), path)
    give_back(lent)
    return sorted(names) if is_sorted else names


class scandir:  # noqa: N801 - the drop-in's name is os.scandir
    """``os.scandir``: an iterator of entries that holds a descriptor until it ends or is closed."""

    __slots__ = ("__weakref__", "_entries", "_lent")

    _lent: Lent

    def __init__(self, path: Any = None) -> None:
        self._entries, lent = persist(lambda: _scandir(path), path)
        self._lent = lent[0]

    @classmethod
    def holding(cls, entries: Any, lent: Lent) -> Self:
        """An iterator over entries that were opened under a permit taken before."""
        made = cls.__new__(cls)
        made._entries = entries  # noqa: SLF001 - one of us
        made._lent = lent  # noqa: SLF001 - one of us
        return made

    def __iter__(self) -> Iterator[_os.DirEntry[Any]]:
        return self

    def __next__(self) -> _os.DirEntry[Any]:
        try:
            return next(self._entries)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # The entries close themselves and warn of it when the last reference goes.
        try:
            del self._entries
        except AttributeError:
            return
        lent = self._let_go()
        if lent is not None:
            lent.give_back()

    def close(self) -> None:
        """Release the descriptor."""
        try:
            entries = self._entries
        except AttributeError:
            return  # a collector has finalized this before what refers to it
        lent = self._let_go()  # first: a child that is forked meanwhile would count it for good
        try:
            entries.close()
        finally:
            if lent is not None:
                lent.give_back()

    def _let_go(self) -> Lent | None:
        """What it holds, which whoever gets it gives back."""
        try:
            lent = self._lent
            del self._lent
        except AttributeError:
            return None
        return lent


def walk(
    top: Any,
    topdown: bool = True,
    onerror: Callable[[OSError], Any] | None = None,
    followlinks: bool = False,
) -> Iterator[tuple[Any, list[Any], list[Any]]]:
    """``os.walk``, with one descriptor at any depth and none while the caller has its turn.

    Raises:
        GracefulError: A descriptor could not be had: never taken for an empty folder.
    """
    sys.audit("os.walk", top, topdown, onerror, followlinks)
    waiting: list[Any] = [_os.fspath(top)]
    while waiting:
        folder = waiting.pop()
        if isinstance(folder, tuple):
            yield folder
            continue
        try:
            entries = read_folder(folder)
        except GracefulError:
            raise
        except OSError as error:
            if onerror is not None:
                onerror(error)
            continue
        names: list[Any] = []
        others: list[Any] = []
        for entry in entries:
            (names if is_listed_as_folder(entry, followlinks) else others).append(entry.name)
        if topdown:
            yield folder, names, others
        else:
            waiting.append((folder, names, others))
        if not followlinks:
            if topdown:
                # Looked at again: the caller has had its turn with the names and with the folder.
                names = [name for name in names if not _os.path.islink(_os.path.join(folder, name))]
            else:
                links = frozenset(entry.name for entry in entries if is_link(entry))
                names = [name for name in names if name not in links]
        waiting.extend(_os.path.join(folder, name) for name in reversed(names))


def read_folder(folder: Any) -> list[_os.DirEntry[Any]]:
    """All entries of a folder."""
    with scandir(folder) as entries:
        return list(entries)


def is_folder(entry: _os.DirEntry[Any]) -> bool:
    """Whether an entry is a folder or a link to one."""
    try:
        return entry.is_dir()
    except OSError:
        return False


_LINKS_ARE_FILES = getattr(_os, "_walk_symlinks_as_files", object())
"""What ``pathlib`` and ``shutil`` hand to ``walk`` from Python 3.13 on, for ``followlinks``."""


def is_listed_as_folder(entry: _os.DirEntry[Any], followlinks: Any) -> bool:
    """Whether ``walk`` shows an entry among the folders."""
    return is_folder(entry) and not (followlinks is _LINKS_ARE_FILES and is_link(entry))


def is_link(entry: _os.DirEntry[Any]) -> bool:
    """Whether an entry is a link."""
    try:
        return entry.is_symlink()
    except OSError:
        return False
