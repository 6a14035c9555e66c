"""aiofiles' decorators, with which its classes hand their methods to threads."""

from __future__ import annotations

from fsworkers.graceful.aio.wrapped import (
    cond_delegate_to_executor,
    delegate_to_executor,
    proxy_method_directly,
    proxy_property_directly,
)

__all__ = [
    "cond_delegate_to_executor",
    "delegate_to_executor",
    "proxy_method_directly",
    "proxy_property_directly",
]
