"""Permits for coroutines: the wait is an awaited future, the line is the one of all threads."""

from __future__ import annotations

import asyncio
from asyncio import _get_running_loop  # the one that does not raise
from errno import ENFILE

from fsworkers.graceful.budget import argument_checks, owners
from fsworkers.graceful.budget.budget import BUDGET, NOTE_S, NOTED_S, Budget
from fsworkers.graceful.budget.line import GRANTED, NEW, QueuePosition, Waiter

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
    drawn = (
        budget.take_reserved(budget)
        if budget.reservations and budget.take_reserved is not None
        else None
    )
    lent = drawn or budget.take_now()
    if lent is None:
        return (await take_many(1, label, wait_s=wait_s, budget=budget))[0]
    owners.started_by.set(current_owner())
    return lent


async def lend(count: int, label: object = None) -> list[HeldPermit]:
    """Lend permits to this task, from a reservation if one is at hand and holds enough."""
    if count == 1:
        return [await take(label)]
    return BUDGET.draw_many(count) or [*await take_many(count, label)]


async def take_many(
    count: int, label: object = None, *, wait_s: float | None = None, budget: Budget = BUDGET
) -> list[Permit]:
    """Lend several at once, all or none; errors as ``take``, and ``BudgetTooSmall``."""
    return await _line_up(count, label, wait_s, budget, budget.post)


async def take_again(
    permits: list[Permit],
    label: object,
    place: QueuePosition,
    wait_s: float | None,
    *,
    error: OSError,
    waited_s: float = 0.0,
) -> list[Permit]:
    """Return permits that the kernel did not honour, and await new ones before all others.

    Args:
        permits: Those it did not honour.
        label: As ``take``.
        place: The operation's place, the same at each of its tries.
        wait_s: Longest wait from now on.
        error: How it refused.
        waited_s: How long the operation has waited before, for the error to tell.
    """
    budget = permits[0].budget

    def post(waiter: Waiter) -> None:
        budget.post_refused(waiter, permits, place, machine_wide=error.errno == ENFILE)

    return await _line_up(len(permits), label, wait_s, budget, post, waited_s)


async def _line_up(  # noqa: C901 - the wait, and the two ways it can end early
    count: int,
    label: object,
    wait_s: float | None,
    budget: Budget,
    post: Callable[[Waiter], None],
    waited_s: float = 0.0,
) -> list[Permit]:
    wait_s = argument_checks.seconds("wait_s", wait_s)
    loop = asyncio.get_running_loop()
    served: asyncio.Future[None] = loop.create_future()
    alarm: asyncio.TimerHandle | None = None

    def notice() -> None:
        if not served.done():
            served.set_result(None)

    def expire(at_last_s: float) -> None:
        nonlocal alarm
        if waiter.state == NEW and loop.time() < at_last_s:
            # Who is at the line may serve it at once.
            alarm = loop.call_later(NOTE_S, expire, at_last_s)
        else:
            notice()

    def wake() -> bool:
        try:
            loop.call_soon_threadsafe(notice)
        except RuntimeError:
            return False  # the loop was closed
        return True

    owner = current_owner()
    waiter = Waiter(count, owner, label, wake, **budget.standing(owner))
    begun_s = loop.time()
    longest_s = budget.wait_s if wait_s is None else wait_s
    try:
        post(waiter)
        if waiter.state != GRANTED:
            if longest_s is not None:
                alarm = loop.call_later(longest_s, expire, begun_s + longest_s + NOTED_S)
            await served
    except BaseException:
        budget.abandon(waiter)
        raise
    finally:
        if alarm is not None:
            alarm.cancel()
    if waiter.error is not None:
        raise waiter.error
    if waiter.state != GRANTED:
        budget.abandon(waiter)
        raise budget.timeout_of(waiter, waited_s + loop.time() - begun_s)
    owners.started_by.set(owner)
    return budget.note_origin(waiter.permits)
