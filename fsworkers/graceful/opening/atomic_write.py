"""New content for a file in one step: readers and a crash find the old or the new, never half.

The new file is written beside the old one, flushed to disk and renamed over it. It takes over the
old one's permissions, and its owner and group as far as this user may give files away. What is no
regular file (a FIFO, a device, ``/dev/stdout``) has no content that could be replaced, and a file
without a name (``/dev/fd/3`` of a temporary one) has no name that could be taken over: it is
written to, as without all this.
"""

from __future__ import annotations

import os as _os
import stat
from contextlib import suppress
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from fsworkers.graceful.budget import kernel
from fsworkers.graceful.opening import open_file, rename_retry

if TYPE_CHECKING:
    from fsworkers.graceful.budget.permits import HeldPermit


def replace_content(lent: list[HeldPermit], path: Any, mode: str, data: Any, **options: Any) -> int:
    """Put data in the place of what a file holds; a link is followed.

    Args:
        lent: The permit for the one descriptor it takes.
        path: The file, which need not exist.
        mode: ``w`` or ``wb``.
        data: What ``write`` of such a file takes.
        options: Further arguments of ``open``.

    Returns:
        What ``write`` returned.
    """
    target = name = _os.fsdecode(path)
    old = None
    with suppress(FileNotFoundError):
        old = _os.stat(path)
    is_named = old is None or (stat.S_ISREG(old.st_mode) and old.st_nlink)
    if not is_named or not _os.path.basename(name):
        with open_file.open_with(lent, path, mode, **options) as file:
            return int(file.write(data))
    if _os.path.islink(name):
        target = _os.path.realpath(name)
    # Short, whatever the length of the name it stands in for.
    beside = _os.path.join(_os.path.dirname(target), f".{token_hex(8)}.part")

    def create(name: Any, flags: int) -> int:
        # Until it has the old permissions nobody else may look into it.
        return kernel.open_number(name, flags, 0o666 if old is None else 0o600)

    try:
        with open_file.open_with(
            lent, beside, mode.replace("w", "x"), opener=create, **options
        ) as file:
            written = int(file.write(data))
            file.flush()
            if old is not None:
                _take_over(file.fileno(), old)
            _os.fsync(file.fileno())
        rename_retry.replace(beside, target)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename == beside:
            error.filename = _os.fspath(path)
            if error.filename2 is not None:
                del error.filename2
        with suppress(OSError):  # what went wrong first is to be told
            _os.unlink(beside)
        raise
    return written


def _take_over(fd: int, old: _os.stat_result) -> None:
    """Give a new file the permissions of the old one, and its owner and group if that may be."""
    for uid in (old.st_uid, -1):
        with suppress(OSError):
            _os.fchown(fd, uid, old.st_gid)
            break
    new = _os.fstat(fd)
    mode = stat.S_IMODE(old.st_mode)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        # To run as its owner was the old owner's to allow.
        mode &= ~(stat.S_ISUID | stat.S_ISGID)
    _os.fchmod(fd, mode)
