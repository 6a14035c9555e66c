"""Whether the machine has room for more work. Pure; ``master.machine`` looks at the machine."""

from __future__ import annotations

from typing import NamedTuple


class Machine(NamedTuple):
    """A machine at one moment.

    Attributes:
        available_bytes: Memory that programs can have without others being swapped out.
        load: Processes that run, or wait for a processor or a disk.
    """

    available_bytes: int
    load: float


class Room(NamedTuple):
    """What must be left for others; ``None`` where it does not matter.

    Attributes:
        memory_bytes: Memory that is to be available.
        load: So many processes may run.
    """

    memory_bytes: int | None = None
    load: float | None = None

    def lack(self, machine: Machine) -> str | None:
        """Why nothing new should be begun; ``None`` while there is room."""
        available, least, most = machine.available_bytes, self.memory_bytes, self.load
        if least is not None and available < least:
            return f"{_mib(available)} MiB of memory are available, less than {_mib(least)} MiB"
        if most is not None and machine.load > most:
            return f"{machine.load:g} processes run or wait to, more than {most:g}"
        return None


ANY_ROOM = Room()


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 20):,.0f}"
