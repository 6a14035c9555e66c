"""All of it at once."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING

from fsworkers.stress.scenarios.deaths import die_of, poisonous
from fsworkers.stress.scenarios.directories import walk_chain
from fsworkers.stress.scenarios.holding import hold_one_want_another
from fsworkers.stress.scenarios.scenario import Faults, Scenario
from fsworkers.stress.scenarios.storms import read_in_loop
from fsworkers.stress.scenarios.third_party import use_library

if TYPE_CHECKING:
    from fsworkers.stress.records import Plan
    from fsworkers.stress.station import Station

MOST_OPS = 800
MOST_SLOTS = 64


class Everything(Scenario):
    """Storm, hold-and-wait, leaks, walks, libraries, a hog, kills, stops and poison at once."""

    name = "everything"
    proves = "all of the above at the same time"
    is_concurrent = True
    has_hog = True
    has_leaks = True
    # A reservation of four must remain possible beside the hog's quarter and the reserve.
    faults = Faults(kills=2, stops=1, every_s=1.5, squeezes=True, spares=0.6)

    def ops(self, plan: Plan) -> int:
        """A bounded number for a round."""
        return min(plan.files, MOST_OPS)

    def ops_per_job(self, plan: Plan) -> int:
        """One: only then does a death cost no more than what it interrupted."""
        return 1

    def slots(self, plan: Plan) -> int:
        """Each of them runs again by itself when its worker dies, so not a thousand."""
        return min(plan.concurrency, MOST_SLOTS)

    def batch_ops(self, plan: Plan) -> int:
        """As many at once as the pool runs."""
        return self.slots(plan)

    def poison(self, plan: Plan) -> frozenset[int]:
        """Two."""
        return poisonous(self.ops(plan), 2, plan.seed)

    async def run_one(self, station: Station, op: int) -> None:
        """One of the kinds, by turns."""
        if op in self.poison(station.brief.plan):
            die_of(station, op)
        kind = op % 8
        if kind == 4:
            await hold_one_want_another(station, op)
        elif kind == 5:
            await _leak(station, op)
        elif kind == 6:
            await asyncio.to_thread(use_library, station, op)
        elif kind == 7:
            await asyncio.to_thread(walk_chain, station, op)
        else:
            await read_in_loop(station, op)


async def _leak(station: Station, op: int) -> None:
    """Open a file in a thread and let go of it in a cycle."""
    board = station.board
    board.asked(op)
    begun = perf_counter()
    try:
        file = await asyncio.to_thread(station.kit.open, station.path(op))
        board.granted(op, perf_counter() - begun)
        cycle: list[object] = [file]
        cycle.append(cycle)
        board.ended(op, is_right=station.is_right(op, file.read()))
    except OSError as error:
        station.failed(op, error)
        raise
