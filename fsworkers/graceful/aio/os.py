"""``aio.os``: aiofiles' names with its signatures, and what it lacks.

Added: chmod, chown, fsync, fdatasync, lstat, truncate, utime, ``walk``, and a ``scandir`` that also
iterates asynchronously and holds nothing once it is read.
"""

from __future__ import annotations

import os as _os

from fsworkers.graceful import os as graceful_os
from fsworkers.graceful.aio import listing, offload, ospath

path = ospath
scandir = listing.scandir
walk = listing.walk
wrap = offload.wrap

access = wrap(_os.access)
chmod = wrap(_os.chmod)
chown = wrap(_os.chown)
fsync = wrap(_os.fsync)
getcwd = wrap(_os.getcwd)
link = wrap(_os.link)
listdir = offload.wrap_opening(graceful_os.listdir)
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
truncate = offload.wrap_opening(_os.truncate)
unlink = wrap(_os.unlink)
utime = wrap(_os.utime)

for _name in ("fdatasync", "sendfile"):  # which not every platform has
    if hasattr(_os, _name):
        globals()[_name] = wrap(getattr(_os, _name))

offload.name_after(globals())
