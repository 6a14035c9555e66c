"""Asynchronous files: aiofiles' interface over files that hold a permit.

What differs from aiofiles, and why: ``close`` runs after a read that is still on its way, and also
when the task is cancelled; leaving ``async with`` closes through the file's own executor.
"""

from __future__ import annotations

from functools import partial
from io import BufferedWriter, FileIO, RawIOBase, TextIOBase
from typing import TYPE_CHECKING, Any, Self

from fsworkers.graceful.aio import offload
from fsworkers.graceful.aio.aiofiles_names import (
    AiofilesContextManager,
    AsyncBufferedIOBase,
    AsyncBufferedReader,
    AsyncFileIO,
    AsyncTextIOWrapper,
)
from fsworkers.graceful.aio.executor import SerialExecutor, hop, transfers

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Executor
    from types import TracebackType


class Opening(AiofilesContextManager):  # type: ignore[type-arg]  # any file
    """What ``open`` returns: to be awaited, or entered with ``async with``."""

    __slots__ = ()

    _obj: Any

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the file through its own executor."""
        opened = self._obj
        self._obj = None
        if opened is None:
            return
        leave = getattr(opened, "__aexit__", None)
        if leave is not None:
            await leave(kind, error, trace)
            return
        # Somebody's own class that was registered with ``wrap``: as aiofiles leaves it.
        call = partial(opened._file.__exit__, kind, error, trace)  # noqa: SLF001
        await offload.run(call, loop=opened._loop, executor=opened._executor)  # noqa: SLF001


class Entered:
    """What ``async with`` takes as it is, and leaves by ``close``."""

    async def close(self) -> None:
        """Close it."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


class Closing(Entered):
    """A file that is closed also when the task that awaits it is cancelled."""

    _file: Any
    _loop: asyncio.AbstractEventLoop
    _executor: SerialExecutor

    async def close(self) -> None:
        """Close the file after whatever it is still doing, and give the permit back."""
        await offload.finish(hop(self._executor, self._loop, self._file.close))

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Of a named temporary file it does more than ``close``: it removes what that left there.
        leave = partial(self._file.__exit__, kind, error, trace)
        await offload.finish(hop(self._executor, self._loop, leave))


class TextFile(Closing, AsyncTextIOWrapper):
    """A text file."""


class WrittenFile(Closing, AsyncBufferedIOBase):
    """A binary file opened for writing alone."""


class ReadFile(Closing, AsyncBufferedReader):
    """A binary file opened for reading, or for both."""


class RawFile(Closing, AsyncFileIO):
    """A binary file without a buffer."""


def wrap(
    file: Any, *, kind: Any = None, loop: asyncio.AbstractEventLoop, executor: Executor | None
) -> Any:
    """The asynchronous file over a standard one.

    Args:
        file: The file, or what wraps one (a named temporary file).
        kind: The file that decides which class, when ``file`` itself does not.
        loop: The loop it is used in.
        executor: Whose threads; ``None`` for ours.
    """
    decisive = file if kind is None else kind
    wrapper: Any
    if isinstance(decisive, TextIOBase):
        wrapper = TextFile
    elif isinstance(decisive, FileIO | RawIOBase):
        wrapper = RawFile
    elif isinstance(decisive, BufferedWriter):
        wrapper = WrittenFile
    else:
        wrapper = ReadFile
    return wrapper(file, loop=loop, executor=SerialExecutor(executor or transfers))
