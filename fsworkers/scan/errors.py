"""What can be wrong with the PATHs of a run."""

from __future__ import annotations

import errno

from fsworkers.errors import FsworkersError
from fsworkers.names import printable

__all__ = ["IgnoreFileUnreadable", "NoRoomForList", "PathNotFound"]


class IgnoreFileUnreadable(FsworkersError, OSError):
    """A file of patterns that was named can't be read."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"--ignore-file {printable(path)}: {reason}; name a file of patterns as .gitignore's"
        )


class NoRoomForList(FsworkersError, OSError):
    """A list of files is long, and the disk for temporary files has no room to remember them."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"the paths of a long list can't be remembered: {reason}. Make room for temporary "
            "files (SQLITE_TMPDIR, TMPDIR), or give directories as PATHs."
        )


class PathNotFound(FsworkersError, FileNotFoundError):
    """A PATH that was asked for does not exist."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"no such file or directory: '{printable(path)}'. Check the spelling, "
            "and quote names that hold spaces or wildcards."
        )
        self.errno = errno.ENOENT
