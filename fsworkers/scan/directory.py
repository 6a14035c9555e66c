"""Reading one directory: the only module of the scan that takes a descriptor."""

from __future__ import annotations

from functools import partial
from itertools import islice
from os import scandir
from typing import TYPE_CHECKING

from fsworkers.graceful.opening.retry import give_back, run_with_permits

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["MOST_PATHS", "read_directory"]

#: Paths in one list of the scan at most: what is held of a directory of a million names.
MOST_PATHS = 4096


def read_directory(path: str) -> Iterator[list[os.DirEntry[str]]]:
    """Read a directory's entries, ``MOST_PATHS`` at a time, when they are asked for.

    It waits until a descriptor is free, as every file operation here does, and has closed the
    directory before the last list comes, so that only a large one is open meanwhile. The entries
    themselves are the system's, because a wrapper around each would double what a file costs.

    Raises:
        OSError: The directory cannot be opened, or its listing broke off: then what was met before
            has come as a list.
    """
    opened, lent = run_with_permits(partial(scandir, path), path)
    try:
        with opened as entries:
            while True:
                met: list[os.DirEntry[str]] = []
                try:
                    met.extend(islice(entries, MOST_PATHS))
                except OSError:
                    yield met  # a list that is extended keeps what came before the error
                    raise
                if len(met) < MOST_PATHS:
                    break
                yield met
    finally:
        give_back(lent)
    yield met
