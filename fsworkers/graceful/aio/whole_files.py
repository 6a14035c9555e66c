"""Whole files in one hop: open, read or write, and close on the thread, one wait for the task."""

from __future__ import annotations

import os as _os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from fsworkers.graceful import glob as graceful_glob
from fsworkers.graceful import shutil
from fsworkers.graceful.aio.offload import bring, name_after, wrap_opening
from fsworkers.graceful.budget import kernel
from fsworkers.graceful.opening import open_file
from fsworkers.graceful.opening.atomic_write import replace_content

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from fsworkers.graceful.budget.permits import HeldPermit

_READ = _os.O_RDONLY | getattr(_os, "O_CLOEXEC", 0)


async def read_bytes(path: Any, *, executor: Executor | None = None) -> bytes:
    """A whole file as bytes."""
    return await bring(partial(_read, path), path, executor=executor)


async def read_text(
    path: Any,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    *,
    executor: Executor | None = None,
) -> str:
    """A whole file as text; line ends as ``open`` translates them."""

    def read(lent: list[HeldPermit]) -> str:
        with open_file.open_with(lent, path, "r", -1, encoding, errors, newline) as file:
            return str(file.read())

    return await bring(read, path, executor=executor)


async def write_bytes(
    path: Any, data: Any, *, atomic: bool = False, executor: Executor | None = None
) -> int:
    """Write a whole file.

    Args:
        path: The file.
        data: Bytes, or what has their buffer.
        atomic: Write beside it, flush to disk and rename, so that readers and a crash find the old
            file or the new, never half of one. Its permissions stay, and its owner where this user
            may set it; a link is followed; what is no regular file is written to as it is.
        executor: Whose threads; ``None`` for ours.

    Returns:
        Bytes written.
    """
    write = partial(_write, path, "wb", data, atomic=atomic)
    return await bring(write, path, executor=executor)


async def write_text(
    path: Any,
    data: str,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    *,
    atomic: bool = False,
    executor: Executor | None = None,
) -> int:
    """Write a whole text file; ``atomic`` as in ``write_bytes``.

    Returns:
        Characters written.
    """
    options: dict[str, Any] = {"encoding": encoding, "errors": errors, "newline": newline}
    write = partial(_write, path, "w", data, atomic=atomic, **options)
    return await bring(write, path, executor=executor)


copy = wrap_opening(shutil.copy2, 2)
copytree = wrap_opening(shutil.copytree, 2)
rmtree = wrap_opening(shutil.rmtree, 2)
glob = wrap_opening(graceful_glob.glob)

name_after(globals())


def _read(path: Any, lent: list[HeldPermit]) -> bytes:
    fd = kernel.open_number(path, _READ)
    try:
        return _all_of(fd)
    except OSError as error:
        if error.filename is None:
            error.filename = _os.fspath(path)
        raise
    finally:
        # Interrupted, it is closed all the same (close(2)), and what was read is good.
        with suppress(InterruptedError):
            kernel.close(fd)
        lent.pop().give_back()


def _all_of(fd: int) -> bytes:
    # One more than the size tells the end of a regular file in one call.
    chunks = [_os.read(fd, min(_os.fstat(fd).st_size, 1 << 30) + 1)]
    while chunks[-1]:
        if len(chunks) == 1 and len(chunks[0]) == _os.fstat(fd).st_size:
            return chunks[0]
        chunks.append(_os.read(fd, 1 << 20))
    return b"".join(chunks)


def _write(
    path: Any, mode: str, data: Any, lent: list[HeldPermit], *, atomic: bool, **options: Any
) -> int:
    if atomic:
        return replace_content(lent, path, mode, data, **options)
    with open_file.open_with(lent, path, mode, **options) as file:
        return int(file.write(data))
