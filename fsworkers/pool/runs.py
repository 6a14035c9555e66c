"""What the master needs of a run, whichever kind it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsworkers.errors import FsworkersError
    from fsworkers.model import Job
    from fsworkers.pool.actions import Settled
    from fsworkers.pool.wire import Task


class Run(Protocol):
    """What the master needs of a run."""

    task: Task
    is_lasting: bool
    """Whether it goes on when it has nothing to do."""
    is_hungry: bool
    """Whether the master waits for jobs, so that new ones should wake it."""

    @property
    def has_more(self) -> bool:
        """Whether further jobs may come."""

    @property
    def is_over(self) -> bool:
        """Whether every job that came has been delivered, and no more will come."""

    def take_jobs(self, demand: int) -> list[Job]:
        """The jobs that should go to the dispatcher now, which can use ``demand`` at once."""

    def resize(self, block_jobs: int, result_bytes: float) -> None:
        """Learn how many jobs one further block for every lane has, and how large results are."""

    def deliver(self, settled: Sequence[Settled]) -> None:
        """Pass on what became of jobs."""

    def fail(self, error: FsworkersError) -> None:
        """End the run: none of its remaining jobs can be executed."""
