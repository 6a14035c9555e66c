"""What an event loop takes for itself: its selector, and a pair of sockets to be woken by.

All at once, so that a thread that waits to run a loop holds nothing of one. And only so many loops
at a time that something is left for their tasks: otherwise loops hold every descriptor, each for
as long as its tasks wait for one more.
"""

from __future__ import annotations

from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any
from weakref import finalize

from fsworkers.graceful.budget.budget import BUDGET, Budget
from fsworkers.graceful.budget.reservation import reserve
from fsworkers.graceful.errors import GracefulError

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 5.0
"""How long a loop waits for others to end; they may be there to stay."""

_OF_A_LOOP = 3
_LEFT_FOR_TASKS = 8

_loops = Budget(1)


def all_at_once(original: Callable[..., None]) -> Callable[..., None]:
    """``BaseSelectorEventLoop.__init__``."""

    @wraps(original)
    def init(self: Any, selector: Any = None) -> None:
        try:
            _await_turn(self)
            with reserve(_OF_A_LOOP - (selector is not None)):
                original(self, selector)
        except BaseException:
            self._closed = True  # else its finalizer complains of what it lacks
            raise

    return init


def leaving(original: Callable[..., None]) -> Callable[..., None]:
    """``BaseSelectorEventLoop.close``."""

    @wraps(original)
    def close(self: Any) -> None:
        original(self)
        end = getattr(self, "_graceful_end", None)
        if end is not None:
            end()

    return close


def _await_turn(loop: Any) -> None:
    """Wait until there are not too many loops, or it looks as if there always will be."""
    most = _most_loops(BUDGET.line.ceiling)
    if _loops.line.ceiling != most:
        _loops.resize(most)
    with suppress(GracefulError):
        permit = _loops.take("an event loop", wait_s=PATIENCE_S)
        loop._graceful_end = finalize(loop, permit.give_back)  # noqa: SLF001 - a name of ours
        loop._graceful_end.atexit = False  # noqa: SLF001 - likewise


def _most_loops(capacity: int) -> int:
    return max(1, (capacity - min(_LEFT_FOR_TASKS, capacity // 4)) // _OF_A_LOOP)
