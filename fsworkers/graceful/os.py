"""``os`` with descriptors that wait their turn; whatever opens nothing is passed through as it is.

A number from here is closed with ``graceful.os.close``, or handed to ``graceful.open`` or
``fdopen`` and closed with that file. ``walk`` and ``fwalk`` take one and two descriptors at any
depth, and never end early for want of one: the standard ``walk`` takes EMFILE for an empty folder.
"""

from __future__ import annotations

import os as _os
from errno import EINVAL, ENOSYS, EPERM
from functools import wraps

from fsworkers.graceful import files, system, table
from fsworkers.graceful.errors import GracefulError
from fsworkers.graceful.pressure import give_back, persist
from fsworkers.graceful.renaming import rename_patiently
from fsworkers.graceful.unswallowed import carry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Any, Self

    from fsworkers.graceful.counter import Lent

# What the module itself calls is taken now: when installed, ``os`` leads back here.
_close = _os.close
_scandir = _os.scandir


def __getattr__(name: str) -> Any:
    return getattr(_os, name)


def __dir__() -> list[str]:
    return sorted({*dir(_os), *globals()})


def _persist(operation: Callable[[], Any], label: object, count: int = 1) -> tuple[Any, list[Lent]]:
    """``persist``, whose errors are not to be taken for an empty folder."""
    try:
        return persist(operation, label, count)
    except GracefulError as error:
        carry(error)
        raise


def _counted(original: Callable[..., Any], count: int) -> Callable[..., Any]:
    """A call that returns ``count`` new descriptor numbers, under as many permits."""

    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        label = args[0] if args else original.__name__
        numbers, lent = _persist(lambda: original(*args, **kwargs), label, count)
        for number in numbers if isinstance(numbers, tuple) else (numbers,):
            table.keep(number, lent.pop())
        return numbers

    return call


open = _counted(_os.open, 1)  # noqa: A001 - the drop-in's name is os.open
dup = _counted(_os.dup, 1)
pipe = _counted(_os.pipe, 2)

NEW_NUMBERS = {"open": open, "dup": dup, "pipe": pipe}
"""Our calls that make descriptors, by the name they have in ``os`` on this platform."""

for _name, _count in (
    ("pipe2", 2),
    ("openpty", 2),
    ("memfd_create", 1),
    ("eventfd", 1),
    ("pidfd_open", 1),
    ("posix_openpt", 1),
    ("timerfd_create", 1),
):
    if hasattr(_os, _name):
        globals()[_name] = NEW_NUMBERS[_name] = _counted(getattr(_os, _name), _count)


def close(fd: int) -> None:
    """``os.close``, giving the permit back. Interrupted, it is closed all the same (close(2))."""
    lent = table.pop(fd)
    try:
        _close(fd)
    except InterruptedError:
        pass
    finally:
        if lent is not None:
            lent.give_back()


def closerange(fd_low: int, fd_high: int) -> None:
    """``os.closerange``, giving the permits back."""
    _closerange(fd_low, fd_high)
    table.sweep()


def dup2(fd: int, fd2: int, inheritable: bool = True) -> int:
    """``os.dup2``: a new descriptor only where ``fd2`` was closed before."""
    if system.is_open(fd2):
        return _dup2(fd, fd2, inheritable)
    number: int
    number, lent = _persist(lambda: _dup2(fd, fd2, inheritable), fd2)
    table.keep(number, lent.pop())
    return number


_closerange = _os.closerange
_dup2 = _os.dup2


def fdopen(fd: int, *args: Any, **kwargs: Any) -> Any:
    """``os.fdopen``: a file that takes over the number's permit."""
    if not isinstance(fd, int):
        raise TypeError(f"invalid fd type ({type(fd)}, expected integer)")
    return files.open(fd, *args, **kwargs)


_listdir = _os.listdir


def listdir(path: Any = ".", *, is_sorted: bool = False) -> list[Any]:
    """``os.listdir``, waiting until a descriptor is free.

    Args:
        path: The folder, as ``os.listdir`` takes it.
        is_sorted: Names in order, as graceful-fs has them; the kernel's order otherwise.
    """
    # A descriptor number is duplicated to be read, so that takes one as well.
    names, lent = _persist(lambda: _listdir(path), path)
    give_back(lent)
    return sorted(names) if is_sorted else names


class scandir:  # noqa: N801 - the drop-in's name is os.scandir
    """``os.scandir``: an iterator of entries that holds a descriptor until it ends or is closed."""

    __slots__ = ("__weakref__", "_entries", "_lent")

    _lent: Lent

    def __init__(self, path: Any = ".") -> None:
        self._entries, lent = _persist(lambda: _scandir(path), path)
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
        self._give_back()

    def close(self) -> None:
        """Release the descriptor."""
        try:
            self._entries.close()
        finally:
            self._give_back()

    def _give_back(self) -> None:
        try:
            lent = self._lent
            del self._lent
        except AttributeError:
            return
        lent.give_back()


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
        links: frozenset[Any] = frozenset(
            () if followlinks else (e.name for e in entries if is_link(e))
        )
        if topdown and not followlinks:
            # The caller may have put names of its own into the list.
            known = frozenset(entry.name for entry in entries)
            links |= frozenset(
                name
                for name in names
                if name not in known and _os.path.islink(_os.path.join(folder, name))
            )
        waiting.extend(_os.path.join(folder, name) for name in reversed(names) if name not in links)


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


def fwalk(
    top: Any = ".",
    topdown: bool = True,
    onerror: Callable[[OSError], Any] | None = None,
    *,
    follow_symlinks: bool = False,
    dir_fd: int | None = None,
) -> Iterator[tuple[Any, list[Any], list[Any], int]]:
    """``os.fwalk`` with two descriptors at any depth; the standard one keeps one open per level."""
    from fsworkers.graceful.descent import fwalk as descend  # noqa: PLC0415 - rare

    return descend(top, topdown, onerror, follow_symlinks=follow_symlinks, dir_fd=dir_fd)


_rename = _os.rename
_replace = _os.replace


@wraps(_rename)
def rename(src: Any, dst: Any, **folders: int | None) -> None:
    """``os.rename``, tried again while another process keeps hold of the file."""
    rename_patiently(_rename, src, dst, **folders)


@wraps(_replace)
def replace(src: Any, dst: Any, **folders: int | None) -> None:
    """``os.replace``, tried again while another process keeps hold of the file."""
    rename_patiently(_replace, src, dst, **folders)


def chown_forgivingly(path: Any, uid: int, gid: int, *, follow_symlinks: bool = True) -> bool:
    """``os.chown`` that is no failure for those who may not: graceful-fs' rule.

    Returns:
        Whether the owner is as asked for. ``False``: EPERM, EINVAL or ENOSYS, and not root.
    """
    try:
        _os.chown(path, uid, gid, follow_symlinks=follow_symlinks)
    except OSError as error:
        if _os.geteuid() != 0 and error.errno in _FORGIVEN:
            return False
        raise
    return True


_FORGIVEN = frozenset({EPERM, EINVAL, ENOSYS})
