"""Reading one directory: the only module of the scan that takes a descriptor.

A path of more than ``PATH_MAX`` bytes cannot be handed to the kernel, but the directory exists
and its files count. It is reached in steps relative to an open directory, as ``openat(2)`` allows,
two descriptors at a time.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from functools import partial
from os import scandir
from typing import TYPE_CHECKING, NamedTuple

from fsworkers.graceful.pressure import give_back, persist

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import _ScandirIterator as ScandirIterator

__all__ = ["opened_directory"]

# Linux limits.h and macOS sys/syslimits.h, less the longest name and two slashes, so that a name
# found in the directory can still be looked up under the directory's path.
_LONGEST_PATH_BYTES = (1024 if sys.platform == "darwin" else 4096) - 257
# A character is four bytes at most: shorter ones need no counting.
_SURELY_SHORT_CHARACTERS = _LONGEST_PATH_BYTES // 4
_STEP_FLAGS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def opened_directory(path: str) -> Iterator[Iterator[os.DirEntry[str]]]:
    """Open a directory and give its entries, read from the kernel as they are drawn.

    It waits until a descriptor is free, as every file operation here does; the entries themselves
    are the system's, because a wrapper around each would double what a file costs.

    Only ``name`` and the questions to an entry may be used: its ``path`` is the bare name where
    the directory's own path is too long. One descriptor is held, two for such a path.

    Raises:
        OSError: The directory cannot be opened; drawing entries may raise it too.
    """
    if len(path) <= _SURELY_SHORT_CHARACTERS or len(os.fsencode(path)) <= _LONGEST_PATH_BYTES:
        near, lent = persist(partial(scandir, path), path)
        try:
            with near as entries:
                yield entries
        finally:
            give_back(lent)
        return
    far, lent = persist(partial(_read_in_steps, path), path, 2)
    try:
        with far.entries as entries:
            yield entries
    finally:
        os.close(far.descriptor)
        give_back(lent)


class _Far(NamedTuple):
    """A directory that no path reaches: its entries ask relative to its descriptor."""

    descriptor: int
    entries: ScandirIterator[str]


def _read_in_steps(path: str) -> _Far:
    descriptor = _open_in_steps(path)
    try:
        return _Far(descriptor, scandir(descriptor))
    except BaseException:
        os.close(descriptor)
        raise


def _open_in_steps(path: str) -> int:
    """Open a directory by way of its ancestors, each released when the next is open."""
    rest = os.fsencode(path)
    held: int | None = None
    try:
        while len(rest) > _LONGEST_PATH_BYTES:
            cut = rest.rindex(b"/", 0, _LONGEST_PATH_BYTES)
            following = os.open(rest[: cut + 1], _STEP_FLAGS, dir_fd=held)
            if held is not None:
                os.close(held)
            held, rest = following, rest[cut + 1 :].lstrip(b"/")
        return os.open(rest or b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=held)
    finally:
        if held is not None:
            os.close(held)
