"""aiofiles' ``base``: what its files, and so ours, derive from."""

from __future__ import annotations

from fsworkers.graceful.aio.wrapped import AiofilesContextManager, AsyncBase, AsyncIndirectBase
from fsworkers.graceful.aio.wrapping import wrap

__all__ = ["AiofilesContextManager", "AsyncBase", "AsyncIndirectBase", "wrap"]
