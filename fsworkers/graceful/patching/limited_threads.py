"""Opens that a library sends to its own limited threads: the permit is awaited before one is taken.

anyio and trio run blocking calls on 40 threads at most, opens and closes alike. Opens that waited
there for a permit would keep the threads from the closes that free one.
"""

from __future__ import annotations

import sys
from asyncio import _get_running_loop
from contextvars import Context
from functools import partial, wraps
from time import monotonic
from typing import TYPE_CHECKING, Any

from fsworkers.graceful.budget import owners, task_wait
from fsworkers.graceful.budget.budget import BUDGET
from fsworkers.graceful.budget.line import WAITING, Waiter
from fsworkers.graceful.opening import open_file
from fsworkers.graceful.opening.retry import give_back, is_refusal
from fsworkers.graceful.patching.unbound import unbound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fsworkers.graceful.budget.permits import HeldPermit

_OPENS = (open_file.open, unbound(open_file.open))
_OPENER = 7
"""The place of ``open``'s opener among its arguments; it may do anything, so it stays in there."""


def opening_of(func: Any, args: tuple[Any, ...]) -> partial[Any] | None:
    """The call of ``open`` by path that this is, if it is one: also ``asyncio.to_thread``'s."""
    call = partial(func, *args)  # one in another becomes one
    if isinstance(getattr(call.func, "__self__", None), Context) and call.args:
        call = partial(call.args[0], *call.args[1:], **call.keywords)
    if call.func not in _OPENS or not call.args or isinstance(call.args[0], int):
        return None
    openers = *call.args[_OPENER:], call.keywords.get("opener")
    return call if openers.count(None) == len(openers) else None


def calls_of(name: str) -> Iterator[tuple[Any, str, Any]]:
    """The module of that name, its function that runs a call on a thread, and ours."""
    module = sys.modules[name]
    yield module, "run_sync", _awaiting_first(module.run_sync)


def _awaiting_first(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    async def run_sync(func: Any, *args: Any, **options: Any) -> Any:
        opening = opening_of(func, args)
        # A thread that is left alone when its caller is cancelled must find its permit itself.
        if opening is None or options.get("abandon_on_cancel") or options.get("cancellable"):
            return await original(func, *args, **options)
        lent = [await _take(opening.args[0])]
        try:
            call = partial(open_file.open_with, lent, *opening.args, **opening.keywords)
            return await original(call, **options)
        except OSError as error:
            if not is_refusal(error):
                raise
        finally:
            give_back(lent)
        return await original(func, *args, **options)  # which waits until the kernel has one

    return run_sync


async def _take(label: object) -> HeldPermit:
    if _get_running_loop() is not None:
        return await task_wait.take(label)
    return BUDGET.take_now() or await _take_in_trio(label)


async def _take_in_trio(label: object) -> HeldPermit:
    """Wait in the line as a task of trio's does."""
    import trio  # noqa: PLC0415 - it is loaded, or nobody would come here

    token, served = trio.lowlevel.current_trio_token(), trio.Event()

    def wake() -> bool:
        try:
            token.run_sync_soon(served.set)
        except trio.RunFinishedError:
            return False
        return True

    owner = owners.identify()
    request = BUDGET.request(1, label)
    waiter = Waiter(request, owner, wake)
    try:
        BUDGET.enter(waiter)
        if waiter.state == WAITING:
            left_s = request.left_s(monotonic())
            with trio.move_on_after(float("inf") if left_s is None else left_s):
                await served.wait()
    except BaseException:
        BUDGET.abandon(waiter)
        raise
    return BUDGET.outcome(waiter)[0]
