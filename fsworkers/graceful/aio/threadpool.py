"""``aio.open``, and what else aiofiles' module of this name has.

``wrap`` is aiofiles' own: it takes any file that is open already, one of ``graceful.open`` too, and
what is registered with it is heeded.
An open that was cancelled is closed by its thread; aiofiles leaks it.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from aiofiles import threadpool as theirs  # noqa: TID251 - wrapped here

from fsworkers.graceful.aio import file_classes, offload
from fsworkers.graceful.opening import open_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from fsworkers.graceful.budget.permits import HeldPermit

sync_open: Callable[..., Any] = open_file.open
"""What opens. As with aiofiles, it may be replaced, by a test's own open: then that one does."""

wrap = theirs.wrap


def __getattr__(name: str) -> Any:
    return getattr(theirs, name)


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
) -> file_classes.Opening:
    """Open a file as ``aiofiles.open`` does, awaiting a free descriptor in the event loop.

    Raises:
        BudgetTimeout: ``configure(wait_s=…)`` was set and passed first.
        DescriptorDeadlock: Everyone who holds descriptors waits for more.
    """
    options = {
        "mode": mode,
        "buffering": buffering,
        "encoding": encoding,
        "errors": errors,
        "newline": newline,
        "closefd": closefd,
        "opener": opener,
    }
    return file_classes.Opening(_open(file, options, loop, executor))


async def _open(
    file: Any,
    options: dict[str, Any],
    loop: asyncio.AbstractEventLoop | None,
    executor: Executor | None,
) -> Any:
    loop = loop or asyncio.get_running_loop()
    if isinstance(file, int):
        # It takes no permit and next to no time. Made on a thread for a task that is cancelled
        # meanwhile, the file would close the number, and its owner would not know.
        opened = sync_open(file, **options)
    elif sync_open is open_file.open:

        def open_with(lent: list[HeldPermit]) -> Any:
            return open_file.open_with(lent, file, **options)

        opened = await offload.bring(open_with, file, loop=loop, executor=executor)
    else:
        call = partial(sync_open, file, **options)
        opened = await offload.run_under(call, file, loop=loop, executor=executor)
    chosen: Any = wrap.dispatch(type(opened))
    if chosen.__module__ != wrap.__module__:  # somebody has registered a class of their own
        return chosen(opened, loop=loop, executor=executor)
    return file_classes.wrap(opened, loop=loop, executor=executor)
