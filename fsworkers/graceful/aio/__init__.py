"""A drop-in for aiofiles: ``from fsworkers.graceful import aio as aiofiles``.

A coroutine waits for its permit in the event loop, never in the executor that also serves reads and
closes: taken inside it, waiting opens would fill the threads that the closes need.
"""

from __future__ import annotations

from fsworkers.graceful.aio.files import open  # noqa: A004 - the drop-in's name is aiofiles'

__all__ = ["open"]
