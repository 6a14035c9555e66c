"""What is taken from aiofiles: file classes and standard streams. No other module imports it."""

from __future__ import annotations

from aiofiles.base import (  # noqa: TID251 - the module that wraps it
    AiofilesContextManager,
    AsyncBase,
    AsyncIndirectBase,
)
from aiofiles.tempfile import (  # noqa: TID251 - as above
    AiofilesContextManagerTempDir,
    temptypes,
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
    utils,
    wrap,
)
from aiofiles.threadpool.binary import (  # noqa: TID251 - as above
    AsyncBufferedIOBase,
    AsyncBufferedReader,
    AsyncFileIO,
    AsyncIndirectBufferedIOBase,
    AsyncIndirectBufferedReader,
    AsyncIndirectFileIO,
)
from aiofiles.threadpool.text import (  # noqa: TID251 - as above
    AsyncTextIndirectIOWrapper,
    AsyncTextIOWrapper,
)

__all__ = [
    "AiofilesContextManager",
    "AiofilesContextManagerTempDir",
    "AsyncBase",
    "AsyncBufferedIOBase",
    "AsyncBufferedReader",
    "AsyncFileIO",
    "AsyncIndirectBase",
    "AsyncIndirectBufferedIOBase",
    "AsyncIndirectBufferedReader",
    "AsyncIndirectFileIO",
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
    "temptypes",
    "utils",
    "wrap",
    "wrap_temporary",
]
