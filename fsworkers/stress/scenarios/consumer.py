"""The caller takes its time over each result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsworkers.stress.scenarios.scenario import Job, Scenario

if TYPE_CHECKING:
    from fsworkers.stress.records import Plan
    from fsworkers.stress.station import Station

OPS_PER_WORKER = 250
HOLD_S = 0.004
CONSUME_S = 0.005


class SlowConsumer(Scenario):
    """Results are taken more slowly than they come: what is drawn ahead must stay bounded."""

    name = "slow-consumer"
    proves = "a slow consumer slows the pool down; input is drawn a little ahead, not all at once"

    def ops(self, plan: Plan) -> int:
        """As many for each worker."""
        return OPS_PER_WORKER * plan.workers

    def ops_per_job(self, plan: Plan) -> int:
        """One."""
        return 1

    def consume_s(self, plan: Plan) -> float:
        """Longer than the workers take for one."""
        return CONSUME_S / plan.workers

    def run(self, station: Station, job: Job) -> None:
        """Read a file."""
        station.read_and_hold(job[1], hold_s=HOLD_S)
