"""What asyncio itself opens, with its permits awaited: connections, servers, subprocesses.

Their sockets and pipes are made on the loop's thread, where a wait would stop every task. So the
permits are awaited first, as a reservation, and those calls draw on it.
"""

from __future__ import annotations

from asyncio import BaseEventLoop
from functools import wraps
from typing import TYPE_CHECKING, Any

from fsworkers.graceful.reservation import reserve
from fsworkers.graceful.subprocess import descriptors_needed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def methods() -> Iterator[tuple[type[Any], str, Any]]:
    """Class, method and what replaces it."""
    for name, count in (
        ("create_connection", 1),
        ("create_datagram_endpoint", 1),
        ("create_server", 2),
    ):
        yield BaseEventLoop, name, _awaiting(getattr(BaseEventLoop, name), count)
    for name in ("subprocess_exec", "subprocess_shell"):
        yield BaseEventLoop, name, _awaiting_streams(getattr(BaseEventLoop, name))


def _awaiting(original: Callable[..., Any], count: int) -> Callable[..., Any]:
    @wraps(original)
    async def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("sock") is not None:
            return await original(*args, **kwargs)
        async with reserve(count):
            return await original(*args, **kwargs)

    return call


def _awaiting_streams(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    async def call(*args: Any, **kwargs: Any) -> Any:
        # Without a word from the caller asyncio makes three pipes; its stdin is a pair of sockets.
        streams = (kwargs.get(name, -1) for name in ("stdin", "stdout", "stderr"))
        async with reserve(descriptors_needed(*streams)):
            return await original(*args, **kwargs)

    return call
