"""aiofiles' classes of what is temporary, other than plain files."""

from __future__ import annotations

from fsworkers.graceful.aio.wrapped import (
    AsyncBase,
    AsyncSpooledTemporaryFile,
    AsyncTemporaryDirectory,
    cond_delegate_to_executor,
    delegate_to_executor,
    proxy_property_directly,
)

__all__ = [
    "AsyncBase",
    "AsyncSpooledTemporaryFile",
    "AsyncTemporaryDirectory",
    "cond_delegate_to_executor",
    "delegate_to_executor",
    "proxy_property_directly",
]
