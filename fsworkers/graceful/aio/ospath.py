"""``aio.os.path``: aiofiles' names, and those of ``os.path`` it lacks that look at the disk."""

from __future__ import annotations

from os import path

from fsworkers.graceful.aio.offload import name_after, wrap

abspath = wrap(path.abspath)
exists = wrap(path.exists)
getatime = wrap(path.getatime)
getctime = wrap(path.getctime)
getmtime = wrap(path.getmtime)
getsize = wrap(path.getsize)
isdir = wrap(path.isdir)
isfile = wrap(path.isfile)
islink = wrap(path.islink)
ismount = wrap(path.ismount)
lexists = wrap(path.lexists)
realpath = wrap(path.realpath)
samefile = wrap(path.samefile)
sameopenfile = wrap(path.sameopenfile)

name_after(globals())
