"""Pressure comes and goes."""

from __future__ import annotations

import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prlimit(2) is Linux's")

PRESSURE = """
graceful.configure()
full = graceful.statistics().capacity
mine = graceful.open(FILE)
foreign = []
with contextlib.suppress(OSError):
    while True:
        foreign.append(os.open(FILE, os.O_RDONLY))
opening = threading.Thread(target=lambda: graceful.open(FILE).close())
opening.start()
wait_for(lambda: graceful.BUDGET.ledger.refused)
mine.close()
opening.join(5)
assert not opening.is_alive()
assert graceful.statistics().capacity < full, graceful.statistics()
for number in foreign: os.close(number)
"""


def test_a_process_that_was_idle_finds_its_capacity_again(limited) -> None:
    """Nobody asked for anything since the pressure went, and no thread was kept for it."""
    limited(
        PRESSURE
        + """
threads = threading.active_count()
wait_for(lambda: graceful.statistics().capacity == full, 2)
assert threading.active_count() == threads == 1
files = [graceful.open(FILE) for _ in range(full)]
seen = graceful.statistics()
assert (seen.lent, seen.refused_machine) == (full, 0), seen
for file in files: file.close()
""",
        hard=256,
    )


def test_an_open_after_an_idle_while_meets_the_whole_capacity(limited) -> None:
    """The time that passed counts, not the number of looks at it."""
    limited(
        PRESSURE
        + """
threading.Event().wait(1.0)
before = graceful.BUDGET.ledger.waits
files = [graceful.open(FILE) for _ in range(full)]
assert graceful.BUDGET.ledger.waits == before
assert graceful.BUDGET.ledger.capacity == full
for file in files: file.close()
""",
        hard=256,
    )
