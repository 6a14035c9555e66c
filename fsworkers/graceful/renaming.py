"""Renames that go on while somebody else holds the file: graceful-fs' rule for ``rename``.

Virus scanners and indexers, network shares (Windows-backed ones above all) and FUSE answer EACCES,
EPERM or EBUSY for a moment. On an ordinary file system EACCES and EPERM mean what they say, so they
are only tried again where waiting can help: when the caller may do what the refusal denies.
"""

from __future__ import annotations

import os as _os
import stat
from errno import EACCES, EBUSY, EPERM
from threading import Event
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PATIENCE_S = 2.0
"""How long a rename is tried again (graceful-fs: 60 s, which looks like a hang)."""

_FIRST_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 0.1
_HELD = frozenset({EACCES, EPERM, EBUSY})


def rename_patiently(rename: Callable[..., None], source: Any, target: Any, **folders: Any) -> None:
    """Rename, trying again for a while when another process seems to hold the file."""
    until_s = pause_s = 0.0
    while True:
        try:
            rename(source, target, **folders)
        except OSError as error:
            if error.errno not in _HELD:
                raise
            if not until_s:
                if not _may_pass(source, target, folders):
                    raise
                until_s = monotonic() + PATIENCE_S
            elif monotonic() >= until_s:
                raise
        else:
            return
        # Not tenacity's wait: loading that opens files, and there may be no descriptor for them.
        pause_s = min(_LONGEST_PAUSE_S, pause_s * 2 or _FIRST_PAUSE_S)
        Event().wait(pause_s * (0.5 + _os.urandom(1)[0] / 510))


def _may_pass(source: Any, target: Any, folders: dict[str, Any]) -> bool:
    """Whether the rename is one that permissions allow, so that the refusal may pass."""
    if any(folder is not None for folder in folders.values()):
        return False
    if _os.fsdecode(source).rstrip(_os.sep).rpartition(_os.sep)[2] in (".", ".."):
        return False  # nothing can be renamed from there
    try:
        if _os.path.isdir(target) or _os.path.ismount(source) or _os.path.ismount(target):
            return False
        if _os.path.isdir(source) and not _os.path.islink(source) and not _may_write(source):
            return False  # its ``..`` is rewritten
        return all(_may_take_from(_os.path.abspath(path)) for path in (source, target))
    except OSError:
        return False


def _may_take_from(path: Any) -> bool:
    """Whether this user may take a file out of its folder, or put one there."""
    folder = _os.path.dirname(path)
    if not _may_write(folder):
        return False
    found = _os.stat(folder)
    if not found.st_mode & stat.S_ISVTX or _os.geteuid() in (0, found.st_uid):
        return True
    # In a sticky folder only the owners may, as in /tmp.
    try:
        return _os.lstat(path).st_uid == _os.geteuid()
    except FileNotFoundError:
        return True


def _may_write(folder: Any) -> bool:
    # The effective user's permissions are what the kernel looks at.
    is_effective = _os.access in _os.supports_effective_ids
    return _os.access(folder, _os.W_OK | _os.X_OK, effective_ids=is_effective)
