"""``shutil`` with descriptors that wait their turn; names not here are the standard ones.

A copy asks for its two descriptors at once. ``rmtree`` takes two at any depth and leaves nothing
behind for want of one, also with ``ignore_errors``.
"""

from __future__ import annotations

import shutil as _shutil
import sys
from functools import wraps
from typing import TYPE_CHECKING, Any

from fsworkers.graceful.budget.reservation import pair, reserve
from fsworkers.graceful.opening.error_passthrough import let_through, unswallowed
from fsworkers.graceful.opening.tree_removal import TreeRemoval
from fsworkers.graceful.rebound_modules import twin

if TYPE_CHECKING:
    from collections.abc import Callable

_twin: Any = twin(_shutil, __name__, keep=("_ARCHIVE_FORMATS", "_UNPACK_FORMATS"))


def copyfile_with(original: Callable[..., Any]) -> Callable[..., Any]:
    """A ``copyfile`` that asks for both its descriptors at once."""

    @wraps(original)
    def copyfile(*args: Any, **kwargs: Any) -> Any:
        with unswallowed(), reserve(2):
            return original(*args, **kwargs)

    return copyfile


copyfile = copyfile_with(_twin.copyfile)


def rmtree(
    path: Any,
    ignore_errors: bool = False,
    onerror: Any = None,
    *,
    onexc: Any = None,
    dir_fd: int | None = None,
) -> None:
    """``shutil.rmtree``, with two descriptors at any depth.

    Raises:
        GracefulError: A descriptor could not be had; never ignored.
    """

    def report(function: Any, name: Any, error: Exception) -> None:
        if ignore_errors:
            return
        if onexc is not None:
            onexc(function, name, error)
        elif onerror is not None:
            onerror(function, name, (type(error), error, error.__traceback__))
        else:
            raise error

    sys.audit("shutil.rmtree", path, dir_fd)
    with pair(path):
        TreeRemoval(report).remove(path, dir_fd)


rmtree.avoids_symlink_attacks = True  # type: ignore[attr-defined]  # as shutil's has it

# What its other functions call. The default of copytree and of move was bound before this.
_twin.copyfile = copyfile
_twin.rmtree = rmtree
_twin.copytree = let_through(_twin.copytree)


def __getattr__(name: str) -> Any:
    return getattr(_twin, name)


def __dir__() -> list[str]:
    return sorted({*dir(_shutil), *globals()})
