"""What is taken from aiofiles: file classes and standard streams. No other module imports it."""

from __future__ import annotations

from aiofiles.base import (  # noqa: TID251 - the module that wraps it
    AiofilesContextManager,
    AsyncBase,
    AsyncIndirectBase,
)
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
    AsyncIndirectBufferedReader,
    AsyncIndirectFileIO,
)
from aiofiles.threadpool.text import (  # noqa: TID251 - as above
    AsyncTextIndirectIOWrapper,
    AsyncTextIOWrapper,
)
from aiofiles.threadpool.utils import (  # noqa: TID251 - as above
    cond_delegate_to_executor,
    delegate_to_executor,
    proxy_method_directly,
    proxy_property_directly,
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
    "cond_delegate_to_executor",
    "delegate_to_executor",
    "proxy_method_directly",
    "proxy_property_directly",
    "stderr",
    "stderr_bytes",
    "stdin",
    "stdin_bytes",
    "stdout",
    "stdout_bytes",
    "wrap",
    "wrap_temporary",
]
