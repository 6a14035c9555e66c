"""Threads and two loops at once, with cancels at random."""

from __future__ import annotations

import pytest

CHAOS = """
import random
from fsworkers.graceful import aio
graceful.configure(max_open_files=10)
until_s = time.monotonic() + {seconds}
graceful.open(FILE).close()
before = open_count()
broken = []

def check():
    seen = graceful.statistics()
    if not 0 <= seen.lent <= seen.capacity:
        broken.append(seen)

def thread(number):
    while time.monotonic() < until_s:
        with graceful.open(FILE, "rb") as file:
            file.read()
            if random.random() < 0.1:
                with contextlib.suppress(graceful.DescriptorDeadlock), graceful.open(FILE):
                    pass
        if random.random() < 0.05:
            for permit in graceful.BUDGET.take_many(3):
                permit.give_back()
        check()

async def one():
    async with aio.open(FILE, "rb") as file:
        await file.read()
        if random.random() < 0.1:
            await aio.read_bytes(FILE)

async def loop():
    while time.monotonic() < until_s:
        tasks = [asyncio.ensure_future(one()) for _ in range(20)]
        await asyncio.sleep(random.random() * 0.005)
        for task in tasks:
            if random.random() < 0.5:
                task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if result is not None and not isinstance(
                result, asyncio.CancelledError | graceful.DescriptorDeadlock
            ):
                raise result
        check()

in_threads(
    lambda number: thread(number) if number < 6 else asyncio.run(loop()), 8, {seconds} + 20
)
wait_for(lambda: lent() == 0)
gc.collect()
assert not broken, broken[:3]
assert open_count() == before and graceful.statistics().waiting == 0
print(graceful.statistics())
"""


def test_threads_and_two_loops_with_random_cancels(limited) -> None:
    """The count lent stays within the capacity, and ends at nothing."""
    limited(CHAOS.format(seconds=1))


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_half_a_minute_of_it(limited) -> None:
    """The same for thirty seconds."""
    limited(CHAOS.format(seconds=30))
