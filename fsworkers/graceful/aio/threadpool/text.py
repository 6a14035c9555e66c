"""aiofiles' classes of text files."""

from __future__ import annotations

from fsworkers.graceful.aio.wrapped import (
    AsyncBase,
    AsyncIndirectBase,
    AsyncTextIndirectIOWrapper,
    AsyncTextIOWrapper,
)

__all__ = ["AsyncBase", "AsyncIndirectBase", "AsyncTextIOWrapper", "AsyncTextIndirectIOWrapper"]
