"""Calls on threads for coroutines: under permits, and what becomes of them on a cancel.

Two sets of threads of our own: for what opens, and for what reads, writes and closes. So neither
the program's own work in the loop's default executor nor an open that blocks (a FIFO) can hold up a
close. No operation waits for a permit on a thread; that is done in the event loop, before.

A cancelled task leaves its thread running; what that brings home then is closed.
"""

from __future__ import annotations

import asyncio
from functools import partial, wraps
from threading import RLock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fsworkers.graceful.aio.executor import hop, opens, transfers
from fsworkers.graceful.budget.budget import BUDGET
from fsworkers.graceful.budget.task_wait import acquire, acquire_again
from fsworkers.graceful.opening.retry import EXHAUSTED, give_back, run_with_reserved

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Executor

    from fsworkers.graceful.budget.permits import HeldPermit

Result = TypeVar("Result")

LOOPS_OWN: Any = object()
"""For an executor: the one that the loop has by default."""


class CancellableCall(Generic[Result]):
    """One call on a thread that takes permits along and may bring home what is to be closed.

    When its task has forgotten it, whichever of task and thread comes last clears up.
    """

    __slots__ = ("_action", "_is_on_thread", "_is_wanted", "_lent", "_lock", "_made")

    def __init__(
        self, action: Callable[[list[HeldPermit]], Result], lent: list[HeldPermit]
    ) -> None:
        self._action = action
        self._lent = lent
        self._made: list[Result] = []
        self._is_wanted = True
        self._is_on_thread = False
        # A collector that finds its task on the very thread may have it forgotten there.
        self._lock = RLock()

    def __call__(self) -> Result:
        """On the thread."""
        with self._lock:
            if not self._is_wanted:
                raise asyncio.CancelledError
            self._is_on_thread = True
        try:
            result = self._action(self._lent)
            self._made.append(result)
            return result
        finally:
            with self._lock:
                self._is_on_thread = False
                if not self._is_wanted:
                    self._clear_up()  # type: ignore[unreachable]  # forgotten meanwhile

    def forget(self) -> None:
        """In the loop: it failed, or nobody wants the result any more."""
        with self._lock:
            self._is_wanted = False
            if not self._is_on_thread:
                self._clear_up()

    def _clear_up(self) -> None:
        if not self._made:
            give_back(self._lent)
        elif hasattr(self._made[0], "close"):
            transfers.post(self._made[0].close)


async def bring(
    action: Callable[[list[HeldPermit]], Result],
    label: object,
    count: int = 1,
    *,
    loop: asyncio.AbstractEventLoop | None = None,
    executor: Executor | None = None,
) -> Result:
    """Run a call on a thread under permits awaited before, as often as the kernel refuses it.

    Args:
        action: Gets the permits. When it returns it has passed them on or given them back; when it
            raises they are still to be given back. A result is closed if nobody wants it any more.
        label: What it works on, as errors show it.
        count: Descriptors it takes at once.
        loop: The loop, if not the running one.
        executor: Whose threads, if not ours; ``LOOPS_OWN`` for the loop's default ones.

    Raises:
        BudgetTimeout: The budget's longest wait passed; it counts over all tries.
        DescriptorDeadlock: Everyone who holds descriptors waits for more.
    """
    loop = loop or asyncio.get_running_loop()
    request = BUDGET.request(count, label)
    lent = await acquire(request)
    was_refused = False
    while True:
        call = CancellableCall(action, lent)
        try:
            if executor is None:
                result = await hop(opens, loop, call)
            else:
                where = None if executor is LOOPS_OWN else executor
                result = await loop.run_in_executor(where, call)
        except BaseException as error:
            if not isinstance(error, OSError) or error.errno not in EXHAUSTED:
                call.forget()
                raise
            refusal = error
        else:
            if was_refused:
                BUDGET.note_success()
            return result
        was_refused = True
        lent = await acquire_again(request, lent, refusal)


async def run_under(
    function: Callable[[], Result],
    label: object,
    count: int = 1,
    *,
    loop: asyncio.AbstractEventLoop | None = None,
    executor: Executor | None = None,
) -> Result:
    """Run a call on a thread whose own graceful operations draw on up to ``count`` permits."""

    def action(lent: list[HeldPermit]) -> Result:
        result = run_with_reserved(lent, function)
        give_back(lent)
        return result

    return await bring(action, label, count, loop=loop, executor=executor)


async def run(
    function: Callable[[], Result],
    *,
    loop: asyncio.AbstractEventLoop | None = None,
    executor: Executor | None = None,
) -> Result:
    """Run a call that opens nothing on a thread."""
    loop = loop or asyncio.get_running_loop()
    if executor is None:
        return await hop(transfers, loop, function)
    return await loop.run_in_executor(executor, function)


def wrap(func: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    """A call that opens nothing, as a coroutine function with aiofiles' two keywords."""

    @wraps(func)
    async def run_wrapped(*args: Any, loop: Any = None, executor: Any = None, **kwargs: Any) -> Any:
        return await run(partial(func, *args, **kwargs), loop=loop, executor=executor)

    return run_wrapped


def wrap_opening(
    func: Callable[..., Any], count: int = 1
) -> Callable[..., Coroutine[Any, Any, Any]]:
    """A call that opens up to ``count`` descriptors and closes them, as a coroutine function."""

    @wraps(func)
    async def run_wrapped(*args: Any, loop: Any = None, executor: Any = None, **kwargs: Any) -> Any:
        call = partial(func, *args, **kwargs)
        label = args[0] if args else func.__name__
        return await run_under(call, label, count, loop=loop, executor=executor)

    return run_wrapped


def name_after(namespace: dict[str, Any]) -> None:
    """Name the wrapped calls of a module after where they can be found, and so pickled."""
    for name, value in namespace.items():
        if hasattr(value, "__wrapped__"):
            value.__module__ = namespace["__name__"]
            value.__qualname__ = name
