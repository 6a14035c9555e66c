"""Submitted calls, each with its future: the side of a pool that ``concurrent.futures`` knows."""

from __future__ import annotations

import pickle
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from fsworkers.errors import FsworkersError, RemoteError
from fsworkers.model import Job
from fsworkers.pool.payload import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from fsworkers.model import Outcome
    from fsworkers.pool.actions import Failure, Settled
    from fsworkers.pool.wire import Task


class CallRun:
    """Submitted calls: each job has a future, and leaves only when a worker can use it.

    Until then its future can be cancelled.
    """

    def __init__(self, task: Task, ids: Iterator[int], wake_master: Callable[[], None]) -> None:
        self.task = task
        self.is_lasting = True
        self.is_hungry = True
        self._ids = ids
        self._wake_master = wake_master
        self._lock = threading.Lock()
        self._inbox: deque[Job] = deque()
        self._futures: dict[int, Future[Any]] = {}

    # The caller's side

    def put(self, packed_call: Any, path: Any, future: Future[Any]) -> None:
        """Queue a call."""
        job = Job(next(self._ids), self.task.run, packed_call, path)
        with self._lock:
            self._futures[job.id] = future
            self._inbox.append(job)
        if self.is_hungry:
            self._wake_master()

    def cancel_waiting(self) -> None:
        """Cancel the futures of all calls that have not left."""
        with self._lock:
            waiting, self._inbox = self._inbox, deque()
            futures = [self._futures.pop(job.id) for job in waiting]
        for future in futures:
            if future.cancel():
                future.set_running_or_notify_cancel()

    # The master's side

    @property
    def has_more(self) -> bool:
        """Whether further jobs wait."""
        return bool(self._inbox)

    @property
    def is_over(self) -> bool:
        """Whether no call is waiting or running."""
        return not self._futures

    def take_jobs(self, demand: int) -> list[Job]:
        """Up to ``demand`` calls; their futures can't be cancelled any more."""
        jobs: list[Job] = []
        while self._inbox and len(jobs) < demand:
            with self._lock:
                job = self._inbox.popleft()
                future = self._futures[job.id]
            if future.set_running_or_notify_cancel():
                jobs.append(job)
            else:
                del self._futures[job.id]
        return jobs

    def resize(self, block_jobs: int, result_bytes: float) -> None:
        """Submitted calls have no window: the caller decides how many there are."""

    def deliver(self, settled: Sequence[Settled]) -> None:
        """Fulfil the futures."""
        for job, outcome, failure in settled:
            with self._lock:
                future = self._futures.pop(job.id, None)
            if future is not None:
                _fulfil(future, outcome, failure)

    def fail(self, error: FsworkersError) -> None:
        """Fail every future."""
        with self._lock:
            futures, self._futures = self._futures, {}
            self._inbox.clear()
        for future in futures.values():
            if not future.done():
                future.set_exception(error)


def _fulfil(future: Future[Any], outcome: Outcome, failure: Failure | None) -> None:
    if failure is not None:
        future.set_exception(exception_of(failure))
        return
    try:
        value = unpack(outcome.value)
    except Exception as error:  # noqa: BLE001  (a user's type raises anything; it is the result then)
        future.set_exception(error)
    else:
        future.set_result(value)


def exception_of(failure: Failure) -> BaseException:
    """The task's own exception with the remote traceback as its cause, else a ``RemoteError``."""
    remote = RemoteError(failure.error, failure.traceback or "")
    if failure.exception is None:
        return remote
    try:
        error: BaseException = unpack_exception(failure.exception)
    except Exception as unreadable:  # noqa: BLE001  (its text tells what happened all the same)
        remote.add_note(f"the exception itself can't be unpickled: {unreadable}")
        return remote
    error.__cause__ = remote
    return error


def unpack_exception(data: bytes) -> BaseException:
    """Unpickle an exception.

    Raises:
        TypeError: It is none.
        Exception: Whatever its own unpickling raises.
    """
    error = pickle.loads(data)
    if not isinstance(error, BaseException):
        raise TypeError(f"{error!r} is no exception")
    return error
