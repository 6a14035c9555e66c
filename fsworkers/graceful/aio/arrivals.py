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


class Arrivals:
    """Results on their way into one event loop."""

    __slots__ = ("__weakref__", "_arrived", "_calls")

    def __init__(self) -> None:
        self._arrived: deque[Arrival] = deque()
        self._calls: list[None] = [None]

    def put(self, loop: asyncio.AbstractEventLoop, arrival: Arrival) -> None:
        """On any thread: have the loop settle a future, unless its loop has been closed."""
        self._arrived.append(arrival)
        try:
            self._calls.pop()
        except IndexError:
            return  # the loop is called already, and settles ours too
        try:
            loop.call_soon_threadsafe(self._settle, loop)
        except RuntimeError:
            self._arrived.clear()  # closed: nobody waits

    def _settle(self, loop: asyncio.AbstractEventLoop) -> None:
        # First: what comes from now on calls the loop again.
        self._calls.append(None)
        try:
            for _ in range(len(self._arrived)):
                settle(*self._arrived.popleft())
        except BaseException:
            loop.call_soon(self._settle_rest)
            raise

    def _settle_rest(self) -> None:
        """After Ctrl-C in the midst of it."""
        while self._arrived:
            settle(*self._arrived.popleft())


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


def of(loop: asyncio.AbstractEventLoop) -> Arrivals:
    """Those of a loop."""
    arrivals = _ARRIVALS.get(loop)
    return arrivals or _ARRIVALS.setdefault(loop, Arrivals())


# They live as long as a call is on its way. Of a loop that was closed meanwhile nothing is left.
_ARRIVALS: WeakValueDictionary[asyncio.AbstractEventLoop, Arrivals] = WeakValueDictionary()

# A thread that was about to call the loop is not there in a child.
os.register_at_fork(after_in_child=_ARRIVALS.clear)
