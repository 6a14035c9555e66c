"""``os.open`` and its kind: calls that make and close bare descriptor numbers, under permits."""

from __future__ import annotations

import os as _os
from functools import wraps

from fsworkers.graceful.budget import descriptor_table, owners
from fsworkers.graceful.budget.budget import BUDGET
from fsworkers.graceful.budget.kernel import is_open
from fsworkers.graceful.opening.retry import is_refusal, run_with_permits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# What the module itself calls is taken now: when installed, ``os`` leads back here.
_open, _close, _closerange, _dup2 = _os.open, _os.close, _os.closerange, _os.dup2
_free, _noted = BUDGET.free, descriptor_table.noted  # each the same object for good


def _counted(original: Callable[..., Any], count: int) -> Callable[..., Any]:
    """A call that returns ``count`` new descriptor numbers, under as many permits."""

    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        label = args[0] if args else original.__name__
        numbers, lent = run_with_permits(lambda: original(*args, **kwargs), label, count)
        for number in numbers if isinstance(numbers, tuple) else (numbers,):
            descriptor_table.keep(number, lent.pop())
        return numbers

    return _named_here(call)


def _named_here(ours: Callable[..., Any]) -> Callable[..., Any]:
    ours.__module__, ours.__qualname__ = __name__, ours.__name__  # as pickle looks for it
    return ours


_open_waiting = _counted(_os.open, 1)


@wraps(_os.open)
def _open_or_wait(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    """``os.open``, waiting for a descriptor; where one is free, at once."""
    if path.__class__ is not str or dir_fd is not None or not BUDGET.fast_path:
        return _open_waiting(path, flags, mode, dir_fd=dir_fd)  # type: ignore[no-any-return]
    try:
        permit = _free.pop()  # as ``BUDGET.take_now`` does, with one call less
    except IndexError:
        return _open_waiting(path, flags, mode)  # type: ignore[no-any-return]
    try:
        permit.owner = owners.identify()
        number = _open(path, flags, mode)
    except BaseException as error:
        permit.give_back()
        if is_refusal(error):
            return _open_waiting(path, flags, mode)  # type: ignore[no-any-return]
        raise
    if number in _noted:
        descriptor_table.keep(number, permit)
    else:
        _noted[number] = permit
    return number


open = _named_here(_open_or_wait)  # noqa: A001 - the drop-in's name is os.open

NEW_NUMBERS = {"open": open}
"""Our calls that make descriptors, by the name they have in ``os`` on this platform."""

for _name, _count in (
    ("dup", 1),
    ("pipe", 2),
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
    descriptor_table.sweep()


def dup2(fd: int, fd2: int, inheritable: bool = True) -> int:
    """``os.dup2``: a new descriptor only where ``fd2`` was closed before."""
    if is_open(fd2):
        return _dup2(fd, fd2, inheritable)
    number: int
    number, lent = run_with_permits(lambda: _dup2(fd, fd2, inheritable), fd2)
    descriptor_table.keep(number, lent.pop())
    return number
