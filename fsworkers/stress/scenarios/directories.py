"""Directories: each being listed holds a descriptor, and ``os.walk`` hides when it fails."""

from __future__ import annotations

import os
from time import perf_counter
from typing import TYPE_CHECKING

from fsworkers.stress.scenarios.scenario import Job, Scenario
from fsworkers.stress.scenarios.storms import MOST_THREADS
from fsworkers.stress.tree import CHAIN_DEPTH, chain_of, names_of_chain

if TYPE_CHECKING:
    from fsworkers.stress.records import Plan
    from fsworkers.stress.station import Station


class ScandirStorm(Scenario):
    """Threads walk down deep trees at once, holding directories open as they list them."""

    name = "scandir-storm"
    is_threaded = True
    proves = "a walk finds every file, where os.walk takes a refused directory for an empty one"

    def ops(self, plan: Plan) -> int:
        """A tenth of the files: a walk opens eight directories."""
        return max(1, plan.files // 10)

    def ops_per_job(self, plan: Plan) -> int:
        """One walk."""
        return 1

    def slots(self, plan: Plan) -> int:
        """As many walks as a worker may have threads."""
        return min(plan.concurrency, MOST_THREADS)

    def batch_ops(self, plan: Plan) -> int:
        """As many for the ordinary side."""
        return self.slots(plan)

    def run(self, station: Station, job: Job) -> None:
        """One walk."""
        walk_chain(station, job[1])


def walk_chain(station: Station, op: int) -> None:
    """Walk down one deep chain; every other one with each directory held open for a moment.

    Raises:
        OSError: A directory could not be opened.
    """
    board = station.board
    board.asked(op)
    top = chain_of(station.brief.tree, op)
    try:
        found = _walked(station, top) if op % 2 else _held(station, top, op)
        board.ended(op, is_right=found == names_of_chain())
    except OSError as error:
        station.failed(op, error)
        raise


def _walked(station: Station, top: str) -> set[str]:
    return {
        os.path.relpath(os.path.join(folder, name), top)
        for folder, _, names in station.kit.walk(top)
        for name in names
    }


def _held(station: Station, top: str, op: int) -> set[str]:
    found = set()
    folder = top
    begun = perf_counter()
    for level in range(CHAIN_DEPTH):
        with station.kit.scandir(folder) as entries:
            if level == 0:
                station.board.granted(op, perf_counter() - begun)
            station.pause(op + level, factor=3)
            found |= {os.path.relpath(one.path, top) for one in entries if one.is_file()}
        folder = os.path.join(folder, "d")
    return found
