"""What the master knows of one worker, and how large its next block should be. Pure."""

from __future__ import annotations

from math import ceil

import msgspec

from fsworkers.model import Job  # noqa: TC001  (a Struct keeps its annotations)

BLOCK_S = 0.05
"""A block is about this much work: long against a message (some 100 µs), short against a run."""

MAX_BLOCK_JOBS = 1024
"""More jobs in a message gain nothing: its fixed cost is below 1 % by then."""

STUCK_S = 0.02
"""A lane that has answered nothing for this long may be stuck behind a slow job."""


class Lane(msgspec.Struct, eq=False):
    """One worker as the dispatcher sees it.

    Attributes:
        number: Never used twice within a pool.
        slots: Jobs that the worker runs at one time.
        deadline: Until when it must report ready.
        held: The jobs it has been sent and has not answered for, oldest first.
        last_block_jobs: Size of the block that was sent last.
        learned_jobs: How many jobs ``job_s`` rests on.
        recall_from: When it may be asked again, after it had nothing to give back.
        job_s: Moving average of the seconds a job takes; ``None`` before the first result.
        sent_jobs: How many it has been given to run.
        rss_bytes: Memory of the worker, as it last reported.
        is_condemned: It is being killed.
        is_hung: It is being killed because it gave no sign of life.
        is_retiring: It gets no more jobs, and ends when it has none left.
        is_solo: It runs one job that must be alone (on probation, or starved of descriptors).
    """

    number: int
    slots: int
    deadline: float
    is_ready: bool = False
    is_condemned: bool = False
    is_hung: bool = False
    is_retiring: bool = False
    is_told_to_end: bool = False
    is_solo: bool = False
    is_recalling: bool = False
    held: dict[int, Job] = {}
    sent_jobs: int = 0
    rss_bytes: int = 0
    last_block_jobs: int = 0
    learned_jobs: int = 0
    job_s: float | None = None
    recall_from: float = 0.0
    last_heard: float = 0.0
    last_progress: float = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether it is there and has nothing to do."""
        return self.is_at_work and not self.held

    @property
    def is_at_work(self) -> bool:
        """Whether it takes jobs at all."""
        return self.is_ready and not self.is_condemned and not self.is_retiring

    @property
    def has_free_slot(self) -> bool:
        """Whether it could start a job at once."""
        return len(self.held) < self.slots

    @property
    def has_credit(self) -> bool:
        """Whether a block may be sent: it holds none, or only the one that was sent last.

        Two blocks are the credit of a lane, one running and one waiting. Workers answer in the
        order of arrival, so once no more jobs are unanswered than the last block had, every
        earlier block is finished. Free slots are credit as well.
        """
        return (
            self.is_at_work
            and not self.is_solo
            and not self.is_recalling
            and (len(self.held) <= self.last_block_jobs or self.has_free_slot)
        )

    @property
    def waiting_jobs(self) -> int:
        """How many of the jobs it holds can't have been started yet, at least."""
        return max(0, len(self.held) - self.slots)

    def next_block_jobs(self) -> int:
        """Size of the next block: ``BLOCK_S`` of work, as far as the average can be trusted.

        It is trusted for as many further jobs as it rests on, so blocks begin with one job and
        grow geometrically.
        """
        if self.job_s is None:
            return self.slots
        fitting = BLOCK_S * self.slots / max(self.job_s, 1e-9)
        return max(self.slots, int(min(fitting, 2 * self.learned_jobs, MAX_BLOCK_JOBS)))

    def learn(self, jobs: int, busy_s: float) -> None:
        """Take the time of ``jobs`` finished jobs, ``busy_s`` in all, into the average."""
        average_s = busy_s / jobs
        self.job_s = average_s if self.job_s is None else (self.job_s + average_s) / 2
        self.learned_jobs += jobs

    def is_worth_relieving(self, now: float) -> bool:
        """Whether its waiting jobs would wait so long that moving them pays."""
        if not self.waiting_jobs or self.is_recalling or self.is_solo or not self.is_at_work:
            return False
        if now < self.recall_from:
            return False
        expected_s = len(self.held) * (self.job_s or 0.0) / self.slots
        return expected_s > STUCK_S or now - self.last_progress >= STUCK_S


def tail_block_jobs(queued: int, lanes: int) -> int:
    """Size of a block when no more than the ``queued`` jobs will come, so that all end together."""
    return max(1, ceil(queued / (2 * lanes)))
