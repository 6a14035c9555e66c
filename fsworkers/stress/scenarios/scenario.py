"""What a scenario is: a load, how it is cut into jobs, and what is done to it meanwhile.

The load is one piece of code for both sides. It is handed a ``Station``, which opens files the
side's own way.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from fsworkers.stress.station import station_of

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from fsworkers.stress.records import Brief, Plan
    from fsworkers.stress.station import Station

Job: TypeAlias = tuple[int, int, int]
"""Number of the job, its first operation, how many operations it has."""


class Faults(msgspec.Struct, frozen=True):
    """What is done to a side from outside.

    Attributes:
        kills: Workers to kill by SIGKILL.
        stops: Workers to stop by SIGSTOP.
        every_s: Time between two of them; in a longer run they go on in this rhythm.
        squeezes: Whether the workers' soft limit is lowered for moments, below what is open.
        spares: The share of the limit that this leaves beside what a worker has of its own.
        injects: Whether ENFILE is injected, where strace can.
        must_refuse: Whether our side goes on until the kernel has refused something.
    """

    kills: int = 0
    stops: int = 0
    every_s: float = 0.8
    squeezes: bool = False
    spares: float = 0.0
    injects: bool = False
    must_refuse: bool = False


class Scenario:
    """A load and what it proves. Subclasses say how much, and do one job.

    Attributes:
        name: As ``--scenario`` takes it.
        proves: What holds if it is passed.
        is_concurrent: Jobs are coroutines of one operation each that the pool runs side by side.
        is_threaded: The same with threads. If neither, a job is a batch that makes its own
            coroutines and threads, or runs alone.
        has_leaks: Files are left to the garbage collector, so it is run when a round is over.
        has_hog: Other code takes and frees descriptors in the workers.
        retries: How often the pool tries a failed job again.
    """

    name = ""
    proves = ""
    is_concurrent = False
    is_threaded = False
    has_leaks = False
    has_hog = False
    retries = 0
    faults = Faults()

    def ops(self, plan: Plan) -> int:
        """How many operations a round has."""
        raise NotImplementedError

    def ops_per_job(self, plan: Plan) -> int:
        """How many operations a job has."""
        raise NotImplementedError

    def slots(self, plan: Plan) -> int | None:
        """How many jobs a worker of the pool runs at one time; ``None`` for the pool's default."""
        return None

    def poison(self, plan: Plan) -> frozenset[int]:
        """The operations that kill their worker."""
        return frozenset()

    def jobs(self, plan: Plan) -> Iterator[Job]:
        """The jobs of a round, in order."""
        ops, size = self.ops(plan), self.ops_per_job(plan)
        for number, first in enumerate(range(0, ops, size)):
            yield number, first, min(size, ops - first)

    def job_count(self, plan: Plan) -> int:
        """How many jobs a round has."""
        return -(-self.ops(plan) // self.ops_per_job(plan))

    def batch_ops(self, plan: Plan) -> int:
        """How many operations the ordinary side hands to a worker at one time."""
        return self.ops_per_job(plan)

    def consume_s(self, plan: Plan) -> float:
        """How long the caller takes over each outcome."""
        return 0.0

    def run(self, station: Station, job: Job) -> None:
        """Do a job on this thread; for loads that are not concurrent."""
        raise NotImplementedError

    async def run_one(self, station: Station, op: int) -> None:
        """Do one operation in the event loop; for concurrent loads."""
        raise NotImplementedError


class Load:
    """What travels to the workers: a scenario's work with all it needs to know.

    Args:
        scenario: The scenario.
        brief: What the side was told.
    """

    def __init__(self, scenario: Scenario, brief: Brief) -> None:
        self.scenario = scenario
        self.brief = brief

    def station(self) -> Station:
        """This worker's station."""
        plan = self.brief.plan
        return station_of(
            self.brief,
            self.scenario.ops(plan),
            self.scenario.job_count(plan),
            has_hog=self.scenario.has_hog,
            has_leaks=self.scenario.has_leaks,
        )

    def __call__(self, job: Job) -> dict[str, int]:
        """Do a whole job; what its operations failed with, and how often."""
        station = self.station()
        with station.job():
            self.scenario.run(station, job)
        return station.take_errors()


class ConcurrentLoad(Load):
    """The same for jobs that the pool runs side by side in one event loop."""

    async def __call__(self, job: Job) -> dict[str, int]:  # type: ignore[override]  # a coroutine
        """Do a job of one operation."""
        station = self.station()
        with station.job():
            await self.scenario.run_one(station, job[1])
        return station.take_errors()


class OrdinaryBatch(Load):
    """Operations at once as one writes them without a pool that does it: gathered, in threads."""

    def __call__(self, job: Job) -> dict[str, int]:
        """Do many operations at once; none ends the others."""
        station = self.station()
        _, first, count = job
        ops = range(first, first + count)
        if self.scenario.is_concurrent:
            asyncio.run(gathered([self.scenario.run_one(station, op) for op in ops]))
        else:
            with ThreadPoolExecutor(count) as threads:
                for op in ops:
                    threads.submit(self.scenario.run, station, (op, op, 1))
        return station.take_errors()


async def gathered(coroutines: list[Coroutine[Any, Any, None]]) -> None:
    """Run coroutines at once until all have ended; the board knows how."""
    await asyncio.gather(*coroutines, return_exceptions=True)
