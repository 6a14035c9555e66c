"""Looking into folders from coroutines: ``scandir`` and ``walk``.

A folder is read to its end in one hop, so nothing is open and no permit lent when the entries are
there: they are a list, and closing it is a formality.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any

from aiofiles.base import AiofilesContextManager  # noqa: TID251 - wrapped here

from fsworkers.graceful.aio import offload
from fsworkers.graceful.budget import kernel
from fsworkers.graceful.opening import listing
from fsworkers.graceful.opening.retry import give_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from os import DirEntry

    from fsworkers.graceful.budget.permits import HeldPermit


class Entries(
    Iterator[Any], AsyncIterator[Any], AbstractContextManager[Any], AbstractAsyncContextManager[Any]
):
    """Entries of a folder, as ``os.scandir`` has them, and for ``async`` with and for, too."""

    def __init__(self, entries: Iterable[DirEntry[Any]]) -> None:
        self._left = iter([*entries])

    def __next__(self) -> DirEntry[Any]:
        return next(self._left)

    async def __anext__(self) -> DirEntry[Any]:
        for entry in self._left:
            return entry
        raise StopAsyncIteration

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the entries that are left."""
        self._left = iter([])

    async def aclose(self) -> None:
        """Drop the entries that are left."""
        self.close()


class Scan(AiofilesContextManager, Coroutine[Any, Any, Entries]):  # type: ignore[type-arg]
    """What ``scandir`` returns: to be awaited, entered or iterated over, whichever comes first.

    A coroutine as aiofiles returns one, so that it can be made a task.
    """

    _coro: Coroutine[Any, Any, Entries]
    _obj: Entries | None

    def send(self, value: Any) -> Any:
        """As a coroutine."""
        return self._coro.send(value)

    def throw(self, *error: Any) -> Any:
        """As a coroutine."""
        return self._coro.throw(*error)

    def close(self) -> None:
        """As a coroutine."""
        self._coro.close()

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __aiter__(self) -> AsyncIterator[DirEntry[Any]]:
        return self

    async def __anext__(self) -> DirEntry[Any]:
        return await anext(await self)

    async def aclose(self) -> None:
        """Drop the entries that are left, as an asynchronous generator does."""
        (self._obj or self).close()


def scandir(path: Any = None, *, loop: Any = None, executor: Any = None) -> Scan:
    """``os.scandir``, awaiting a free descriptor and read to the end, where it is given back.

    Use it as aiofiles': ``for entry in await scandir(path)``; or ``async with scandir(path) as
    entries: async for entry in entries``; or ``async for entry in scandir(path)``.

    Raises:
        OSError: When awaited, also for an error in the middle of the folder.
    """

    def read(lent: list[HeldPermit]) -> Entries:
        with kernel.scandir(path) as entries:
            found = Entries(entries)
        give_back(lent)
        return found

    return Scan(offload.bring(read, path, loop=loop, executor=executor))


# Code that asks wants to know whether to await it.
if sys.version_info >= (3, 12):
    inspect.markcoroutinefunction(scandir)
else:
    scandir._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001


async def walk(
    top: Any,
    topdown: bool = True,
    onerror: Callable[[OSError], Any] | None = None,
    followlinks: bool = False,
) -> AsyncIterator[tuple[Any, list[Any], list[Any]]]:
    """``os.walk``, a folder in one hop, with one descriptor at any depth.

    Raises:
        GracefulError: A descriptor could not be had: never taken for an empty folder.
    """
    steps = listing.walk_steps(top, topdown, onerror, followlinks)
    found = None
    while (step := steps.send(found)) is not None:
        if isinstance(step, tuple):
            yield step
        else:
            found = await offload.run_under(step, step.args[0])
