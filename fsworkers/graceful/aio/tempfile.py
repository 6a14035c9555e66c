"""``aio.tempfile``: aiofiles' names with its signatures, under permits."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from fsworkers.graceful import tempfile
from fsworkers.graceful.aio import files, threads
from fsworkers.graceful.aio.crew import transfers
from fsworkers.graceful.aio.files import Opening
from fsworkers.graceful.aio.wrapped import (
    AiofilesContextManager,
    AiofilesContextManagerTempDir,
    AsyncBufferedIOBase,
    AsyncBufferedReader,
    AsyncFileIO,
    AsyncSpooledTemporaryFile,
    AsyncTemporaryDirectory,
    AsyncTextIOWrapper,
    temptypes,
)
from fsworkers.graceful.aio.wrapped import wrap_temporary as wrap
from fsworkers.graceful.pressure import draw_on, give_back

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from types import TracebackType

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
    "temptypes",
    "wrap",
]


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
    """A named temporary file; ``delete_on_close`` counts from Python 3.12 on."""
    more = {"delete_on_close": delete_on_close} if sys.version_info >= (3, 12) else {}
    make = partial(
        tempfile.NamedTemporaryFile,
        mode,
        buffering,
        encoding,
        newline,
        suffix,
        prefix,
        dir,
        delete,
        **more,
    )
    return Opening(_open(make, loop, executor))


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


class Folder(AsyncTemporaryDirectory):
    """A temporary folder."""

    _file: Any
    _loop: asyncio.AbstractEventLoop
    _executor: Any

    async def cleanup(self) -> None:
        """Remove it and all in it; also when the task is cancelled."""
        removal = threads.run_under(
            self._file.cleanup, self._file.name, 2, loop=self._loop, executor=self._executor
        )
        await threads.finish(asyncio.ensure_future(removal))

    async def close(self) -> None:
        """As ``cleanup``."""
        await self.cleanup()


class SpooledFile(AsyncSpooledTemporaryFile):  # type: ignore[type-arg]  # str or bytes
    """A file in memory that awaits its descriptor in the loop when it grows out of it."""

    _file: Any
    _executor: Any

    async def rollover(self) -> None:
        """Move to a real file."""
        await threads.run_under(self._file.rollover, "a spooled file", executor=self._executor)

    async def fileno(self) -> int:
        """The number of the real file it becomes."""
        if not self._file._rolled:  # noqa: SLF001 - tempfile has no public word for it
            await self.rollover()
        return int(self._file.fileno())

    async def truncate(self, size: int | None = None) -> Any:
        """Change the size, moving to a real file for one beyond the largest in memory."""
        most = self._file._max_size  # noqa: SLF001 - as above
        if size is not None and most and size > most and not self._file._rolled:  # noqa: SLF001
            await self.rollover()
        return await threads.run(partial(self._file.truncate, size), executor=self._executor)

    async def close(self) -> None:
        """Close it; also when the task is cancelled."""
        loop = asyncio.get_running_loop()
        executor = self._executor or transfers
        await threads.finish(loop.run_in_executor(executor, self._file.close))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


async def _open(
    make: Callable[[], Any], loop: asyncio.AbstractEventLoop | None, executor: Executor | None
) -> Any:
    loop = loop or asyncio.get_running_loop()

    def action(lent: list[Any]) -> Any:
        made = draw_on(lent, make)
        give_back(lent)
        return made

    made = await threads.bring(action, "a temporary file", loop=loop, executor=executor)
    kind = getattr(made, "file", None)
    wrapped = files.wrap(made, kind=kind, loop=loop, executor=executor)
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
    return SpooledFile(make(), loop=loop, executor=executor)


async def _make_folder(
    make: Callable[[], Any], loop: asyncio.AbstractEventLoop | None, executor: Executor | None
) -> Folder:
    loop = loop or asyncio.get_running_loop()

    def action(_lent: list[Any]) -> Any:
        made = make()
        give_back(_lent)
        return _Discardable(made)

    made = await threads.bring(action, "a temporary folder", loop=loop, executor=executor)
    return Folder(made.folder, loop=loop, executor=executor)


class _Discardable:
    """A folder on its way to a task that may be cancelled; then it is removed."""

    def __init__(self, folder: Any) -> None:
        self.folder = folder

    def close(self) -> None:
        self.folder.cleanup()
