"""``aio.os``: aiofiles' names with its signatures, and what it lacks.

Added: chmod, chown, fsync, fdatasync, lstat, truncate, utime, ``walk``, and a ``scandir`` that also
iterates asynchronously and closes itself at its end.
"""

from __future__ import annotations

import os as _os
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Self

from fsworkers.graceful import folders, system
from fsworkers.graceful import os as graceful_os
from fsworkers.graceful.aio import ospath as path
from fsworkers.graceful.aio import threads
from fsworkers.graceful.aio.wrapped import AiofilesContextManager
from fsworkers.graceful.aio.wrapping import name_after, wrap, wrap_opening
from fsworkers.graceful.errors import GracefulError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import TracebackType

__all__ = [
    "access",
    "chmod",
    "chown",
    "fsync",
    "getcwd",
    "link",
    "listdir",
    "lstat",
    "makedirs",
    "mkdir",
    "path",
    "readlink",
    "remove",
    "removedirs",
    "rename",
    "renames",
    "replace",
    "rmdir",
    "scandir",
    "stat",
    "statvfs",
    "symlink",
    "truncate",
    "unlink",
    "utime",
    "walk",
    "wrap",
]

access = wrap(_os.access)
chmod = wrap(_os.chmod)
chown = wrap(_os.chown)
fsync = wrap(_os.fsync)
getcwd = wrap(_os.getcwd)
link = wrap(_os.link)
listdir = wrap_opening(graceful_os.listdir)
lstat = wrap(_os.lstat)
makedirs = wrap(_os.makedirs)
mkdir = wrap(_os.mkdir)
readlink = wrap(_os.readlink)
remove = wrap(_os.remove)
removedirs = wrap(_os.removedirs)
rename = wrap(graceful_os.rename)
renames = wrap(_os.renames)
replace = wrap(graceful_os.replace)
rmdir = wrap(_os.rmdir)
stat = wrap(_os.stat)
statvfs = wrap(_os.statvfs)
symlink = wrap(_os.symlink)
truncate = wrap_opening(_os.truncate)
unlink = wrap(_os.unlink)
utime = wrap(_os.utime)

if hasattr(_os, "sendfile"):
    sendfile = wrap(_os.sendfile)
    __all__ += ["sendfile"]
if hasattr(_os, "fdatasync"):
    fdatasync = wrap(_os.fdatasync)
    __all__ += ["fdatasync"]


class Entries(graceful_os.scandir):
    """Entries of a folder: a standard iterator, as aiofiles returns, and an asynchronous one."""

    __slots__ = ("_batch",)

    _batch: list[_os.DirEntry[Any]]

    def __aiter__(self) -> Self:
        self._batch = []
        return self

    async def __anext__(self) -> _os.DirEntry[Any]:
        if not self._batch:
            self._batch = await threads.run(self._read)
            if not self._batch:
                raise StopAsyncIteration
        return self._batch.pop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self) -> list[_os.DirEntry[Any]]:
        """The next few hundred, last first; at the end the descriptor is released."""
        batch = [entry for _, entry in zip(range(512), self, strict=False)]
        batch.reverse()
        return batch


class Scan(AiofilesContextManager, Coroutine[Any, Any, Entries]):  # type: ignore[type-arg]
    """What ``scandir`` returns: to be awaited, entered or iterated over, whichever comes first."""

    __slots__ = ()

    _coro: Coroutine[Any, Any, Entries]
    _obj: Entries | None

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
        if self._obj is not None:
            self._obj.close()

    async def __aiter__(self) -> AsyncIterator[_os.DirEntry[Any]]:
        async for entry in await self:
            yield entry


def scandir(path: Any = None, *, loop: Any = None, executor: Any = None) -> Scan:
    """``os.scandir``, awaiting a free descriptor; closes itself at its end.

    Use it as aiofiles': ``for entry in await scandir(path)``; or ``async with scandir(path) as
    entries: async for entry in entries``; or ``async for entry in scandir(path)``.
    """
    return Scan(_scan(path, loop, executor))


async def _scan(path: Any, loop: Any, executor: Any) -> Entries:
    def action(lent: list[Any]) -> Entries:
        entries = Entries.holding(system.scandir(path), lent[0])
        lent.clear()
        return entries

    return await threads.bring(action, path, loop=loop, executor=executor)


async def walk(
    top: Any,
    topdown: bool = True,
    onerror: Callable[[OSError], Any] | None = None,
    followlinks: bool = False,
) -> AsyncIterator[tuple[Any, list[Any], list[Any]]]:
    """``os.walk``, a folder a hop, with one descriptor at any depth.

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
        waiting.extend(
            _os.path.join(folder, name)
            for name in reversed(names)
            if followlinks or name not in links
        )


def _sort(folder: Any) -> tuple[list[Any], list[Any], frozenset[Any]]:
    names: list[Any] = []
    others: list[Any] = []
    entries = folders.read_folder(folder)
    for entry in entries:
        (names if folders.is_folder(entry) else others).append(entry.name)
    return names, others, frozenset(e.name for e in entries if folders.is_link(e))


_look = wrap_opening(_sort)

name_after(globals())
