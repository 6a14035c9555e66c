"""``os`` with descriptors that wait their turn; all the rest is passed through as it is.

A number from here is closed with ``graceful.os.close``, or handed to ``graceful.open`` or
``fdopen`` and closed with that file. ``walk`` takes one descriptor at any depth, and never ends
early for want of one: the standard one takes EMFILE for an empty folder.
"""

from __future__ import annotations

import os as _os
from errno import EINVAL, ENOSYS, EPERM
from functools import wraps
from io import text_encoding

from fsworkers.graceful import files, folders, table
from fsworkers.graceful.budget import BUDGET
from fsworkers.graceful.pressure import EXHAUSTED
from fsworkers.graceful.renaming import rename_patiently
from fsworkers.graceful.system import is_open  # not the module: ``os.system`` is something else
from fsworkers.graceful.unswallowed import persist

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# What the module itself calls is taken now: when installed, ``os`` leads back here.
_open, _close = _os.open, _os.close
_take_now, _noted = BUDGET.take_now, table.noted


def __getattr__(name: str) -> Any:
    return getattr(_os, name)


def __dir__() -> list[str]:
    return sorted({*dir(_os), *globals()})


def _counted(original: Callable[..., Any], count: int) -> Callable[..., Any]:
    """A call that returns ``count`` new descriptor numbers, under as many permits."""

    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        label = args[0] if args else original.__name__
        numbers, lent = persist(lambda: original(*args, **kwargs), label, count)
        for number in numbers if isinstance(numbers, tuple) else (numbers,):
            table.keep(number, lent.pop())
        return numbers

    return _named_here(call)


def _named_here(ours: Callable[..., Any]) -> Callable[..., Any]:
    """Ours with the name under which it can be found, and so pickled."""
    ours.__module__, ours.__qualname__ = __name__, ours.__name__
    return ours


_open_waiting = _counted(_os.open, 1)


@wraps(_os.open)
def _open_or_wait(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    """``os.open``, waiting for a descriptor; where one is free, at once."""
    permit = _take_now() if path.__class__ is str and dir_fd is None else None
    if permit is None:
        return _open_waiting(path, flags, mode, dir_fd=dir_fd)  # type: ignore[no-any-return]
    try:
        number = _open(path, flags, mode)
    except OSError as error:
        permit.give_back()
        if error.errno in EXHAUSTED:
            return _open_waiting(path, flags, mode)  # type: ignore[no-any-return]
        raise
    except BaseException:
        permit.give_back()
        raise
    if number in _noted:
        table.keep(number, permit)
    else:
        _noted[number] = permit
    return number


open = _named_here(_open_or_wait)  # noqa: A001 - the drop-in's name is os.open
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
    lent = _noted.pop(fd, None)
    try:
        _close(fd)
    except InterruptedError:
        pass
    finally:
        if lent is not None:
            lent.give_back()


def closerange(fd_low: int, fd_high: int, /) -> None:
    """``os.closerange``, giving the permits back."""
    _closerange(fd_low, fd_high)
    table.sweep()


def dup2(fd: int, fd2: int, inheritable: bool = True) -> int:
    """``os.dup2``: a new descriptor only where ``fd2`` was closed before."""
    if is_open(fd2):
        return _dup2(fd, fd2, inheritable)
    number: int
    number, lent = persist(lambda: _dup2(fd, fd2, inheritable), fd2)
    table.keep(number, lent.pop())
    return number


_closerange = _os.closerange
_dup2 = _os.dup2


def fdopen(
    fd: int,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    *args: Any,
    **kwargs: Any,
) -> Any:
    """``os.fdopen``: a file that takes over the number's permit."""
    if not isinstance(fd, int):
        raise TypeError(f"invalid fd type ({type(fd)}, expected integer)")
    if "b" not in mode:
        encoding = text_encoding(encoding)  # which warns of the caller's line, as the original does
    return files.open(fd, mode, buffering, encoding, *args, **kwargs)


listdir = folders.listdir
scandir = folders.scandir
walk = folders.walk

_rename = _os.rename
_replace = _os.replace


@_named_here
@wraps(_rename)
def rename(src: Any, dst: Any, **folders: int | None) -> None:
    """``os.rename``, tried again while another process keeps hold of the file."""
    rename_patiently(_rename, src, dst, **folders)


@_named_here
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

REPLACED = {
    **NEW_NUMBERS,
    "close": close,
    "closerange": closerange,
    "dup2": dup2,
    "fdopen": fdopen,
    "listdir": listdir,
    "rename": rename,
    "replace": replace,
    "scandir": scandir,
    "walk": walk,
}
"""All that is ours, by the name it has in ``os``."""

CAPABILITIES = (
    "supports_dir_fd",
    "supports_effective_ids",
    "supports_fd",
    "supports_follow_symlinks",
)
"""The sets in ``os`` in which programs look up what a function can do on this platform."""


def _capability(name: str) -> set[Any]:
    able: set[Any] = getattr(_os, name)
    return able | {ours for known, ours in REPLACED.items() if getattr(_os, known) in able}


supports_dir_fd, supports_effective_ids, supports_fd, supports_follow_symlinks = map(
    _capability, CAPABILITIES
)
