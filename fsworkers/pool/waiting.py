"""The jobs that no lane holds: queued, waiting to run alone, or delayed. Pure.

A job is in one of the three at most. Those that must run alone (their worker died or hung with
them, or descriptors ran short) go one at a time to a lane that holds nothing else, so that blame is
certain.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from fsworkers.model import Job


def must_run_alone(job: Job) -> bool:
    """Whether something happened to the job that may have been its own fault."""
    return job.is_suspect or bool(job.deaths or job.starvations)


class WaitingJobs:
    """Three queues with one order of preference: alone first, then as they came.

    Attributes:
        queue: Jobs for any lane, the next one first.
        solo: Jobs that must run alone.
    """

    def __init__(self) -> None:
        self.queue: deque[Job] = deque()
        self.solo: deque[Job] = deque()
        self._delayed: list[tuple[float, int, Job]] = []

    def __len__(self) -> int:
        return len(self.queue) + len(self.solo) + len(self._delayed)

    def add(self, jobs: Iterable[Job]) -> None:
        """Queue jobs behind all others."""
        self.queue.extend(jobs)

    def put_first(self, jobs: Sequence[Job]) -> None:
        """Give jobs back their place before all others."""
        self.queue.extendleft(reversed(jobs))

    def put_alone(self, job: Job) -> None:
        """Let a job wait for a lane of its own."""
        self.solo.append(job)

    def delay(self, job: Job, until: float) -> None:
        """Hold a job back for a while; it takes no slot meanwhile."""
        heapq.heappush(self._delayed, (until, job.id, job))

    @property
    def next_release(self) -> float | None:
        """When the next delayed job is due."""
        return self._delayed[0][0] if self._delayed else None

    def release(self, now: float) -> None:
        """Queue the delayed jobs that are due."""
        while self._delayed and self._delayed[0][0] <= now:
            job = heapq.heappop(self._delayed)[2]
            (self.solo if must_run_alone(job) else self.queue).append(job)

    def take_block(self, size: int) -> list[Job]:
        """Take up to ``size`` jobs of one run from the head of a queue that is not empty."""
        queue = self.queue
        block = [queue.popleft()]
        run = block[0].run
        for _ in range(min(size - 1, len(queue))):
            if queue[0].run != run:
                break
            block.append(queue.popleft())
        return block

    def take_run(self, run: int) -> list[Job]:
        """Take all jobs of a run."""
        delayed = [entry[2] for entry in self._delayed if entry[2].run == run]
        taken = [job for queue in (self.queue, self.solo) for job in queue if job.run == run]
        self.queue = deque(job for job in self.queue if job.run != run)
        self.solo = deque(job for job in self.solo if job.run != run)
        self._delayed = [entry for entry in self._delayed if entry[2].run != run]
        heapq.heapify(self._delayed)
        return taken + delayed

    def take_ready(self, ids: Container[int]) -> list[Job]:
        """Take the jobs of these ids that are not delayed."""
        taken = [job for queue in (self.solo, self.queue) for job in queue if job.id in ids]
        if taken:
            self.solo = deque(job for job in self.solo if job.id not in ids)
            self.queue = deque(job for job in self.queue if job.id not in ids)
        return taken
