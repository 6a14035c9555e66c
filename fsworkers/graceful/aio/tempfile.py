"""``aio.tempfile``: aiofiles' names with its signatures, under permits.

After a cancel in the midst of a spooled file's move to a real one nothing but ``close`` is of use:
only that waits for the move's end.
"""

from __future__ import annotations

import asyncio
from functools import partial, wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, ParamSpec

from aiofiles import tempfile as theirs  # noqa: TID251 - wrapped here
from aiofiles.tempfile.temptypes import (  # noqa: TID251 - likewise
    AsyncSpooledTemporaryFile,
    AsyncTemporaryDirectory,
)

from fsworkers.graceful import tempfile
from fsworkers.graceful.aio import file_classes, offload
from fsworkers.graceful.aio.executor import SerialExecutor
from fsworkers.graceful.aio.file_classes import Closing, Opening

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Executor

    Parameters = ParamSpec("Parameters")
    Make = Callable[[], Any]
    Loop = asyncio.AbstractEventLoop


def __getattr__(name: str) -> Any:
    return getattr(theirs, name)


class Folder(Closing, AsyncTemporaryDirectory):
    """A temporary folder, removed also when the task that awaits it is cancelled."""

    _executor: Any

    async def cleanup(self) -> None:
        """Remove it and all in it."""
        folder = self._file
        removal = offload.run_under(
            folder.cleanup, folder.name, 2, loop=self._loop, executor=self._executor
        )
        await asyncio.shield(removal)

    async def close(self) -> None:
        """As ``cleanup``."""
        await self.cleanup()

    async def __aexit__(self, *_: object) -> None:
        await self.cleanup()


class SpooledFile(Closing, AsyncSpooledTemporaryFile):  # type: ignore[type-arg]  # str or bytes
    """A file in memory that awaits its descriptor in the loop when it grows out of it."""

    async def rollover(self) -> None:
        """Move to a real file."""
        await offload.run_under(
            self._file.rollover, "a spooled file", loop=self._loop, executor=self._executor
        )

    async def fileno(self) -> int:
        """The number of the real file it becomes."""
        if not self._file._rolled:  # noqa: SLF001 - tempfile has no public word for it
            await self.rollover()
        return int(self._file.fileno())

    async def truncate(self, size: int | None = None) -> Any:
        """Change the size, moving to a real file for one beyond the largest in memory."""
        most = self._file._max_size  # noqa: SLF001 - as above
        if size is not None and size > most and not self._file._rolled:  # noqa: SLF001
            await self.rollover()
        return await super().truncate(size)


async def _open(make: Make, loop: Loop, executor: Executor | None) -> Any:
    made = await offload.run_under(make, "a temporary file", loop=loop, executor=executor)
    kind = getattr(made, "file", None)
    wrapped = file_classes.wrap(made, kind=kind, loop=loop, executor=executor)
    for name in ("delete", "_closer"):  # aiofiles shows these of a named file
        if kind is not None and hasattr(made, name):
            setattr(wrapped, name, getattr(made, name))
    return wrapped


async def _open_spooled(make: Make, loop: Loop, executor: Executor | None) -> SpooledFile:
    return SpooledFile(make(), loop=loop, executor=SerialExecutor(executor))


async def _make_folder(make: Make, loop: Loop, executor: Executor | None) -> Folder:
    made = await offload.run_under(make, "a temporary folder", loop=loop, executor=executor)
    return Folder(made, loop=loop, executor=executor)


class _FolderOpening(Opening, theirs.AiofilesContextManagerTempDir):
    """Gives the folder's name."""

    __slots__ = ()


class _StandardFolder(tempfile.TemporaryDirectory):
    """What is made for a task that was cancelled meanwhile is closed."""

    def close(self) -> None:
        self.cleanup()


def _as_theirs(
    original: Callable[Parameters, Any],
    make: Callable[..., Any],
    open_made: Callable[[Make, Loop, Executor | None], Coroutine[Any, Any, Any]],
    opening: type[Opening] = Opening,
) -> Callable[Parameters, Opening]:
    """A function with the signature of aiofiles' own.

    Args:
        original: That one; all its arguments but the last two are of the standard function.
        make: Our standard function.
        open_made: Calls it, for a loop and an executor, and wraps what it returns.
        opening: What the function returns.
    """
    parameters = signature(original)

    @wraps(original)
    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Opening:
        options = parameters.bind(*args, **kwargs).arguments
        loop, executor = options.pop("loop", None), options.pop("executor", None)

        async def opened() -> Any:
            in_loop = loop or asyncio.get_running_loop()
            return await open_made(partial(make, **options), in_loop, executor)

        return opening(opened())

    return call


NamedTemporaryFile = _as_theirs(theirs.NamedTemporaryFile, tempfile.NamedTemporaryFile, _open)
TemporaryFile = _as_theirs(theirs.TemporaryFile, tempfile.TemporaryFile, _open)
SpooledTemporaryFile = _as_theirs(
    theirs.SpooledTemporaryFile, tempfile.SpooledTemporaryFile, _open_spooled
)
TemporaryDirectory = _as_theirs(
    theirs.TemporaryDirectory, _StandardFolder, _make_folder, _FolderOpening
)
offload.name_after(globals())
