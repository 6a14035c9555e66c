"""A call for an event loop: waiting is done in a thread, a list of outcomes at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fsworkers.pool.outcomes import outcomes_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterator

    from fsworkers.model import Outcome
    from fsworkers.pool.map_call import MapCall

_END = object()


async def outcomes(
    begin: Callable[[Iterable[Any]], MapCall],
    items: Iterable[Any] | AsyncIterable[Any],
    wait_until: float | None = None,
) -> AsyncGenerator[Outcome]:
    """The outcomes of a call as they arrive; it is begun with the first that is asked for.

    Raises:
        TimeoutError: ``wait_until`` has passed (monotonic clock), and nothing has arrived.
    """
    if not isinstance(items, Iterable):
        items = _from_loop(aiter(items), asyncio.get_running_loop())
    call = await asyncio.to_thread(begin, items)
    arriving = call.settled(wait_until=wait_until)
    try:
        while (arrived := await asyncio.to_thread(next, arriving, None)) is not None:
            if not arrived and wait_until is not None:
                raise TimeoutError
            for one in arrived:
                for outcome in outcomes_of(one):
                    yield outcome
    finally:
        if not call.is_over:
            call.cancel()  # a thread that still waits gets what runs, and ends


def _from_loop(items: AsyncIterator[Any], loop: asyncio.AbstractEventLoop) -> Iterator[Any]:
    """For the thread that draws: each item is waited for in the event loop."""

    async def following() -> Any:
        return await anext(items, _END)

    while (item := asyncio.run_coroutine_threadsafe(following(), loop).result()) is not _END:
        yield item
