"""Two descriptors at once, for what holds a folder open while it opens what is in it.

Asked for one after the other, by many who each hold their first, they deadlock: thirty threads that
removed small trees with 16 descriptors were served from the reserve 800 times and took half a
minute.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any

from fsworkers.graceful.budget import BUDGET
from fsworkers.graceful.reservation import Reservation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def pair(label: object) -> AbstractContextManager[Any]:
    """A block with two descriptors; a budget that has but one lends what it can, when it can."""
    return Reservation(2, label=label) if BUDGET.ledger.ceiling > 1 else nullcontext()


def listing_with(original: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """How ``glob`` lists a folder, by whichever function it had for it."""

    @wraps(original)
    def listing(dirname: Any, dir_fd: int | None, dironly: bool) -> list[Any]:
        if dir_fd is None:
            return original(dirname, dir_fd, dironly)
        # Opened by name and then listed by number. Without a name ``dir_fd`` itself would be
        # listed, and two threads at it would share one position: each would find a part.
        here = dirname or (b"." if isinstance(dirname, bytes) else ".")
        with pair(here):
            if not dirname and not _is_searchable(here, dir_fd):
                here = dirname
            return original(here, dir_fd, dironly)

    return listing


def _is_searchable(here: Any, dir_fd: int) -> bool:
    """Whether what is in a folder can be reached by name, and not only be listed."""
    try:
        os.stat(here, dir_fd=dir_fd)
    except PermissionError:
        return False
    return True
