"""``aio.open``: aiofiles' interface over files that hold a permit."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import aiofiles.threadpool as _threadpool  # noqa: TID251 - the one module that wraps aiofiles
from aiofiles.base import AiofilesContextManager  # noqa: TID251 - as above

from fsworkers.graceful.aio.lending import take
from fsworkers.graceful.files import open_with


def open(  # noqa: A001 - the drop-in's name is aiofiles'
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
    *,
    loop: asyncio.AbstractEventLoop | None = None,
    executor: Any = None,
) -> Any:
    """Open a file as ``aiofiles.open`` does, awaiting a free descriptor in the event loop."""
    return AiofilesContextManager(
        _open(
            loop, executor, file, (mode, buffering, encoding, errors, newline, closefd, opener)
        )
    )


async def _open(
    loop: asyncio.AbstractEventLoop | None,
    executor: Any,
    file: Any,
    arguments: tuple[Any, ...],
) -> Any:
    if loop is None:
        loop = asyncio.get_running_loop()
    permit = await take(file)
    opening = loop.run_in_executor(executor, partial(open_with, permit, file, *arguments))
    try:
        opened = await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_orphan)
        raise
    return _threadpool.wrap(opened, loop=loop, executor=executor)


def _close_orphan(opening: asyncio.Future[Any]) -> None:
    """Close what was opened for a task that no longer wants it."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
