"""A drop-in for aiofiles: ``from fsworkers.graceful import aio as aiofiles``.

A coroutine waits for its permit in the event loop, never in the executor that also serves reads and
closes: taken inside it, waiting opens would fill the threads that the closes need.

Beyond aiofiles: whole files in one hop (``read_bytes``, ``read_text``, ``write_bytes``,
``write_text``), ``copy``, ``copytree``, ``rmtree``, ``glob``, and ``os.walk``.
"""

from __future__ import annotations

# First: while it is installed, loading asyncio calls for modules of ours.
import asyncio  # noqa: F401 - as said

from aiofiles.threadpool import (  # noqa: TID251 - wrapped here
    stderr,
    stderr_bytes,
    stdin,
    stdin_bytes,
    stdout,
    stdout_bytes,
)

from fsworkers.graceful.aio import os, ospath, tempfile, threadpool
from fsworkers.graceful.aio.threadpool import open  # noqa: A004 - the drop-in's name is aiofiles'
from fsworkers.graceful.aio.whole_files import (
    copy,
    copytree,
    glob,
    read_bytes,
    read_text,
    rmtree,
    write_bytes,
    write_text,
)
from fsworkers.graceful.budget import task_wait  # noqa: F401 - tells tasks apart from now on

__all__ = [
    "copy",
    "copytree",
    "glob",
    "open",
    "os",
    "ospath",
    "read_bytes",
    "read_text",
    "rmtree",
    "stderr",
    "stderr_bytes",
    "stdin",
    "stdin_bytes",
    "stdout",
    "stdout_bytes",
    "tempfile",
    "threadpool",
    "write_bytes",
    "write_text",
]
