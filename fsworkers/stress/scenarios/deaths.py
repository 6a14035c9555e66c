"""Workers die: killed and stopped from outside, or by the very file they work on."""

from __future__ import annotations

import os
import resource
import signal
from random import Random
from typing import TYPE_CHECKING

from fsworkers.stress.scenarios.scenario import Faults, Job, Scenario

if TYPE_CHECKING:
    from fsworkers.stress.records import Plan
    from fsworkers.stress.station import Station

MOST_OPS = 1200
HOLD_S = 0.003


class KillWorkers(Scenario):
    """Workers get SIGKILL and SIGSTOP at random while they work, one file a job."""

    name = "kill-workers"
    proves = "workers that are killed or stopped are replaced, and every file is done all the same"
    faults = Faults(kills=3, stops=1, every_s=0.4)

    def ops(self, plan: Plan) -> int:
        """Enough to be at work while the kills come."""
        return min(plan.files, MOST_OPS // 2 * plan.workers)

    def ops_per_job(self, plan: Plan) -> int:
        """One."""
        return 1

    def run(self, station: Station, job: Job) -> None:
        """Read a file, and hold it for a while."""
        station.read_and_hold(job[1], hold_s=HOLD_S)


class PoisonFile(Scenario):
    """Some files kill whoever touches them, as a file does that crashes a decoder."""

    name = "poison-file"
    proves = "a file that kills its worker is reported as crashed, and costs no other file anything"

    def ops(self, plan: Plan) -> int:
        """A quarter of the files."""
        return max(1, plan.files // 8)

    def ops_per_job(self, plan: Plan) -> int:
        """One."""
        return 1

    def poison(self, plan: Plan) -> frozenset[int]:
        """Three of them, by the seed."""
        return poisonous(self.ops(plan), 3, plan.seed)

    def run(self, station: Station, job: Job) -> None:
        """Read a file, or die of it."""
        op = job[1]
        if op in self.poison(station.brief.plan):
            die_of(station, op)
        station.read_and_hold(op, hold_s=0.0)


def poisonous(ops: int, most: int, seed: int) -> frozenset[int]:
    """Which operations kill their worker: at most ``most``, and never all."""
    return frozenset(Random(seed).sample(range(ops), min(most, ops - 1)))


def die_of(station: Station, op: int) -> None:
    """End this process as a crash in C code does, without leaving a core behind."""
    station.board.asked(op)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), signal.SIGSEGV)
