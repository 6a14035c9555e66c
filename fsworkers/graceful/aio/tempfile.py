"""``aio.tempfile``: aiofiles' names with its signatures, under permits."""

from __future__ import annotations

import asyncio
import os
import sys
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from fsworkers.graceful import tempfile
from fsworkers.graceful.aio import file_classes, offload
from fsworkers.graceful.aio.aiofiles_names import (
    AiofilesContextManager,
    AiofilesContextManagerTempDir,
    AsyncBufferedIOBase,
    AsyncBufferedReader,
    AsyncFileIO,
    AsyncSpooledTemporaryFile,
    AsyncTemporaryDirectory,
    AsyncTextIOWrapper,
)
from fsworkers.graceful.aio.aiofiles_names import wrap_temporary as wrap
from fsworkers.graceful.aio.executor import SerialExecutor, hop, transfers
from fsworkers.graceful.aio.file_classes import Closing, Entered, Opening
from fsworkers.graceful.opening.retry import give_back, run_with_reserved

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Executor

__all__ = [
    "AiofilesContextManager",
    "AiofilesContextManagerTempDir",
    "AsyncBufferedIOBase",
    "AsyncBufferedReader",
    "AsyncFileIO",
    "AsyncSpooledTemporaryFile",
    "AsyncTemporaryDirectory",
    "AsyncTextIOWrapper",
    "NamedTemporaryFile",
    "SpooledTemporaryFile",
    "TemporaryDirectory",
    "TemporaryFile",
    "wrap",
]


if sys.version_info >= (3, 12):

    def NamedTemporaryFile(  # noqa: N802 - the drop-in's name
        mode: str = "w+b",
        buffering: int = -1,
        encoding: str | None = None,
        newline: str | None = None,
        suffix: Any = None,
        prefix: Any = None,
        dir: Any = None,  # noqa: A002 - the drop-in's name
        delete: bool = True,
        delete_on_close: bool = True,
        loop: asyncio.AbstractEventLoop | None = None,
        executor: Executor | None = None,
    ) -> Opening:
        """A named temporary file, which ``async with`` removes; so does ``close``, if it is to."""
        arguments = (mode, buffering, encoding, newline, suffix, prefix, dir, delete)
        return _named(arguments, loop, executor, delete_on_close=delete_on_close)

else:

    def NamedTemporaryFile(  # noqa: N802 - the drop-in's name
        mode: str = "w+b",
        buffering: int = -1,
        encoding: str | None = None,
        newline: str | None = None,
        suffix: Any = None,
        prefix: Any = None,
        dir: Any = None,  # noqa: A002 - the drop-in's name
        delete: bool = True,
        loop: asyncio.AbstractEventLoop | None = None,
        executor: Executor | None = None,
    ) -> Opening:
        """A named temporary file."""
        arguments = (mode, buffering, encoding, newline, suffix, prefix, dir, delete)
        return _named(arguments, loop, executor)


def TemporaryFile(  # noqa: N802 - the drop-in's name
    mode: str = "w+b",
    buffering: int = -1,
    encoding: str | None = None,
    newline: str | None = None,
    suffix: Any = None,
    prefix: Any = None,
    dir: Any = None,  # noqa: A002 - the drop-in's name
    loop: asyncio.AbstractEventLoop | None = None,
    executor: Executor | None = None,
) -> Opening:
    """A temporary file without a name."""
    make = partial(tempfile.TemporaryFile, mode, buffering, encoding, newline, suffix, prefix, dir)
    return Opening(_open(make, loop, executor))


def SpooledTemporaryFile(  # noqa: N802 - the drop-in's name
    max_size: int = 0,
    mode: str = "w+b",
    buffering: int = -1,
    encoding: str | None = None,
    newline: str | None = None,
    suffix: Any = None,
    prefix: Any = None,
    dir: Any = None,  # noqa: A002 - the drop-in's name
    loop: asyncio.AbstractEventLoop | None = None,
    executor: Executor | None = None,
) -> Opening:
    """A temporary file in memory, up to ``max_size`` bytes; then it awaits a descriptor."""
    make = partial(
        tempfile.SpooledTemporaryFile,
        max_size,
        mode,
        buffering,
        encoding,
        newline,
        suffix,
        prefix,
        dir,
    )
    return Opening(_open_spooled(make, loop, executor))


