"""The two ways to open things: what everybody writes, and what waits its turn.

A load is written once and is handed one of these kits, so that both sides run the same code.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

from fsworkers import graceful

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from typing import BinaryIO

    from fsworkers.stress.records import Side

    Walked = Iterator[tuple[str, list[str], list[str]]]
    Scanned = AbstractContextManager[Iterator[os.DirEntry[str]]]


class Kit(Protocol):
    """How a load opens files and directories."""

    def open(self, path: str) -> BinaryIO:
        """Open a file to read, on this thread."""

    def open_async(self, path: str) -> AbstractAsyncContextManager[Any]:
        """Open a file to read, in the running event loop."""

    def walk(self, top: str) -> Walked:
        """As ``os.walk``."""

    def scandir(self, path: str) -> Scanned:
        """As ``os.scandir``."""


class OrdinaryKit:
    """The builtin ``open``, bare aiofiles, the standard ``os``."""

    def __init__(self) -> None:
        import aiofiles  # noqa: PLC0415, TID251  (the very thing to compare with)

        self._open_async = aiofiles.open

    def open(self, path: str) -> BinaryIO:
        """The builtin."""
        return open(path, "rb")

    def open_async(self, path: str) -> AbstractAsyncContextManager[Any]:
        """Bare aiofiles."""
        return self._open_async(path, "rb")

    def walk(self, top: str) -> Walked:
        """The standard one."""
        return os.walk(top)

    def scandir(self, path: str) -> Scanned:
        """The standard one."""
        return os.scandir(path)


class GracefulKit:
    """The descriptor layer."""

    def __init__(self) -> None:
        from fsworkers.graceful import aio  # noqa: PLC0415  (takes asyncio along)

        self._open_async = aio.open

    def open(self, path: str) -> BinaryIO:
        """Waits on this thread."""
        file: BinaryIO = graceful.open(path, "rb")
        return file

    def open_async(self, path: str) -> AbstractAsyncContextManager[Any]:
        """Waits in the event loop."""
        return self._open_async(path, "rb")

    def walk(self, top: str) -> Walked:
        """Waits for each directory."""
        return graceful.os.walk(top)

    def scandir(self, path: str) -> Scanned:
        """Waits for the directory."""
        return graceful.os.scandir(path)


def kit_of(side: Side) -> Kit:
    """The kit of a side."""
    return OrdinaryKit() if side == "ordinary" else GracefulKit()
