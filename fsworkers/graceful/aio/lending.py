"""Permits for coroutines: the wait is an awaited future, the line is the one of all threads."""

from __future__ import annotations

import asyncio
from threading import get_ident

from fsworkers.graceful.budget import BUDGET, Budget, Permit
from fsworkers.graceful.ledger import GRANTED, Ticket


def current_owner() -> int:
    """The running task's number, negative, or this thread's ident outside of a loop."""
    if asyncio._get_running_loop() is not None:
        task = asyncio.current_task()
        if task is not None:
            return -id(task)
    return get_ident()


async def take(label: object = None, *, budget: Budget = BUDGET) -> Permit:
    """Lend one descriptor, awaiting it in arrival order; a cancelled caller takes nothing."""
    if budget.quick:
        try:
            permit = budget.free.pop()
        except IndexError:
            pass
        else:
            permit.owner = current_owner()
            return permit
    return (await take_many(1, label, budget=budget))[0]


async def take_many(count: int, label: object = None, *, budget: Budget = BUDGET) -> list[Permit]:
    """Lend several at once, all or none."""
    loop = asyncio.get_running_loop()
    served: asyncio.Future[None] = loop.create_future()

    def notice() -> None:
        if not served.done():
            served.set_result(None)

    def wake() -> None:
        loop.call_soon_threadsafe(notice)

    ticket = Ticket(count, current_owner(), label, wake)
    begun_s = loop.time()
    budget.post(ticket)
    if ticket.state == GRANTED:
        return ticket.permits
    try:
        async with asyncio.timeout(budget.wait_s):
            await served
    except TimeoutError:
        budget.abandon(ticket)
        raise budget.timeout_of(ticket, loop.time() - begun_s) from None
    except BaseException:
        budget.abandon(ticket)
        raise
    if ticket.error is not None:
        raise ticket.error
    return ticket.permits
