"""Looking into folders from coroutines: ``scandir`` and ``walk``.

A cancelled task leaves its thread in ``readdir``, and who closes or reads the same folder from
elsewhere meanwhile has the C library touch freed memory. So one reads at a time, and who wants it
closed says so first and looks second whether anybody reads; the reader does the reverse.
"""

from __future__ import annotations

import asyncio
import inspect
import os as _os
import sys
from collections import deque
from collections.abc import Coroutine
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any, Self, TypeVar

from fsworkers.graceful import folders, system
from fsworkers.graceful.aio import threads
from fsworkers.graceful.aio.crew import Strand, hop, transfers
from fsworkers.graceful.aio.wrapped import AiofilesContextManager
from fsworkers.graceful.aio.wrapping import name_after, wrap, wrap_opening
from fsworkers.graceful.errors import GracefulError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from concurrent.futures import Executor
    from types import TracebackType

Result = TypeVar("Result")

_BATCH = 512
"""Most entries read in one hop."""


class Entries:
    """Entries of a folder: a standard iterator, as aiofiles returns, and an asynchronous one.

    What was read waits in ``_batch``, also after a cancel, and an error waits behind it: however it
    is iterated, and by whomever next, nothing is missing.
    """

    __slots__ = ("__weakref__", "_batch", "_folder", "_is_wanted", "_loop", "_reading", "_strand")

    def __init__(
        self,
        folder: folders.scandir,
        loop: asyncio.AbstractEventLoop | None,
        executor: Executor | None,
    ) -> None:
        self._folder = folder
        self._loop = loop
        self._strand = Strand(executor or transfers)
        self._batch: deque[_os.DirEntry[Any] | OSError] = deque()
        self._reading = Lock()
        self._is_wanted = True

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> _os.DirEntry[Any]:
        while not self._batch:
            if not self._read(1):
                raise StopIteration
        return self._take()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _os.DirEntry[Any]:
        while not self._batch:
            if not await self._hop(self._read):
                raise StopAsyncIteration
        return self._take()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def close(self) -> None:
        """Release the descriptor, or have whoever is reading do it next. Never waits."""
        self._is_wanted = False
        if self._reading.acquire(blocking=False):
            try:
                self._folder.close()
                self._batch.clear()
            finally:
                self._reading.release()

    async def aclose(self) -> None:
        """Release the descriptor after a read under way; also when the task is cancelled."""
        await threads.finish(self._hop(self.close))

    def _hop(self, call: Callable[[], Result]) -> asyncio.Future[Result]:
        return hop(self._strand, self._loop or asyncio.get_running_loop(), call)

    def _read(self, most: int = _BATCH) -> bool:
        """Read the next few, if none are left; whether there are any."""
        with self._reading:
            if not self._batch:
                try:
                    self._batch.extend(islice(self._folder, most))
                except OSError as error:
                    self._batch.append(error)
            is_found = bool(self._batch)
        if not self._is_wanted:
            self.close()
        return is_found

    def _take(self) -> _os.DirEntry[Any]:
        found = self._batch.popleft()
        if isinstance(found, OSError):
            raise found
        return found


class Scan(AiofilesContextManager, Coroutine[Any, Any, Entries]):  # type: ignore[type-arg]
    """What ``scandir`` returns: to be awaited, entered or iterated over, whichever comes first.

    Iterated over, it is its own iterator and nobody else has the entries: when the last reference
    goes, as it does after ``break``, they are closed.
    """

    __slots__ = ("_is_alone",)

    _coro: Coroutine[Any, Any, Entries]
    _obj: Entries | None

    def __init__(self, opening: Coroutine[Any, Any, Entries]) -> None:
        super().__init__(opening)
        self._is_alone = False

    def __del__(self) -> None:
        if self._is_alone and self._obj is not None:
            self._obj.close()

    def send(self, value: Any) -> Any:
        """As a coroutine, which aiofiles returns here."""
        return self._coro.send(value)

    def throw(self, *error: Any) -> Any:
        """As a coroutine."""
        return self._coro.throw(*error)

    def close(self) -> None:
        """As a coroutine."""
        self._coro.close()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _os.DirEntry[Any]:
        entries = self._obj
        if entries is None:
            entries = await self
            self._is_alone = True
        return await anext(entries)

    async def aclose(self) -> None:
        """Release the descriptor, as an asynchronous generator does."""
        if self._obj is None:
            self.close()
        else:
            await self._obj.aclose()


def scandir(path: Any = None, *, loop: Any = None, executor: Any = None) -> Scan:
    """``os.scandir``, awaiting a free descriptor; closes itself at its end.

    Use it as aiofiles': ``for entry in await scandir(path)``; or ``async with scandir(path) as
    entries: async for entry in entries``; or ``async for entry in scandir(path)``.
    """
    return Scan(_scan(path, loop, executor))


# Code that asks wants to know whether to await it.
if sys.version_info >= (3, 12):
    inspect.markcoroutinefunction(scandir)
else:
    scandir._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001


async def _scan(path: Any, loop: Any, executor: Any) -> Entries:
    def action(lent: list[Any]) -> Entries:
        folder = folders.scandir.holding(system.scandir(path), lent[0])
        lent.clear()
        return Entries(folder, loop, executor)

    return await threads.bring(action, path, loop=loop, executor=executor)


async def walk(
    top: Any,
    topdown: bool = True,
    onerror: Callable[[OSError], Any] | None = None,
    followlinks: bool = False,
) -> AsyncIterator[tuple[Any, list[Any], list[Any]]]:
    """``os.walk``, a folder in one hop or two, with one descriptor at any depth.

    Raises:
        GracefulError: A descriptor could not be had: never taken for an empty folder.
    """
    waiting: list[Any] = [_os.fspath(top)]
    while waiting:
        folder = waiting.pop()
        if isinstance(folder, tuple):
            yield folder
            continue
        try:
            names, others, links = await _look(folder)
        except GracefulError:
            raise
        except OSError as error:
            if onerror is not None:
                onerror(error)
            continue
        if topdown:
            yield folder, names, others
        else:
            waiting.append((folder, names, others))
        if not followlinks:
            if not topdown:
                names = [name for name in names if name not in links]
            elif names:
                # Looked at again: the caller has had its turn with the names and with the folder.
                names = await _without_links(folder, names)
        waiting.extend(_os.path.join(folder, name) for name in reversed(names))


def _sort(folder: Any) -> tuple[list[Any], list[Any], frozenset[Any]]:
    names: list[Any] = []
    others: list[Any] = []
    entries = folders.read_folder(folder)
    for entry in entries:
        (names if folders.is_folder(entry) else others).append(entry.name)
    return names, others, frozenset(e.name for e in entries if folders.is_link(e))


_look = wrap_opening(_sort)


@wrap
def _without_links(folder: Any, names: list[Any]) -> list[Any]:
    return [name for name in names if not _os.path.islink(_os.path.join(folder, name))]


name_after(globals())
