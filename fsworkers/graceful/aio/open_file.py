"""``aio.open``, and what aiofiles' ``threadpool`` has: ``aio`` has this module by that name too.

``wrap`` is aiofiles' own: it takes any file that is open already, one of ``graceful.open`` too, and
what is registered with it is heeded.
An open that was cancelled is closed by its thread; aiofiles leaks it.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from fsworkers.graceful.aio import offload
from fsworkers.graceful.aio.aiofiles_names import (
    AiofilesContextManager,
    AsyncBufferedIOBase,
    AsyncBufferedReader,
    AsyncFileIO,
    AsyncIndirectBufferedIOBase,
    AsyncTextIndirectIOWrapper,
    AsyncTextIOWrapper,
    stderr,
    stderr_bytes,
    stdin,
    stdin_bytes,
    stdout,
    stdout_bytes,
    wrap,
)
from fsworkers.graceful.aio.file_classes import Opening
from fsworkers.graceful.aio.file_classes import wrap as wrap_ours
from fsworkers.graceful.opening import open_file
from fsworkers.graceful.opening.retry import give_back, run_with_reserved

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from fsworkers.graceful.budget.permits import HeldPermit

__all__ = [
    "AiofilesContextManager",
    "AsyncBufferedIOBase",
    "AsyncBufferedReader",
    "AsyncFileIO",
    "AsyncIndirectBufferedIOBase",
    "AsyncTextIOWrapper",
    "AsyncTextIndirectIOWrapper",
    "open",
    "stderr",
    "stderr_bytes",
    "stdin",
    "stdin_bytes",
    "stdout",
    "stdout_bytes",
    "sync_open",
    "wrap",
]

sync_open: Callable[..., Any] = open_file.open
"""What opens. As with aiofiles, it may be replaced, by a test's own open: then that one does."""

_NAMES = ("mode", "buffering", "encoding", "errors", "newline", "closefd", "opener")


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
    executor: Executor | None = None,
) -> Opening:
    """Open a file as ``aiofiles.open`` does, awaiting a free descriptor in the event loop.

    Raises:
        BudgetTimeout: ``configure(wait_s=…)`` was set and passed first.
        DescriptorDeadlock: Everyone who holds descriptors waits for more.
    """
    arguments = (file, mode, buffering, encoding, errors, newline, closefd, opener)
    return Opening(_open(arguments, loop, executor))


async def _open(
    arguments: tuple[Any, ...],
    loop: asyncio.AbstractEventLoop | None,
    executor: Executor | None,
) -> Any:
    loop = loop or asyncio.get_running_loop()
    if isinstance(arguments[0], int):
        # It takes no permit and next to no time. Made on a thread for a task that is cancelled
        # meanwhile, the file would close the number, and its owner would not know.
        opened = _call(arguments)
    else:
        action = partial(_open_with if sync_open is open_file.open else _call_with, arguments)
        opened = await offload.bring(action, arguments[0], loop=loop, executor=executor)
    chosen: Any = wrap.dispatch(type(opened))
    if chosen.__module__ != wrap.__module__:  # somebody has registered a class of their own
        return chosen(opened, loop=loop, executor=executor)
    return wrap_ours(opened, loop=loop, executor=executor)


def _open_with(arguments: tuple[Any, ...], lent: list[HeldPermit]) -> Any:
    return open_file.open_with(lent, *arguments)


def _call_with(arguments: tuple[Any, ...], lent: list[HeldPermit]) -> Any:
    opened = run_with_reserved(lent, partial(_call, arguments))
    give_back(lent)
    return opened


def _call(arguments: tuple[Any, ...]) -> Any:
    file, *options = arguments
    return sync_open(file, **dict(zip(_NAMES, options, strict=True)))
