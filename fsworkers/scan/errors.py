"""What can be wrong with the PATHs of a run before it starts."""

from __future__ import annotations

import errno

from fsworkers.errors import FsworkersError
from fsworkers.names import printable

__all__ = ["PathNotFound"]


class PathNotFound(FsworkersError, FileNotFoundError):
    """A PATH that was asked for does not exist."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"no such file or directory: '{printable(path)}'. Check the spelling, "
            "and quote names that hold spaces or wildcards."
        )
        self.errno = errno.ENOENT
