"""``mmap`` whose descriptor counts: mapping a file duplicates it until the map is closed."""

from __future__ import annotations

import mmap as _mmap
from abc import ABCMeta
from typing import TYPE_CHECKING, Any, Self

from fsworkers.graceful.opening.retry import run_with_permits

if TYPE_CHECKING:
    from fsworkers.graceful.budget.permits import HeldPermit


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

    __slots__ = ("_lent",)

    _lent: HeldPermit

    def __new__(cls, fileno: int, length: int, *args: Any, **kwargs: Any) -> Self:
        """Map a file once a descriptor is free."""
        make = super().__new__
        if fileno == -1 or not kwargs.get("trackfd", True):
            return make(cls, fileno, length, *args, **kwargs)
        mapped, lent = run_with_permits(lambda: make(cls, fileno, length, *args, **kwargs), fileno)
        mapped._lent = lent[0]  # noqa: SLF001 - one of us
        return mapped

    def __repr__(self) -> str:
        described = super().__repr__()
        return described.replace("<mmap ", "<mmap.mmap ", 1) if type(self) is mmap else described

    def close(self) -> None:
        """Unmap, and give the permit back."""
        super().close()
        self._let_go()

    def __exit__(self, *details: object) -> None:
        """Unmap, and give the permit back."""
        self.close()

    def _let_go(self) -> None:
        try:
            lent = self._lent
            del self._lent
        except AttributeError:
            return
        lent.give_back()

    __del__ = _let_go


def __getattr__(name: str) -> Any:
    return getattr(_mmap, name)
