"""How many workers are started while the command line still loads: as many as there is work for."""

from __future__ import annotations

import os
from itertools import islice

from fsworkers.cli import NEEDED_BY_WORKERS, NEEDED_FOR_COMMANDS
from fsworkers.errors import BadOption
from fsworkers.names import printable


def worker_count(text: str | None) -> int | None:
    """How many workers ``-j`` asks for: a number, a percentage of the processors, or more of them.

    Raises:
        BadOption: It says none of these.
    """
    if text is None:
        return None
    number = text.removeprefix("+").removesuffix("%")
    is_twofold = text.startswith("+") and text.endswith("%")
    if is_twofold or not (number.isascii() and number.isdigit()):
        message = f"-j: {text!r} is not a whole number, a percentage of the processors, or +N more"
        raise BadOption(printable(message))
    count = int(number)
    if text.endswith("%"):
        return count and max(1, _processors() * count // 100)
    return _processors() + count if text.startswith("+") else count


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def prespawn_for(paths: list[str], workers: int | None, *, has_command: bool) -> None:
    """Start one for each processor, where a first look says that there is more than one file."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    count = min(processors, processors if workers is None else workers)
    if count < 2 or not _are_many(paths):
        return
    from fsworkers.pool.master.prespawn import prespawn  # noqa: PLC0415  (loaded long since)

    prespawn(NEEDED_FOR_COMMANDS if has_command else NEEDED_BY_WORKERS, count)


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
