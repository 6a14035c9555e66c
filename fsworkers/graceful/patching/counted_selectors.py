"""Selectors whose own descriptor counts: ``epoll`` and ``kqueue``; the others have none.

The classes in C cannot be changed in place; those of ``selectors`` that hold one can.
"""

from __future__ import annotations

import selectors
from functools import wraps

from fsworkers.graceful.budget import descriptor_table
from fsworkers.graceful.opening.retry import run_with_permits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


def methods() -> Iterator[tuple[type[Any], str, Any]]:
    """Class, method and what replaces it."""
    for name in ("EpollSelector", "KqueueSelector", "DevpollSelector"):
        kind = getattr(selectors, name, None)
        if kind is not None:
            yield kind, "__init__", _init_with(kind.__init__)
            yield kind, "close", _close_with(kind.close)


def _init_with(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def init(self: Any) -> None:
        _, lent = run_with_permits(lambda: original(self), "a selector")
        # Of one that is only collected, the number is found closed.
        descriptor_table.keep(self.fileno(), lent[0])

    return init


def _close_with(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def close(self: Any) -> None:
        # First: once it is closed, another thread may have the number.
        lent = None if self._selector.closed else descriptor_table.pop(self.fileno())
        try:
            original(self)
        finally:
            if lent is not None:
                lent.give_back()

    return close
