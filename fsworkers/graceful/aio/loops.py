"""What asyncio itself opens, with its permits awaited: connections, servers, subprocesses, files.

Their sockets and pipes are made on the loop's thread, where a wait would stop every task. So the
permits are awaited first, as a reservation, and those calls draw on it.

Files are opened in the loop's executor (by aiofiles, or ``asyncio.to_thread(open, path)``). To wait
for a permit there would keep its few threads from the reads and closes that free one.
"""

from __future__ import annotations

from asyncio import BaseEventLoop, _get_running_loop
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from fsworkers.graceful import files, owners
from fsworkers.graceful.aio import threads
from fsworkers.graceful.reservation import reserve
from fsworkers.graceful.subprocess import descriptors_needed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fsworkers.graceful.counter import Lent


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
    name = "run_in_executor"
    yield BaseEventLoop, name, _awaiting_files(getattr(BaseEventLoop, name))


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


def _awaiting_files(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def run_in_executor(self: Any, executor: Any, func: Any, *args: Any) -> Any:
        opening = _opening(func, args)
        if (
            opening is None
            or _runs_elsewhere(self)
            or not (executor is None or isinstance(executor, ThreadPoolExecutor))
        ):
            return original(self, executor, func, *args)
        return self.create_task(_open(opening, executor, owners.identify()))

    return run_in_executor


def _runs_elsewhere(loop: Any) -> bool:
    return _get_running_loop() is not loop


def _opening(func: Any, args: tuple[Any, ...]) -> partial[Any] | None:
    """The call of ``open`` by path that this is, if it is one: also ``asyncio.to_thread``'s."""
    call = partial(func, *args)  # one in another becomes one
    if isinstance(getattr(call.func, "__self__", None), Context) and call.args:
        call = partial(call.args[0], *call.args[1:], **call.keywords)
    if call.func is not files.open or not call.args or isinstance(call.args[0], int):
        return None
    return None if call.keywords.get("opener") is not None or len(call.args) > _OPENER else call


_OPENER = 7
"""The place of ``open``'s opener among its arguments; it may do anything, so it stays in there."""


async def _open(opening: partial[Any], executor: Any, owner: int) -> Any:
    """Open a file on a thread with a permit awaited before, which belongs to who asked."""

    def action(lent: list[Lent]) -> Any:
        lent[0].real().owner = owner
        return files.open_with(lent, *opening.args, **opening.keywords)

    return await threads.bring(action, opening.args[0], executor=executor)
