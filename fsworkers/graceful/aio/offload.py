"""The threads that coroutines' file operations run on, and what becomes of them on a cancel.

Two executors of our own: what opens, and what reads, writes and closes. So neither the program's
own work in the loop's default executor nor an open that blocks (a FIFO) can hold up a close. No
operation waits for a permit in here; that is done in the event loop, before.

A cancelled task leaves its thread running. Whatever that thread brings home then is closed by
whichever of the two, thread or loop, notices last: each puts down its word first and looks at the
other's second.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fsworkers.graceful.aio.executor import hop, opens, transfers
from fsworkers.graceful.budget.budget import BUDGET
from fsworkers.graceful.budget.task_wait import acquire, acquire_again
from fsworkers.graceful.opening.retry import EXHAUSTED, give_back, run_with_reserved

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from fsworkers.graceful.budget.permits import HeldPermit

Result = TypeVar("Result")

LOOPS_OWN: Any = object()
"""For an executor: the one that the loop has by default."""


class _Refusal:
    """The kernel's EMFILE or ENFILE, on its way from the thread to the loop."""

    __slots__ = ("error", "lent")

    def __init__(self, lent: list[HeldPermit], error: OSError) -> None:
        self.lent = lent
        self.error = error

    def close(self) -> None:
        give_back(self.lent)


class CancellableCall(Generic[Result]):
    """One call on a thread that takes permits along and may bring something home to be closed."""

    __slots__ = ("_action", "_home", "_is_wanted", "_lent", "_start")

    def __init__(
        self, action: Callable[[list[HeldPermit]], Result], lent: list[HeldPermit]
    ) -> None:
        self._action = action
        self._lent = lent
        self._is_wanted = True
        self._start: list[None] = [None]
        self._home: list[Result | _Refusal] = []

    def __call__(self) -> None:
        """On the thread."""
        try:
            self._start.pop()
        except IndexError:
            return
        try:
            result: Result | _Refusal = self._action(self._lent)
        except OSError as error:
            if error.errno not in EXHAUSTED:
                give_back(self._lent)
                raise
            result = _Refusal(self._lent, error)
        except BaseException:
            give_back(self._lent)
            raise
        self._home.append(result)
        if not self._is_wanted:
            self._discard()

    def take_home(self) -> Result | _Refusal:
        """In the loop: the result."""
        return self._home.pop()

    def forget(self) -> None:
        """In the loop: nobody wants the result any more."""
        self._is_wanted = False
        try:
            self._start.pop()
        except IndexError:
            if self._home:
                transfers.post(self._discard)
        else:
            give_back(self._lent)

    def _discard(self) -> None:
        try:
            result = self._home.pop()
        except IndexError:
            return
        close = getattr(result, "close", None)
        if close is not None:
            close()


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
        errand = CancellableCall(action, lent)
        try:
            if executor is None:
                await hop(opens, loop, errand)
            else:
                where = None if executor is LOOPS_OWN else executor
                await loop.run_in_executor(where, errand)
        except BaseException:
            errand.forget()
            raise
        result = errand.take_home()
        if not isinstance(result, _Refusal):
            if was_refused:
                BUDGET.note_success()
            return result
        was_refused = True
        lent = await acquire_again(request, result.lent, result.error)


async def run_under(
    function: Callable[[], Result],
    label: object,
    count: int = 1,
    *,
    loop: asyncio.AbstractEventLoop | None = None,
    executor: Executor | None = None,
) -> Result:
    """Run a call that opens up to ``count`` descriptors, and closes them itself, on a thread."""

    def action(lent: list[HeldPermit]) -> tuple[Result]:
        result = run_with_reserved(lent, function)
        give_back(lent)
        # In a tuple: a result is not to be closed because it happens to have a ``close``.
        return (result,)

    return (await bring(action, label, count, loop=loop, executor=executor))[0]


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


async def finish(future: asyncio.Future[Result]) -> Result:
    """Await what must happen also when the task is cancelled: the cancel passes, the call stays."""
    return await asyncio.shield(future)
