"""What a thing in the file system is called when it is not a regular file, and why it failed."""

from __future__ import annotations

import os
import stat

from fsworkers.names import printable

__all__ = ["NOT_FOLLOWED", "error_reason", "link_error_reason", "special_kind"]

NOT_FOLLOWED = "symbolic link (--follow processes its target)"

_SPECIAL_KINDS = {
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}


def special_kind(mode: int) -> str:
    """Name a file type that is never opened; ``mode`` is that of ``os.stat``."""
    return _SPECIAL_KINDS.get(stat.S_IFMT(mode), "not a regular file")


def error_reason(error: Exception) -> str:
    """Put an error into an ``Entry``'s words, as a failed job would show it."""
    return f"{type(error).__name__}: {error}"


def link_error_reason(path: str, error: OSError) -> str:
    """Say why a link leads nowhere: the link exists, so "no such file" alone would mislead."""
    if not isinstance(error, FileNotFoundError):
        return error_reason(error)
    try:
        target = os.readlink(path)
    except OSError:
        return error_reason(error)
    return f"FileNotFoundError: dangling symbolic link to '{printable(target)}'"
