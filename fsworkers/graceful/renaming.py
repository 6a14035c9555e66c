"""Renames that go on while somebody else holds the file: graceful-fs' rule for ``rename``.

Virus scanners and indexers, network shares (Windows-backed ones above all) and FUSE answer EACCES,
EPERM or EBUSY for a moment. On an ordinary file system EACCES and EPERM mean what they say, so they
are only tried again where waiting can help: when the caller may write both folders.
"""

from __future__ import annotations

import os as _os
from errno import EACCES, EBUSY, EPERM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PATIENCE_S = 2.0
"""How long a rename is tried again (graceful-fs: 60 s, which looks like a hang)."""


def rename_patiently(rename: Callable[..., None], source: Any, target: Any, **folders: Any) -> None:
    """Rename, trying again for a while when another process seems to hold the file."""
    try:
        rename(source, target, **folders)
    except OSError as error:
        if error.errno not in (EACCES, EPERM, EBUSY) or not _may_pass(source, target, folders):
            raise
    else:
        return
    # Loaded only now: it costs more than thousands of renames.
    from tenacity import (  # noqa: PLC0415
        Retrying,
        retry_if_exception,
        stop_after_delay,
        wait_random_exponential,
    )

    for attempt in Retrying(
        retry=retry_if_exception(_is_held),
        stop=stop_after_delay(PATIENCE_S),
        wait=wait_random_exponential(multiplier=0.01, max=0.1),
        reraise=True,
    ):
        with attempt:
            rename(source, target, **folders)


def _is_held(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in (EACCES, EPERM, EBUSY)


def _may_pass(source: Any, target: Any, folders: dict[str, Any]) -> bool:
    """Whether the rename is one that permissions allow, so that the refusal may pass."""
    if any(folder is not None for folder in folders.values()):
        return False
    return all(
        _os.access(_os.path.dirname(_os.path.abspath(path)), _os.W_OK | _os.X_OK)
        for path in (source, target)
    ) and not _os.path.isdir(target)
