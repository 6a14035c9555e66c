"""Hold and wait: everyone holds one descriptor and wants another."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING

from fsworkers.stress.scenarios.scenario import Scenario

if TYPE_CHECKING:
    from fsworkers.stress.records import Plan
    from fsworkers.stress.station import Station

MOST_OPS = 200
"""A jam is ended one holder at a time: many more would take long without proving more."""


class HoldAndWait(Scenario):
    """Each operation holds one file and wants another, all at once: a deadlock if nobody looks."""

    name = "hold-and-wait"
    proves = "when all who hold a descriptor wait for another, the knot is found and undone"
    is_concurrent = True

    def ops(self, plan: Plan) -> int:
        """A bounded number."""
        return min(plan.files, MOST_OPS)

    def ops_per_job(self, plan: Plan) -> int:
        """One: an operation that is turned away is run again by itself."""
        return 1

    def slots(self, plan: Plan) -> int:
        """All at once."""
        return plan.concurrency

    def batch_ops(self, plan: Plan) -> int:
        """An equal share for each worker."""
        return max(1, min(plan.concurrency, -(-self.ops(plan) // plan.workers)))

    async def run_one(self, station: Station, op: int) -> None:
        """Open one file, hold it, open the next one, read both."""
        await hold_one_want_another(station, op)


async def hold_one_want_another(station: Station, op: int) -> None:
    """Open one file, hold it, open the next one, read both.

    Raises:
        OSError: Either could not be opened.
    """
    board = station.board
    board.asked(op)
    begun = perf_counter()
    try:
        async with station.kit.open_async(station.path(op)) as first:
            board.granted(op, perf_counter() - begun)
            await asyncio.sleep(station.hold_s(op))
            async with station.kit.open_async(station.path(op + 1)) as second:
                is_right = station.is_right(op, await first.read())
                is_right &= station.is_right(op + 1, await second.read())
        board.ended(op, is_right=is_right)
    except OSError as error:
        station.failed(op, error)
        raise