def TemporaryDirectory(  # noqa: N802 - the drop-in's name
    suffix: Any = None,
    prefix: Any = None,
    dir: Any = None,  # noqa: A002 - the drop-in's name
    loop: asyncio.AbstractEventLoop | None = None,
    executor: Executor | None = None,
) -> Opening:
    """A temporary folder; ``async with`` gives its name, as the standard one does."""
    make = partial(tempfile.TemporaryDirectory, suffix, prefix, dir)
    return _FolderOpening(_make_folder(make, loop, executor))


class _FolderOpening(Opening, AiofilesContextManagerTempDir):
    """Gives the folder's name."""

    __slots__ = ()


class Folder(Entered, AsyncTemporaryDirectory):
    """A temporary folder."""

    _file: Any
    _loop: asyncio.AbstractEventLoop
    _executor: Any

    async def cleanup(self) -> None:
        """Remove it and all in it; also when the task is cancelled."""
        removal = offload.run_under(
            self._file.cleanup, self._file.name, 2, loop=self._loop, executor=self._executor
        )
        try:
            task = self._loop.create_task(removal)
        except RuntimeError:  # the loop was closed
            removal.close()
            raise
        await offload.finish(task)

    async def close(self) -> None:
        """As ``cleanup``."""
        await self.cleanup()


class SpooledFile(Closing, AsyncSpooledTemporaryFile):  # type: ignore[type-arg]  # str or bytes
    """A file in memory that awaits its descriptor in the loop when it grows out of it."""

    _may_be_moving = False

    async def rollover(self) -> None:
        """Move to a real file."""
        loop, strand = self._loop, self._executor
        try:
            await offload.run_under(
                self._file.rollover, "a spooled file", loop=loop, executor=strand
            )
        except BaseException:
            self._may_be_moving = True
            raise

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

    async def moved(self) -> None:
        """Wait for the end of a move whose task was cancelled: nothing may touch the file in it."""
        if self._may_be_moving:
            await hop(self._executor, self._loop, _nothing)
            self._may_be_moving = False


def _nothing() -> None:
    """What comes after all that was handed to a strand before."""


def _after_a_move(name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
    original = getattr(SpooledFile, name)

    @wraps(original)
    async def operate(self: SpooledFile, *args: Any, **kwargs: Any) -> Any:
        await self.moved()
        return await original(self, *args, **kwargs)

    return operate


for _name in (
    *("read", "readline", "readlines", "write", "writelines"),
    *("flush", "isatty", "seek", "tell", "truncate"),
):
    setattr(SpooledFile, _name, _after_a_move(_name))


def _named(
    arguments: tuple[Any, ...],
    loop: asyncio.AbstractEventLoop | None,
    executor: Executor | None,
    **more: Any,
) -> Opening:
    return Opening(_open(partial(tempfile.NamedTemporaryFile, *arguments, **more), loop, executor))


async def _open(
    make: Callable[[], Any], loop: asyncio.AbstractEventLoop | None, executor: Executor | None
) -> Any:
    loop = loop or asyncio.get_running_loop()

    def action(lent: list[Any]) -> Any:
        made = run_with_reserved(lent, make)
        give_back(lent)
        return made

    made = await offload.bring(action, "a temporary file", loop=loop, executor=executor)
    kind = getattr(made, "file", None)
    wrapped = file_classes.wrap(made, kind=kind, loop=loop, executor=executor)
    if kind is not None:
        # aiofiles shows these of a named file.
        for name in ("delete", "_closer"):
            if hasattr(made, name):
                setattr(wrapped, name, getattr(made, name))
    return wrapped


async def _open_spooled(
    make: Callable[[], Any], loop: asyncio.AbstractEventLoop | None, executor: Executor | None
) -> SpooledFile:
    loop = loop or asyncio.get_running_loop()
    return SpooledFile(make(), loop=loop, executor=SerialExecutor(executor or transfers))


async def _make_folder(
    make: Callable[[], Any], loop: asyncio.AbstractEventLoop | None, executor: Executor | None
) -> Folder:
    loop = loop or asyncio.get_running_loop()

    def action(_lent: list[Any]) -> Any:
        made = make()
        give_back(_lent)
        return _Discardable(made)

    made = await offload.bring(action, "a temporary folder", loop=loop, executor=executor)
    return Folder(made.folder, loop=loop, executor=executor)


class _Discardable:
    """A folder on its way to a task that may be cancelled; then it is removed.

    It is empty: nobody knows of it. So that takes no descriptor, for which a thread would wait.
    """

    def __init__(self, folder: Any) -> None:
        self.folder = folder

    def close(self) -> None:
        os.rmdir(self.folder.name)
        self.folder._finalizer.detach()  # noqa: SLF001 - it would warn
