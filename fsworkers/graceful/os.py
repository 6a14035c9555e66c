"""``os`` with descriptors that wait their turn: ``open``, ``scandir``, ``listdir``, the rest as it is."""

from __future__ import annotations

import os as _os

from fsworkers.graceful.budget import BUDGET, Permit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

_permits: dict[int, Permit] = {}


def __getattr__(name: str) -> Any:
    return getattr(_os, name)


def open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:  # noqa: A001 - os.open
    """``os.open``, waiting until a descriptor is free; close it with ``graceful.os.close``."""
    permit = BUDGET.take(path)
    try:
        fd = _os.open(path, flags, mode, dir_fd=dir_fd)
    except BaseException:
        permit.give_back()
        raise
    _keep(fd, permit)
    return fd


def close(fd: int) -> None:
    """``os.close``, giving the permit back."""
    permit = _permits.pop(fd, None)
    try:
        _os.close(fd)
    finally:
        if permit is not None:
            permit.give_back()


def listdir(path: Any = ".") -> list[Any]:
    """``os.listdir``, waiting until a descriptor is free."""
    permit = BUDGET.take(path)
    try:
        return _os.listdir(path)
    finally:
        permit.give_back()


class scandir:  # noqa: N801 - the drop-in's name is os.scandir
    """``os.scandir``: an iterator of entries that holds a descriptor until it is closed or ends."""

    def __init__(self, path: Any = ".") -> None:
        permit = BUDGET.take(path)
        try:
            self._entries = _os.scandir(path)
        except BaseException:
            permit.give_back()
            raise
        self._permit = permit

    def __iter__(self) -> scandir:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._entries)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> scandir:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_permit"):
            del self._entries
            permit = self._permit
            del self._permit
            permit.give_back()

    def close(self) -> None:
        """Release the descriptor."""
        try:
            self._entries.close()
        finally:
            try:
                permit = self._permit
                del self._permit
            except AttributeError:
                pass
            else:
                permit.give_back()


def _keep(fd: int, permit: Permit) -> None:
    """Note whose permit a descriptor number has, ending that of one closed behind our back."""
    stale = _permits.pop(fd, None)
    _permits[fd] = permit
    if stale is not None:
        stale.give_back()
