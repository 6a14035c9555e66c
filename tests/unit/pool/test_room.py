"""Whether there is room for more."""

from __future__ import annotations

from fsworkers.pool.master.machine import look_at_machine, memory_bytes
from fsworkers.pool.room import Machine, Room

BUSY = Machine(available_bytes=300 << 20, load=5)


def test_what_lacks_is_told() -> None:
    """With the figures; and nothing does where nothing is asked for, or there is enough."""
    assert Room().lack(BUSY) is None
    assert Room(300 << 20, 5).lack(BUSY) is None
    assert str(Room(memory_bytes=1 << 30).lack(BUSY)).startswith("300 MiB of memory")
    assert str(Room(load=4.5).lack(BUSY)).startswith("5 processes run")


def test_this_machine_has_memory_and_a_load() -> None:
    """What is available is part of what there is, where the system tells it."""
    machine = look_at_machine()
    assert machine.load >= 0
    assert 0 <= machine.available_bytes <= memory_bytes("MemTotal")
    assert memory_bytes("Nonsense") == 0
