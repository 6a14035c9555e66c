"""What is taken from aiofiles: file classes and standard streams. No other module imports it."""

from __future__ import annotations

from aiofiles.base import AiofilesContextManager  # noqa: TID251 - the module that wraps it
from aiofiles.tempfile import (  # noqa: TID251 - as above
    AiofilesContextManagerTempDir,
)
from aiofiles.tempfile import (  # type: ignore[attr-defined]  # noqa: TID251 - as above
    wrap as wrap_temporary,  # its types leave it out
)
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
    wrap,
)
from aiofiles.threadpool.binary import (  # noqa: TID251 - as above
    AsyncBufferedIOBase,
    AsyncBufferedReader,
    AsyncFileIO,
    AsyncIndirectBufferedIOBase,
)
from aiofiles.threadpool.text import (  # noqa: TID251 - as above
    AsyncTextIndirectIOWrapper,
    AsyncTextIOWrapper,
)

__all__ = [
    "AiofilesContextManager",
    "AiofilesContextManagerTempDir",
    "AsyncBufferedIOBase",
    "AsyncBufferedReader",
    "AsyncFileIO",
    "AsyncIndirectBufferedIOBase",
    "AsyncSpooledTemporaryFile",
    "AsyncTemporaryDirectory",
    "AsyncTextIOWrapper",
    "AsyncTextIndirectIOWrapper",
    "stderr",
    "stderr_bytes",
    "stdin",
    "stdin_bytes",
    "stdout",
    "stdout_bytes",
    "wrap",
    "wrap_temporary",
]
