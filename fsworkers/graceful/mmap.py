"""``mmap`` whose descriptor counts: mapping a file duplicates it until the map is closed."""

from __future__ import annotations

import mmap as _mmap
from abc import ABCMeta
from typing import Any, Self

from fsworkers.graceful.opening.retry import run_with_permits


class _Leash:
    """Gives a permit back when what it hangs on is closed or collected."""

    __slots__ = ("_lent",)

    def __init__(self, lent: Any) -> None:
        self._lent = lent

    def let_go(self) -> None:
        try:
            lent = self._lent
            del self._lent
        except AttributeError:
            return
        lent.give_back()

    __del__ = let_go


class _AnyMap(ABCMeta):
    """Takes maps made before ``install`` for what they are.

    An ``ABCMeta``, so that a class may derive from a map and from abstract classes.
    """

    def __instancecheck__(cls, instance: object) -> bool:
        return (
            isinstance(instance, _mmap_type) if cls is mmap else super().__instancecheck__(instance)
        )


_mmap_type = _mmap.mmap


class mmap(_mmap.mmap, metaclass=_AnyMap):  # noqa: N801 - the drop-in's name is mmap.mmap
    """``mmap.mmap``, holding a permit until it is closed.

    None is needed for an anonymous map, nor with ``trackfd=False``: they keep no descriptor.
    """

    __slots__ = ("_leash",)

    _leash: _Leash

    def __new__(cls, fileno: int, length: int, *args: Any, **kwargs: Any) -> Self:
        """Map a file once a descriptor is free."""
        make = super().__new__
        if fileno == -1 or not kwargs.get("trackfd", True):
            return make(cls, fileno, length, *args, **kwargs)
        mapped, lent = run_with_permits(lambda: make(cls, fileno, length, *args, **kwargs), fileno)
        mapped._leash = _Leash(lent[0])  # noqa: SLF001 - one of us
        return mapped

    def __repr__(self) -> str:
        described = super().__repr__()
        return described.replace("<mmap ", "<mmap.mmap ", 1) if type(self) is mmap else described

    def close(self) -> None:
        """Unmap, and give the permit back."""
        super().close()
        try:
            leash = self._leash
        except AttributeError:
            return
        leash.let_go()

    def __exit__(self, *details: object) -> None:
        """Unmap, and give the permit back."""
        self.close()


def __getattr__(name: str) -> Any:
    return getattr(_mmap, name)
