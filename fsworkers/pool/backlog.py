"""Where a worker's courier and its slots meet: jobs to run on one side, reports on the other.

Every operation of the per-job path is a single call on a ``deque`` or ``list``, which CPython does
atomically; the lock is only for a slot that has nothing to do.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fsworkers.pool.actions import Row
    from fsworkers.pool.functions import TaskFunction


Assignment: TypeAlias = "tuple[int, Any, TaskFunction]"
"""One job as a slot takes it: its id, its packed item, what to run."""


class Backlog:
    """The jobs that a worker has pulled and not started, and the reports not yet sent.

    ``jobs`` holds them in order; a ``None`` stands behind the last job of each block.

    Args:
        wake_courier: Called when reports should be flushed now: at the end of each block, and
            when there is nothing left to do.
    """

    def __init__(self, wake_courier: Callable[[], None]) -> None:
        self.finished: list[Row] = []
        self.running: dict[int, tuple[int, float]] = {}
        self.wake_courier = wake_courier
        self.wake_slots: Callable[[], None] | None = None
        self.jobs: deque[Assignment | None] = deque()
        self._has_work = threading.Condition()
        self._is_closed = False

    def put_block(self, assignments: Iterable[Assignment]) -> None:
        """Add a block's jobs; a mark behind them makes the courier flush."""
        with self._has_work:
            self.jobs.extend(assignments)
            self.jobs.append(None)
            self._has_work.notify_all()
        if self.wake_slots is not None:
            self.wake_slots()

    def take_nowait(self) -> Assignment | None:
        """Take the next job, or ``None`` if there is none now."""
        while True:
            try:
                assignment = self.jobs.popleft()
            except IndexError:
                return None
            if assignment is not None:
                return assignment
            self.wake_courier()

    def put_back(self, assignment: Assignment) -> None:
        """Return a job that was taken and not started; it is the next one again."""
        self.jobs.appendleft(assignment)

    def wait_for_job(self) -> bool:
        """Wait until there is a job; ``False`` once the backlog is closed and will stay empty."""
        with self._has_work:
            while not self.jobs:
                if self._is_closed:
                    return False
                self._has_work.wait()
        return True

    def give_back(self, count: int) -> list[int]:
        """Take up to ``count`` jobs out again, from the far end; their ids, oldest first."""
        ids: list[int] = []
        while len(ids) < count:
            try:
                assignment = self.jobs.pop()
            except IndexError:
                break
            if assignment is not None:
                ids.append(assignment[0])
        ids.reverse()
        if self.jobs:
            self.jobs.append(None)
        return ids

    def take_finished(self) -> list[Row]:
        """Take all reports that have not been sent."""
        count = len(self.finished)
        rows = self.finished[:count]
        del self.finished[:count]
        return rows

    def close(self) -> None:
        """Drop what has not been started; slots end when they have finished what they run."""
        with self._has_work:
            self._is_closed = True
            self.jobs.clear()
            self._has_work.notify_all()
        if self.wake_slots is not None:
            self.wake_slots()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self.jobs

    @property
    def is_closed(self) -> bool:
        """Whether no job will come any more."""
        return self._is_closed
