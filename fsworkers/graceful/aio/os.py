"""``aio.os``: aiofiles' names with its signatures, and what it lacks.

Added: chmod, chown, fsync, fdatasync, lstat, truncate, utime, ``walk``, and a ``scandir`` that also
iterates asynchronously and holds nothing once it is read.
"""

from __future__ import annotations

import os as _os

from fsworkers.graceful import os as graceful_os
from fsworkers.graceful.aio import ospath as path
from fsworkers.graceful.aio.listing import scandir, walk
from fsworkers.graceful.aio.to_async import name_after, wrap, wrap_opening

__all__ = [
    "access",
    "chmod",
    "chown",
    "fsync",
    "getcwd",
    "link",
    "listdir",
    "lstat",
    "makedirs",
    "mkdir",
    "path",
    "readlink",
    "remove",
    "removedirs",
    "rename",
    "renames",
    "replace",
    "rmdir",
    "scandir",
    "stat",
    "statvfs",
    "symlink",
    "truncate",
    "unlink",
    "utime",
    "walk",
    "wrap",
]

access = wrap(_os.access)
chmod = wrap(_os.chmod)
chown = wrap(_os.chown)
fsync = wrap(_os.fsync)
getcwd = wrap(_os.getcwd)
link = wrap(_os.link)
listdir = wrap_opening(graceful_os.listdir)
lstat = wrap(_os.lstat)
makedirs = wrap(_os.makedirs)
mkdir = wrap(_os.mkdir)
readlink = wrap(_os.readlink)
remove = wrap(_os.remove)
removedirs = wrap(_os.removedirs)
rename = wrap(graceful_os.rename)
renames = wrap(_os.renames)
replace = wrap(graceful_os.replace)
rmdir = wrap(_os.rmdir)
stat = wrap(_os.stat)
statvfs = wrap(_os.statvfs)
symlink = wrap(_os.symlink)
truncate = wrap_opening(_os.truncate)
unlink = wrap(_os.unlink)
utime = wrap(_os.utime)

if hasattr(_os, "sendfile"):
    sendfile = wrap(_os.sendfile)
    __all__ += ["sendfile"]
if hasattr(_os, "fdatasync"):
    fdatasync = wrap(_os.fdatasync)
    __all__ += ["fdatasync"]


name_after(globals())
