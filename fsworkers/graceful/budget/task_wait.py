"""Permits for coroutines: the wait is an awaited future, the line is the one of all threads."""

from __future__ import annotations

import asyncio
from asyncio import _get_running_loop  # the one that does not raise
from functools import partial
from time import monotonic

from fsworkers.graceful.budget import owners
from fsworkers.graceful.budget.budget import BUDGET, Budget
from fsworkers.graceful.budget.line import WAITING, Request, Waiter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.graceful.budget.permits import HeldPermit, Permit


def current_owner() -> int:
    """The running task's number, or this thread's outside of a loop."""
    if _get_running_loop() is not None:
        task = asyncio.current_task()
        if task is not None:
            return owners.of_task(task)
    return owners.of_thread()


owners.identify = current_owner


async def take(
    label: object = None, *, wait_s: float | None = None, budget: Budget = BUDGET
) -> HeldPermit:
    """Lend one descriptor, awaiting it in arrival order; a cancelled caller takes nothing.

    Raises:
        BudgetTimeout: It was not free within ``wait_s``, or the budget's own longest wait.
        DescriptorDeadlock: Everyone who holds descriptors waits for more.
    """
    at_once = budget.take_now()
    if at_once is None:
        return (await acquire(budget.request(1, label, wait_s), budget=budget))[0]
    owners.started_by.set(current_owner())
    return at_once


async def take_many(
    count: int, label: object = None, *, wait_s: float | None = None, budget: Budget = BUDGET
) -> list[Permit]:
    """Lend several at once, all or none; errors as ``take``, and ``BudgetTooSmall``."""
    return await _stand_in_line(budget, budget.request(count, label, wait_s), budget.enter)


async def acquire(request: Request, *, budget: Budget = BUDGET) -> list[HeldPermit]:
    """Lend what is wanted, from a reservation if one at hand holds enough; errors as ``take``."""
    at_once = budget.take_now() if request.count == 1 else None
    lent: list[HeldPermit] = [] if at_once is None else [at_once]
    lent = lent or budget.draw_many(request.count)
    if not lent:
        return [*await _stand_in_line(budget, request, budget.enter)]
    owners.started_by.set(current_owner())
    return lent


async def acquire_again(
    request: Request, refused: list[HeldPermit], error: OSError, *, budget: Budget = BUDGET
) -> list[HeldPermit]:
    """Return what the kernel did not honour, and await new ones before all others."""
    enter = partial(budget.enter_refused, refused=refused, error=error)
    return [*await _stand_in_line(budget, request, enter)]


async def _stand_in_line(
    budget: Budget, request: Request, enter: Callable[[Waiter], None]
) -> list[Permit]:
    loop = asyncio.get_running_loop()
    served: asyncio.Future[None] = loop.create_future()
    alarm: asyncio.TimerHandle | None = None

    def notice() -> None:
        if not served.done():
            served.set_result(None)

    def wake() -> bool:
        try:
            loop.call_soon_threadsafe(notice)
        except RuntimeError:
            return False  # the loop was closed
        return True

    owner = current_owner()
    waiter = Waiter(request, owner, wake)
    try:
        enter(waiter)
        if waiter.state == WAITING:
            left_s = request.left_s(monotonic())
            if left_s is not None:
                alarm = loop.call_later(left_s, notice)
            await served
    except BaseException:
        budget.abandon(waiter)
        raise
    finally:
        if alarm is not None:
            alarm.cancel()
    permits = budget.outcome(waiter)
    owners.started_by.set(owner)
    return permits
