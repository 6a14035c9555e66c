"""Asynchronous files: aiofiles' interface over files that hold a permit.

What differs from aiofiles, and why: ``close`` runs after a read that is still on its way, and also
when the task is cancelled; leaving ``async with`` closes through the file's own executor.
"""

from __future__ import annotations

import asyncio
from functools import partial
from io import BufferedWriter, RawIOBase, TextIOBase
from typing import TYPE_CHECKING, Any, Self

from aiofiles.base import AiofilesContextManager  # noqa: TID251 - wrapped here
from aiofiles.threadpool.binary import (  # noqa: TID251 - likewise
    AsyncBufferedIOBase,
    AsyncBufferedReader,
    AsyncFileIO,
)
from aiofiles.threadpool.text import AsyncTextIOWrapper  # noqa: TID251 - likewise

from fsworkers.graceful.aio.executor import SerialExecutor, hop

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor


class Opening(AiofilesContextManager):  # type: ignore[type-arg]  # any file
    """What ``open`` returns: to be awaited, or entered with ``async with``."""

    __slots__ = ()

    _obj: Any

    async def __aexit__(self, *details: Any) -> None:  # noqa: PYI036 - as aiofiles types them
        """Leave the file through its own executor."""
        if hasattr(self._obj, "__aexit__"):
            await self._obj.__aexit__(*details)
        else:  # of somebody's own class that was registered with ``wrap``: as aiofiles leaves it
            await super().__aexit__(*details)


class Closing:
    """A file that is closed also when the task that awaits it is cancelled."""

    _file: Any
    _loop: asyncio.AbstractEventLoop
    _executor: SerialExecutor

    async def close(self) -> None:
        """Close the file after whatever it is still doing, and give the permit back."""
        await self._leave(self._file.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *details: object) -> None:
        # Of a named temporary file it does more than ``close``: it removes what that left there.
        await self._leave(partial(self._file.__exit__, *details))

    async def _leave(self, call: Callable[[], Any]) -> None:
        await asyncio.shield(hop(self._executor, self._loop, call))


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
    wrapper: Any = ReadFile
    if isinstance(decisive, TextIOBase):
        wrapper = TextFile
    elif isinstance(decisive, RawIOBase):
        wrapper = RawFile
    elif isinstance(decisive, BufferedWriter):
        wrapper = WrittenFile
    return wrapper(file, loop=loop, executor=SerialExecutor(executor))
