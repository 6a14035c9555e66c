"""Whole files in one hop: open, read or write, and close on the thread, one wait for the task."""

from __future__ import annotations

import os as _os
from contextlib import suppress
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any, TypeVar

from fsworkers.graceful import glob as graceful_glob
from fsworkers.graceful import shutil, system
from fsworkers.graceful.aio import threads
from fsworkers.graceful.aio.wrapping import wrap_opening

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

Result = TypeVar("Result")

_READ = _os.O_RDONLY | getattr(_os, "O_CLOEXEC", 0)


async def read_bytes(path: Any, *, executor: Executor | None = None) -> bytes:
    """A whole file as bytes."""
    return await _in_one_hop(partial(_read, path), path, executor)


async def read_text(
    path: Any,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    *,
    executor: Executor | None = None,
) -> str:
    """A whole file as text; line ends as ``open`` translates them."""

    def read() -> str:
        with system.builtin_open(path, encoding=encoding, errors=errors, newline=newline) as file:
            return str(file.read())

    return await _in_one_hop(read, path, executor)


async def write_bytes(
    path: Any, data: Any, *, atomic: bool = False, executor: Executor | None = None
) -> int:
    """Write a whole file.

    Args:
        path: The file.
        data: Bytes, or what has their buffer.
        atomic: Write beside it, flush to disk and rename, so that readers and a crash find the old
            file or the new, never half of one. Its permissions stay; a link is followed.
        executor: Whose threads; ``None`` for ours.

    Returns:
        Bytes written.
    """
    return await _in_one_hop(partial(_write, path, "wb", data, atomic=atomic), path, executor)


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
    options = {"encoding": encoding, "errors": errors, "newline": newline}
    return await _in_one_hop(
        partial(_write, path, "w", data, atomic=atomic, **options), path, executor
    )


copy = wrap_opening(shutil.copy2, 2)
copytree = wrap_opening(shutil.copytree, 2)
rmtree = wrap_opening(shutil.rmtree, 3)
glob = wrap_opening(graceful_glob.glob)


async def _in_one_hop(
    function: Callable[[], Result], path: Any, executor: Executor | None
) -> Result:
    def action(lent: list[Any]) -> tuple[Result]:
        result = function()
        lent.pop().give_back()
        return (result,)

    return (await threads.bring(action, path, executor=executor))[0]


def _read(path: Any) -> bytes:
    fd = system.open_number(path, _READ)
    try:
        # One more than the size tells the end of a regular file in one call.
        chunks = [_os.read(fd, min(_os.fstat(fd).st_size, 1 << 30) + 1)]
        while chunks[-1]:
            if len(chunks) == 1 and len(chunks[0]) == _os.fstat(fd).st_size:
                return chunks[0]
            chunks.append(_os.read(fd, 1 << 20))
        return b"".join(chunks)
    finally:
        system.close(fd)


def _write(path: Any, mode: str, data: Any, *, atomic: bool, **options: Any) -> int:
    if not atomic:
        with system.builtin_open(path, mode, **options) as file:
            return int(file.write(data))
    target = _os.path.realpath(path)
    folder, name = _os.path.split(_os.fsdecode(target))
    beside = _os.path.join(folder, f".{name[:200]}.{token_hex(6)}")
    try:
        with system.builtin_open(beside, mode.replace("w", "x"), **options) as file:
            written = int(file.write(data))
            file.flush()
            _os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            _os.chmod(beside, _os.stat(target).st_mode & 0o7777)
        _os.replace(beside, target)
    except BaseException:
        with suppress(FileNotFoundError):
            _os.unlink(beside)
        raise
    return written
