"""How many workers are started while the command line still loads: as many as there is work for."""

from __future__ import annotations

import os
from itertools import islice

from fsworkers.cli import NEEDED_BY_WORKERS


def prespawn_for(paths: list[str], workers: int | None) -> None:
    """Start one for each processor, where a first look says that there is more than one file."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    count = min(processors, processors if workers is None else workers)
    if count < 2 or not _are_many(paths):
        return
    from fsworkers.pool.master.prespawn import prespawn  # noqa: PLC0415  (loaded long since)

    prespawn(NEEDED_BY_WORKERS, count)


def _are_many(paths: list[str]) -> bool:
    """Whether there are several PATHs, or a directory with several entries, or one further down."""
    if len(paths) != 1:
        return bool(paths)
    try:
        with os.scandir(paths[0]) as entries:
            first = list(islice(entries, 2))
            return len(first) > 1 or any(one.is_dir(follow_symlinks=False) for one in first)
    except (OSError, ValueError):
        return False  # a file; or what will be said later
