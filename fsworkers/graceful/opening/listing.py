"""Looking into folders once a descriptor is free: ``os.listdir``, ``scandir`` and ``walk``.

None of them ends early for want of a descriptor: the standard ``walk`` takes EMFILE for an empty
folder.
"""

from __future__ import annotations

import os as _os
import sys
from functools import partial, wraps

from fsworkers.graceful.budget.reservation import pair
from fsworkers.graceful.errors import GracefulError
from fsworkers.graceful.opening.retry import give_back, run_with_permits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import Any, Self

# Taken now: when installed, ``os`` leads back here.
_listdir, _scandir = _os.listdir, _os.scandir


def listdir(path: Any = None, *, is_sorted: bool = False) -> list[Any]:
    """``os.listdir``, waiting until a descriptor is free.

    Args:
        path: The folder, as ``os.listdir`` takes it.
        is_sorted: Names in order, as graceful-fs has them; the kernel's order otherwise.
    """
    # A descriptor number is duplicated to be read, so that takes one as well.
    names, lent = run_with_permits(lambda: _listdir(path), path)
    give_back(lent)
    return sorted(names) if is_sorted else names


class scandir:  # noqa: N801 - the drop-in's name is os.scandir
    """``os.scandir``: an iterator of entries that holds a descriptor until it ends or is closed."""

    __slots__ = ("__weakref__", "_entries", "_lent")

    def __init__(self, path: Any = None) -> None:
        self._entries, self._lent = run_with_permits(lambda: _scandir(path), path)

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

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        try:
            # They close themselves and warn of it when the last reference goes.
            del self._entries
        except AttributeError:
            return  # it was never opened
        give_back(self._lent)

    def close(self) -> None:
        """Release the descriptor."""
        try:
            entries = self._entries
        except AttributeError:
            return  # a collector has finalized this before what refers to it
        try:
            entries.close()
        finally:
            give_back(self._lent)


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
    steps = walk_steps(top, topdown, onerror, followlinks)
    found = None
    while (step := steps.send(found)) is not None:
        if isinstance(step, tuple):
            yield step
        else:
            found = step()


def walk_steps(
    top: Any, topdown: bool, onerror: Callable[[OSError], Any] | None, followlinks: Any
) -> Generator[Any, Any, None]:
    """``walk`` without its reading, for whoever drives it: in a thread or beside a loop.

    Yields:
        What ``walk`` yields, a tuple; or a partial of ``_look``, to be called (its first argument
        is the folder) and its result sent; at the end ``None``.
    """
    waiting: list[Any] = [partial(_look, _os.fspath(top), followlinks, is_top=True)]
    while waiting:
        step = waiting.pop()
        found = yield step
        if isinstance(step, tuple) or found is None:
            continue
        if isinstance(found, OSError):
            if onerror is not None:
                onerror(found)
            continue
        folder, names, _ = found
        if topdown:
            yield found
        else:
            waiting.append(found)
        waiting.extend(
            partial(_look, _os.path.join(folder, name), followlinks) for name in reversed(names)
        )
    yield None


def _look(
    folder: Any, followlinks: Any, *, is_top: bool = False
) -> tuple[Any, list[Any], list[Any]] | OSError | None:
    """Read a folder: what ``walk`` shows of it, or its error; ``None`` for a link not followed.

    Whether it is a link is seen only here, as the caller has had its turn with it before.
    """
    if not followlinks and not is_top and _os.path.islink(folder):
        return None
    try:
        entries = read_folder(folder)
    except GracefulError:
        raise
    except OSError as error:
        return error
    names: list[Any] = []
    others: list[Any] = []
    for entry in entries:
        (names if _is_listed_as_folder(entry, followlinks) else others).append(entry.name)
    return folder, names, others


def read_folder(folder: Any) -> list[_os.DirEntry[Any]]:
    """All entries of a folder."""
    with scandir(folder) as entries:
        return list(entries)


_LINKS_ARE_FILES = getattr(_os, "_walk_symlinks_as_files", object())
"""What ``pathlib`` and ``shutil`` hand to ``walk`` from Python 3.13 on, for ``followlinks``."""


def _is_listed_as_folder(entry: _os.DirEntry[Any], followlinks: Any) -> bool:
    """Whether ``walk`` shows an entry among the folders, as it does links to one."""
    try:
        return entry.is_dir() and not (followlinks is _LINKS_ARE_FILES and entry.is_symlink())
    except OSError:
        return False


def listing_with(original: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """How ``glob`` lists a folder, by whichever function it had for it."""

    @wraps(original)
    def listing(dirname: Any, dir_fd: int | None, dironly: bool) -> list[Any]:
        if dir_fd is None:
            return original(dirname, dir_fd, dironly)
        # Opened by name and then listed by number. Without a name ``dir_fd`` itself would be
        # listed, and two threads at it would share one position: each would find a part.
        here = dirname or (b"." if isinstance(dirname, bytes) else ".")
        with pair(here):
            if not dirname and not _os.access(here, _os.X_OK, dir_fd=dir_fd):
                here = dirname  # nothing in it can be reached by name
            return original(here, dir_fd, dironly)

    return listing
