"""How many files one call of a command may be given: the system's limits, computed. Pure.

Source: execve(2). Arguments and environment together, with a pointer for each string, may take a
quarter of the stack's limit, though 6 MiB at most whatever that is; one string 32 pages.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MOST_BYTES = 6 << 20
POINTER_BYTES = 8
ONE_STRING_BYTES = 32 * 4096

HEADROOM_BYTES = 8192
"""For the program's name, an interpreter's line in it, and what a worker's environment has more."""


def room_for_files(fixed: Sequence[bytes], environment: Mapping[bytes, bytes], limit: int) -> int:
    """Bytes that are left for the arguments that name files.

    Args:
        fixed: The other arguments.
        environment: What the command is given.
        limit: ``SC_ARG_MAX`` of sysconf(3); where the stack is unlimited it says nothing.
    """
    taken = sum(map(cost_of, fixed))
    taken += sum(len(name) + len(value) + 2 + POINTER_BYTES for name, value in environment.items())
    return min(limit, MOST_BYTES) - taken - HEADROOM_BYTES


def cost_of(argument: bytes) -> int:
    """What an argument takes of the room."""
    return len(argument) + 1 + POINTER_BYTES


def system_limit() -> int:
    """The system's limit."""
    return os.sysconf("SC_ARG_MAX")


def in_batches(
    found: Iterable[list[str]], room_bytes: int, most: int | None, extra_bytes: int
) -> Iterator[list[tuple[str, ...]]]:
    """Put paths into batches that fit one call each; an empty list ends a batch, and is passed on.

    Args:
        found: Lists of paths.
        room_bytes: What the arguments of one call may take.
        most: Files a call at most.
        extra_bytes: What an argument has beside the path.
    """
    batch: list[str] = []
    taken = 0
    extra_bytes += cost_of(b"")
    for paths in found:
        full: list[tuple[str, ...]] = []
        for path in paths:
            length = len(path) if path.isascii() else len(os.fsencode(path))
            cost = length + extra_bytes
            if batch and (taken + cost > room_bytes or len(batch) == most):
                full.append(tuple(batch))
                batch, taken = [], 0
            batch.append(path)
            taken += cost
        if batch and not paths:
            full.append(tuple(batch))
            batch, taken = [], 0
        if full:
            yield full
        if not paths:
            yield []
    if batch:
        yield [tuple(batch)]
