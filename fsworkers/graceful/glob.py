"""``glob`` that is never silently short.

A folder that cannot be opened for want of a descriptor is waited for, and when that ends with an
error the caller gets it; the standard one takes the folder for empty.
"""

from __future__ import annotations

import glob as _glob
from typing import Any

from fsworkers.graceful.pairs import pair
from fsworkers.graceful.twins import twin
from fsworkers.graceful.unswallowed import let_through

_twin: Any = twin(_glob, __name__)
_listdir = _twin._listdir  # noqa: SLF001 - the twin is ours


def _list_gracefully(dirname: Any, dir_fd: int | None, dironly: bool) -> list[Any]:
    if dir_fd is None:
        return list(_listdir(dirname, dir_fd, dironly))
    # Opened by name and then listed by number. Without a name ``dir_fd`` itself would be listed,
    # and two threads at it would share one position: each would find a part.
    here = dirname or (b"." if isinstance(dirname, bytes) else ".")
    with pair():
        return list(_listdir(here, dir_fd, dironly))


_twin._listdir = _list_gracefully  # noqa: SLF001 - the twin is ours
_twin.iglob = let_through(_twin.iglob)

glob = _twin.glob
iglob = _twin.iglob
escape = _twin.escape
has_magic = _twin.has_magic


def __getattr__(name: str) -> Any:
    return getattr(_twin, name)
