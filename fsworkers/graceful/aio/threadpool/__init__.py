"""aiofiles' ``threadpool``: its classes, for ``isinstance`` and annotations, and our ``open``.

``wrap`` is aiofiles' own: it takes any file that is open already, one of ``graceful.open`` too.
"""

from __future__ import annotations

from fsworkers.graceful.aio.files import open  # noqa: A004 - the drop-in's name is aiofiles'
from fsworkers.graceful.aio.threadpool import binary, text, utils
from fsworkers.graceful.aio.wrapped import (
    AiofilesContextManager,
    AsyncBufferedIOBase,
    AsyncBufferedReader,
    AsyncFileIO,
    AsyncIndirectBufferedIOBase,
    AsyncTextIndirectIOWrapper,
    AsyncTextIOWrapper,
    stderr,
    stderr_bytes,
    stdin,
    stdin_bytes,
    stdout,
    stdout_bytes,
    wrap,
)

__all__ = [
    "AiofilesContextManager",
    "AsyncBufferedIOBase",
    "AsyncBufferedReader",
    "AsyncFileIO",
    "AsyncIndirectBufferedIOBase",
    "AsyncTextIOWrapper",
    "AsyncTextIndirectIOWrapper",
    "binary",
    "open",
    "stderr",
    "stderr_bytes",
    "stdin",
    "stdin_bytes",
    "stdout",
    "stdout_bytes",
    "text",
    "utils",
    "wrap",
]
