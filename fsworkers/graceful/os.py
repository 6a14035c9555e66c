"""``os`` with descriptors that wait their turn; all the rest is passed through as it is.

A number from here is closed with ``graceful.os.close``, or handed to ``graceful.open`` or
``fdopen`` and closed with that file. ``walk`` takes one descriptor at any depth, and never ends
early for want of one: the standard one takes EMFILE for an empty folder.
"""

from __future__ import annotations

import os as _os
from errno import EINVAL, ENOSYS, EPERM
from io import text_encoding

from fsworkers.graceful.opening import listing, numbers, open_file, rename_retry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


listdir, scandir, walk = listing.listdir, listing.scandir, listing.walk
rename, replace = rename_retry.rename, rename_retry.replace
close, closerange, dup2 = numbers.close, numbers.closerange, numbers.dup2
globals().update(numbers.NEW_NUMBERS)  # and those that this platform has to make new ones


def __getattr__(name: str) -> Any:
    return getattr(_os, name)


def __dir__() -> list[str]:
    return sorted({*dir(_os), *globals()})


def fdopen(
    fd: int,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    *args: Any,
    **kwargs: Any,
) -> Any:
    """``os.fdopen``: a file that takes over the number's permit."""
    if not isinstance(fd, int):
        raise TypeError(f"invalid fd type ({type(fd)}, expected integer)")
    if "b" not in mode:
        encoding = text_encoding(encoding)  # which warns of the caller's line, as the original does
    return open_file.open(fd, mode, buffering, encoding, *args, **kwargs)


def chown_forgivingly(path: Any, uid: int, gid: int, *, follow_symlinks: bool = True) -> bool:
    """``os.chown`` that is no failure for those who may not: graceful-fs' rule.

    Returns:
        Whether the owner is as asked for. ``False``: EPERM, EINVAL or ENOSYS, and not root.
    """
    try:
        _os.chown(path, uid, gid, follow_symlinks=follow_symlinks)
    except OSError as error:
        if _os.geteuid() != 0 and error.errno in _FORGIVEN:
            return False
        raise
    return True


_FORGIVEN = frozenset({EPERM, EINVAL, ENOSYS})

_OURS = "close closerange dup2 fdopen listdir rename replace scandir walk"
REPLACED = numbers.NEW_NUMBERS | {name: globals()[name] for name in _OURS.split()}
"""All that is ours, by the name it has in ``os``."""

CAPABILITIES = [f"supports_{what}" for what in ("dir_fd", "effective_ids", "fd", "follow_symlinks")]
"""The sets in ``os`` in which programs look up what a function can do on this platform."""


def _capability(name: str) -> set[Any]:
    able: set[Any] = getattr(_os, name)
    return able | {ours for known, ours in REPLACED.items() if getattr(_os, known) in able}


supports_dir_fd, supports_effective_ids, supports_fd, supports_follow_symlinks = map(
    _capability, CAPABILITIES
)
