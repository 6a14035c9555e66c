"""Room on the disk: looked at before anything is made, and when it runs out after all."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC
from typing import TYPE_CHECKING

from fsworkers.stress.errors import NoSpace

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_room(folder: str, what: str, needed_bytes: int, inodes: int = 0) -> None:
    """Refuse what will not fit.

    Args:
        folder: Where it is to go.
        what: What it is, as the error says it.
        needed_bytes: How large it is.
        inodes: How many files and directories it has.

    Raises:
        NoSpace: Bytes or inodes would not do.
    """
    there = os.statvfs(folder)
    free_bytes = there.f_bavail * there.f_frsize
    if needed_bytes > free_bytes:
        raise NoSpace(folder, f"{needed_bytes >> 20:,} MiB", f"{free_bytes >> 20:,} MiB", what)
    if there.f_files and inodes > there.f_favail:
        raise NoSpace(folder, f"{inodes:,} inodes", f"{there.f_favail:,}", what)


@contextmanager
def full_disk_told(folder: str) -> Iterator[None]:
    """Say it in our words when a disk fills up although there was room before.

    Raises:
        NoSpace: It did.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in {ENOSPC, EDQUOT} or isinstance(error, NoSpace):
            raise
        free = f"only {shutil.disk_usage(folder).free >> 20:,} MiB"
        raise NoSpace(folder, "more", free, "the run") from error
