"""What the machine is at: its memory and its load."""

from __future__ import annotations

import os

from fsworkers.pool.room import Machine


def look_at_machine() -> Machine:
    """The machine at this moment. The load is that of now, which reacts at once, where it is told.

    Source:
        ``MemAvailable`` and ``procs_running`` in proc(5); GNU parallel counts the same for --load.
    """
    try:
        counts = _figures("/proc/stat")
        running = counts[b"procs_running"] - 1  # without us
        load: float = running + counts[b"procs_blocked"]
    except (OSError, KeyError):
        load = os.getloadavg()[0]
    return Machine(memory_bytes("MemAvailable"), load)


def memory_bytes(name: str) -> int:
    """A figure of /proc/meminfo; 0 where there is none of that name (it is Linux's)."""
    try:
        return 1024 * _figures("/proc/meminfo")[name.encode() + b":"]
    except (OSError, KeyError):
        return 0


def _figures(path: str) -> dict[bytes, int]:
    """The first number of each line by its name."""
    with open(path, "rb") as file:
        rows = [line.split(None, 2) for line in file]
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}
