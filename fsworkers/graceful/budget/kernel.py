"""What only some platforms can tell about descriptors; each answer is ``None`` where it cannot.

Linux has ``/proc``; macOS has ``/dev/fd`` for the process itself and ``sysctl`` for the machine.
"""

from __future__ import annotations

import os
import sys

# Taken before ``install`` can replace them: what measures must not wait for what it measures.
builtin_open = open
close = os.close
listdir = os.listdir
open_number = os.open
scandir = os.scandir

IS_LINUX = sys.platform == "linux"
_OWN_DESCRIPTORS = "/proc/self/fd" if IS_LINUX else "/dev/fd"


def open_numbers() -> list[int] | None:
    """The descriptor numbers open in this process, without the one the look itself takes.

    Source:
        proc_pid_fd(5); fd(4) on macOS.
    """
    try:
        names = listdir(_OWN_DESCRIPTORS)
    except OSError:
        return None
    # The directory being listed is among them: the one number that is closed again by now.
    return [number for number in map(int, names) if is_open(number)]


def is_open(number: int) -> bool:
    """Whether a descriptor number is open."""
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def numbers_open(limit: int) -> list[int]:
    """All open numbers, or only those below ``limit`` where all cannot be told."""
    numbers = open_numbers()
    if numbers is None:
        # No room even for a look, or no such directory: ask number by number, which needs none.
        return list(filter(is_open, range(limit)))
    return numbers


def count_open_below(limit: int) -> int:
    """How many descriptor numbers below ``limit`` are taken."""
    return sum(1 for number in numbers_open(limit) if number < limit)


def machine_files() -> tuple[int | None, int | None]:
    """Open files of the whole machine and the most it may have.

    Source:
        proc_sys_fs(5), file-nr.
    """
    if not IS_LINUX:
        return None, None
    try:
        with builtin_open("/proc/sys/fs/file-nr", "rb", buffering=0) as file:
            used, _unused, most = file.read(128).split()
    except (OSError, ValueError):
        return None, None
    return int(used), int(most)
