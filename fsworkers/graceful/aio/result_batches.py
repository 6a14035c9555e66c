"""What threads bring back to an event loop: handed over together, with one call of the loop.

To call a loop from a thread is to write to its pipe, which gives up the interpreter's lock. Once
for each result, with many threads at work, that lock goes back and forth all the time.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    import asyncio

Arrival = tuple["asyncio.Future[Any]", Any, BaseException | None]
"""A future of the loop, its result, its error."""


class ResultBatches:
    """Results on their way into one event loop."""

    __slots__ = ("__weakref__", "_arrived", "_is_called", "_is_sure")

    def __init__(self) -> None:
        self._arrived: deque[Arrival] = deque()
        self._is_called = False
        self._is_sure = False

    def put(self, loop: asyncio.AbstractEventLoop, arrival: Arrival) -> None:
        """On any thread: have the loop settle a future, unless that loop has been closed."""
        self._arrived.append(arrival)
        if self._is_called:
            return  # and has not begun to settle: ours is among those
        self._is_called = True
        try:
            loop.call_soon_threadsafe(self._settle, loop)
        except RuntimeError:
            self._arrived.clear()  # closed: nobody waits
        except BaseException:
            self._is_called = False
            raise

    def make_sure(self, loop: asyncio.AbstractEventLoop) -> None:
        """In the loop: settle what arrived in any case.

        Ctrl-C may strike just as ``_settle`` begins; then nobody would call the loop any more.
        """
        if self._arrived and not self._is_sure:
            self._is_sure = True
            loop.call_soon(self._settle, loop)

    def _settle(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            # First: what comes from now on calls the loop again.
            self._is_called = self._is_sure = False
            for _ in range(len(self._arrived)):
                settle(*self._arrived.popleft())
        except BaseException:
            loop.call_soon(self._settle, loop)
            raise


def settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    """Give a future what came of its call, unless it was cancelled meanwhile."""
    if future.done():
        return
    if error is None:
        future.set_result(result)
        return
    if isinstance(error, StopIteration):  # futures take none: before Python 3.12 they say so
        cause, error = error, RuntimeError("the call raised StopIteration")
        error.__cause__ = cause
    future.set_exception(error)


def of(loop: asyncio.AbstractEventLoop) -> ResultBatches:
    """Those of a loop."""
    arrivals = _ARRIVALS.get(loop)
    return arrivals or _ARRIVALS.setdefault(loop, ResultBatches())


# They live as long as a call is on its way. Of a loop that was closed meanwhile nothing is left.
_ARRIVALS: WeakValueDictionary[asyncio.AbstractEventLoop, ResultBatches] = WeakValueDictionary()

# A thread that was about to call the loop is not there in a child.
os.register_at_fork(after_in_child=_ARRIVALS.clear)
