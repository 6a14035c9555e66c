"""A run over many items, as its caller sees it: items go in on one side, outcomes come out.

Items are drawn in a thread of the run's own, so that a slow source holds up no outcome, and only so
far ahead of the consumer as the run's window allows: that is what keeps memory flat and endless
input possible.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from fsworkers.errors import FsworkersError, PoolClosed, UnpicklableValue
from fsworkers.model import Job, Outcome
from fsworkers.pool.actions import Failure
from fsworkers.pool.payload import Packed, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from fsworkers.pool.actions import Settled
    from fsworkers.pool.runs import Run
    from fsworkers.pool.wire import Task

ORDERED_WINDOW_JOBS = 16_384
"""How far an ordered run may draw ahead while its next outcome is awaited (some 5 MB)."""

WINDOW_BYTES = 1 << 26
"""How much memory results may take that have not been consumed, by what they have taken so far."""


class MapRun:
    """One task over many items.

    Args:
        task: The task function, ready to travel.
        items: Drawn lazily, from a thread of this run.
        ids: Gives each job its id.
        is_ordered: Whether outcomes come in the order of the items.
        wake_master: Called when the master should look for new jobs.
        cancel_jobs: Called to have this run's waiting jobs dropped.
        abort_jobs: Called to have its running ones ended as well.
        owner: Kept alive as long as this run: the pool.
    """

    def __init__(
        self,
        task: Task,
        items: Iterable[Any],
        ids: Iterator[int],
        *,
        is_ordered: bool,
        wake_master: Callable[[], None],
        cancel_jobs: Callable[[Run], None],
        abort_jobs: Callable[[Run], None],
        owner: object,
    ) -> None:
        self.task = task
        self._owner = owner
        self.is_lasting = False
        self.is_hungry = True
        self._items = iter(items)
        self._ids = ids
        self._wake_master = wake_master
        self._cancel_jobs = cancel_jobs
        self._abort_jobs = abort_jobs
        self._lock = threading.RLock()  # bare: entering a Condition costs three times as much
        self._changed = threading.Condition(self._lock)
        self._inbox: deque[str | _Prepared] = deque()
        self._outbox: list[Outcome] = []
        self._order: deque[int] | None = deque() if is_ordered else None
        self._early: dict[int, Outcome] = {}
        self._window = 1
        self._room = 1
        self._taken = 0
        self._settled = 0
        self._consumed = 0
        self._is_drawing = True
        self._is_feeder_waiting = False
        self._is_cancelled = False
        self._has_failed = False
        self._has_ended = False
        self._error: BaseException | None = None

    # The caller's side

    def batches(
        self, wait_s: float | None = None, wait_until: float | None = None
    ) -> Generator[list[Outcome]]:
        """Yield outcomes as they arrive, in lists.

        Args:
            wait_s: Yield an empty list whenever none has arrived for so many seconds.
            wait_until: Yield an empty list if none has arrived by then (monotonic clock).

        Raises:
            FsworkersError: The run can't be finished.
            Exception: Whatever drawing the items raised, after the outcomes of those drawn.
        """
        if not (self._is_cancelled or self._has_failed):
            threading.Thread(target=self._draw, name="fsworkers-feeder", daemon=True).start()
            self._wake_master()
        try:
            while True:
                bound_s = wait_s if wait_until is None else max(0.0, wait_until - monotonic())
                batch = self._take_batch(bound_s)
                if batch is None:
                    break
                yield batch
        finally:
            if not self.is_over:
                self.cancel()
        if self._error is not None:
            raise self._error

    def cancel(self) -> None:
        """Draw no more; drop what waits. What runs is finished, and its outcomes delivered."""
        with self._changed:
            self._stop_drawing()
        self._cancel_jobs(self)

    def abort(self) -> None:
        """Draw no more; drop what waits, and end what runs: its outcomes are ``cancelled``."""
        with self._changed:
            self._stop_drawing()
        self._abort_jobs(self)

    def close(self) -> None:
        """Cancel it because its pool ends. Its iterator yields what is left, then raises."""
        if not self.is_over:
            self._error = self._error or PoolClosed("the pool was shut down before its input ended")
            self.cancel()

    @property
    def is_drawing(self) -> bool:
        """Whether there may be items that have not been drawn."""
        return self._is_drawing

    def _take_batch(self, wait_s: float | None) -> list[Outcome] | None:
        with self._changed:
            while not self._outbox and not self.is_over:
                if not self._changed.wait(wait_s):
                    break
            # No more than the consumer's part of the window: it has them all until it comes again.
            most = max(1, self._window // 4)
            batch, self._outbox = self._outbox[:most], self._outbox[most:]
            if not batch and self.is_over:
                return None
            self._consumed += len(batch)
            self._make_room()
        return batch

    # The feeder's side

    def _draw(self) -> None:
        inbox = self._inbox
        try:
            for item in self._items:
                inbox.append(item if type(item) is str else _Prepared(item))
                if self.is_hungry:
                    self._wake_master()
                if len(inbox) >= self._room and not self._wait_for_room():
                    break
        except BaseException as error:  # noqa: BLE001  (raised again in the consumer's thread)
            self._error = self._error or error
        with self._changed:
            self._is_drawing = False
            self._changed.notify_all()
        self._wake_master()

    def _wait_for_room(self) -> bool:
        """Wait until the window has room; ``False`` if the run is cancelled before."""
        with self._changed:
            self._is_feeder_waiting = True
            while len(self._inbox) >= self._room and not self._is_cancelled:
                self._changed.wait()
            self._is_feeder_waiting = False
            return not self._is_cancelled

    def _make_room(self) -> None:
        """Let the feeder draw on, once there is room for a good part of the window."""
        if not self._is_cancelled:
            self._room = max(0, self._window - (self._taken - self._consumed))
        if self._is_feeder_waiting and self._room - len(self._inbox) >= self._window // 4:
            self._changed.notify_all()

    # The master's side

    @property
    def has_more(self) -> bool:
        """Whether further jobs may come."""
        return not self._has_ended and (self._is_drawing or bool(self._inbox))

    @property
    def is_over(self) -> bool:
        """Whether every job that came has been delivered, and no more will come.

        Once it is, it stays so: an item that the feeder of a cancelled run was just drawing comes
        too late, and has not been found.
        """
        if not self._has_ended:
            is_all_settled = self._settled == self._taken and not self._inbox
            self._has_ended = self._has_failed or (not self._is_drawing and is_all_settled)
        return self._has_ended

    def take_jobs(self, demand: int) -> list[Job]:  # noqa: ARG002  (the window bounds them already)
        """All jobs that have been drawn since."""
        inbox, ids, run = self._inbox, self._ids, self.task.run
        items = [inbox.popleft() for _ in range(len(inbox))]
        if not items or self._has_ended or self._has_failed:
            return []
        jobs = [
            item.job(next(ids), run)
            if isinstance(item, _Prepared)
            else Job(next(ids), run, item, item)
            for item in items
        ]
        with self._changed:
            self._taken += len(jobs)
            self._make_room()
            if self._order is not None:
                self._order.extend(job.id for job in jobs)
        return [job for job in jobs if type(job.item) is not UnpicklableValue or self._refuse(job)]

    def _refuse(self, job: Job) -> bool:
        """Settle a job whose item can't travel; ``False``, because it is not to be run."""
        failure = Failure(f"UnpicklableValue: {job.item}")
        self.deliver([(job, Outcome(job.path, "failed", error=failure.error), failure)])
        return False

    def resize(self, block_jobs: int, result_bytes: float) -> None:
        """Set the window: two blocks in each lane, one queued, one with the consumer.

        It holds no more results than fit into ``WINDOW_BYTES``; larger ones flow one at a time.
        """
        window = max(4 * block_jobs, 0 if self._order is None else ORDERED_WINDOW_JOBS)
        window = max(1, min(window, int(WINDOW_BYTES / max(1.0, result_bytes))))
        if window != self._window:
            with self._changed:
                self._window = window
                self._make_room()

    def deliver(self, settled: Sequence[Settled]) -> None:
        """Pass on what became of jobs."""
        outcomes = [
            outcome if type(outcome.value) is not Packed else unpacked(outcome)
            for _, outcome, _ in settled
        ]
        with self._changed:
            self._settled += len(outcomes)
            if self._order is None:
                self._outbox += outcomes
            else:
                for (job, _, _), outcome in zip(settled, outcomes, strict=True):
                    self._put_out(job.id, outcome)
            self._changed.notify_all()

    def fail(self, error: FsworkersError) -> None:
        """End the run: none of its remaining jobs can be executed."""
        with self._changed:
            self._error = self._error or error
            self._has_failed = True
            self._stop_drawing()

    def _stop_drawing(self) -> None:
        """Let the feeder end at its next item; it may be waiting for one, so it is not awaited."""
        self._is_cancelled = True
        self._is_drawing = False
        self._room = 0
        self._changed.notify_all()

    def _put_out(self, job_id: int, outcome: Outcome) -> None:
        if self._order is None:
            self._outbox.append(outcome)
            return
        self._early[job_id] = outcome
        while self._order and self._order[0] in self._early:
            self._outbox.append(self._early.pop(self._order.popleft()))


class _Prepared:
    """An item that is no plain string: packed in the feeder's thread, and how it is shown."""

    __slots__ = ("packed", "path")

    def __init__(self, item: Any) -> None:
        self.path = show(item)
        try:
            self.packed = pack(item)
        except UnpicklableValue as error:
            self.packed = error

    def job(self, job_id: int, run: int) -> Job:
        """The job for it; its item is the error if it can't travel."""
        return Job(job_id, run, self.packed, self.path)


def unpacked(outcome: Outcome) -> Outcome:
    """The outcome with its value unpickled; ``failed`` if that can't be done here."""
    try:
        return replace(outcome, value=unpack(outcome.value))
    except Exception as error:  # noqa: BLE001  (a user's type raises anything)
        text = f"its result can't be unpickled here: {type(error).__name__}: {error}"
        return replace(outcome, status="failed", value=None, error=text)


def show(item: Any) -> Any:
    """An item as its outcome shows it: paths as ``str``, anything else as it is."""
    if isinstance(item, bytes):
        return os.fsdecode(item)
    return os.fspath(item) if isinstance(item, os.PathLike) else item
