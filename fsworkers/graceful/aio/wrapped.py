"""What is taken from aiofiles: file classes and standard streams. No other module imports it."""

from __future__ import annotations

from aiofiles.base import AiofilesContextManager  # noqa: TID251 - the module that wraps it
from aiofiles.tempfile.temptypes import (  # noqa: TID251 - as above
    AsyncSpooledTemporaryFile,
    AsyncTemporaryDirectory,
)
from aiofiles.threadpool import (  # noqa: TID251 - as above
    stderr,
    stderr_bytes,
    stdin,
    stdin_bytes,
    stdout,
    stdout_bytes,
)
from aiofiles.threadpool.binary import (  # noqa: TID251 - as above
    AsyncBufferedIOBase,
    AsyncBufferedReader,
    AsyncFileIO,
)
from aiofiles.threadpool.text import AsyncTextIOWrapper  # noqa: TID251 - as above

__all__ = [
    "AiofilesContextManager",
    "AsyncBufferedIOBase",
    "AsyncBufferedReader",
    "AsyncFileIO",
    "AsyncSpooledTemporaryFile",
    "AsyncTemporaryDirectory",
    "AsyncTextIOWrapper",
    "stderr",
    "stderr_bytes",
    "stdin",
    "stdin_bytes",
    "stdout",
    "stdout_bytes",
]
