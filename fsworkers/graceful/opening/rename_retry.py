"""Renames that go on while somebody else holds the file: graceful-fs' rule for ``rename``.

Virus scanners and indexers, network shares (Windows-backed ones above all) and FUSE answer EACCES,
EPERM or EBUSY for a moment.
"""

from __future__ import annotations

import os as _os
from errno import EACCES, EBUSY, EPERM
from functools import wraps
from threading import Event
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PATIENCE_S = 1.0
"""How long a rename is tried again: also one that will never be allowed, so it is short.

graceful-fs takes 60 s, which looks like a hang.
"""

_FIRST_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 0.1
_HELD = frozenset({EACCES, EPERM, EBUSY})


def rename_patiently(rename: Callable[..., None], source: Any, target: Any, **folders: Any) -> None:
    """Rename, trying again for ``PATIENCE_S`` while another process seems to hold the file."""
    until_s = monotonic() + PATIENCE_S
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return rename(source, target, **folders)
        except OSError as error:
            if error.errno not in _HELD or monotonic() >= until_s:
                raise
        Event().wait(pause_s)
        pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)


def _patient(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def call(src: Any, dst: Any, **folders: int | None) -> None:
        rename_patiently(original, src, dst, **folders)

    call.__module__ = __name__  # where it is found, and so pickled
    return call


rename, replace = _patient(_os.rename), _patient(_os.replace)
