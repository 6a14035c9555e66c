"""Submitted calls, each with its future: the side of a pool that ``concurrent.futures`` knows."""

from __future__ import annotations

import logging
import pickle
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from fsworkers.broken import error_of
from fsworkers.errors import FsworkersError, RemoteError
from fsworkers.pool.actions import Conclude, Record
from fsworkers.pool.blocks import FRESH, Block
from fsworkers.pool.map_call import BLOCK_BYTES
from fsworkers.pool.outcomes import done_items
from fsworkers.pool.payload import pack_packed, size_of, unpack, unpack_values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from fsworkers.model import Status
    from fsworkers.pool.failures import Failure
    from fsworkers.pool.wire import Task

LOGGER = logging.getLogger("fsworkers")


class Submission:
    """A submitted call: what is to be run, packed, and who waits for it."""

    __slots__ = ("future", "packed")

    def __init__(self, packed: Any, future: Future[Any]) -> None:
        self.packed = packed
        self.future = future

    def __reduce__(self) -> tuple[Callable[[Any], Any], tuple[Any]]:
        """To a worker goes what is to be run alone."""
        return unpack, (self.packed,)


class Submissions:
    """All submitted calls of a kind: each leaves only when a worker can use it.

    Until then its future can be cancelled.
    """

    def __init__(self, task: Task, wake: Callable[[], None]) -> None:
        self.task = task
        self.is_lasting = True
        self._wake = wake
        self._lock = threading.Lock()
        self._waiting: deque[Submission] = deque()
        self._unsettled = 0
        self._taken = 0
        self._failed_with: FsworkersError | None = None
        self._running: dict[int, Submission] = {}

    # The caller's side

    def put(self, packed: Any, future: Future[Any]) -> None:
        """Queue a call.

        Raises:
            FsworkersError: The pool has ended.
        """
        with self._lock:
            if self._failed_with is not None:
                raise self._failed_with
            self._unsettled += 1
            is_first = not self._waiting
            self._waiting.append(Submission(packed, future))
        if is_first:
            self._wake()

    def cancel_waiting(self) -> None:
        """Cancel the futures of all calls that have not left."""
        with self._lock:
            waiting, self._waiting = self._waiting, deque()
            self._unsettled -= len(waiting)
        for one in waiting:
            if one.future.cancel():
                one.future.set_running_or_notify_cancel()
        self._wake()

    # The master's side

    @property
    def ready(self) -> int:
        """How many calls wait."""
        return len(self._waiting)

    @property
    def left(self) -> int | None:
        """The same: what comes later is not waited for."""
        return len(self._waiting)

    @property
    def is_over(self) -> bool:
        """Whether no call is waiting or running."""
        return not self._unsettled

    def take(self, most: int) -> Block | None:
        """Up to ``most`` calls; their futures can't be cancelled any more."""
        with self._lock:
            waiting, size = self._waiting, 0
            taken: list[Submission] = []
            while waiting and len(taken) < most and size < BLOCK_BYTES:
                taken.append(waiting.popleft())
                size += size_of(taken[-1].packed)
        items = [one for one in taken if one.future.set_running_or_notify_cancel()]
        with self._lock:
            self._unsettled -= len(taken) - len(items)
            if not items:
                return None
            first = self._taken
            self._taken += len(items)
            self._running.update(enumerate(items, first))
        return Block(
            self.task.call, first, items, FRESH, pack_packed([one.packed for one in items])
        )

    def drain(self) -> Block | None:
        """Nothing: what waits is cancelled by ``cancel_waiting``."""

    def deliver(self, settled: Sequence[Record | Conclude]) -> None:
        """Fulfil the futures."""
        for one in settled:
            if isinstance(one, Record):
                submissions = done_items(one)
                for submission, value in zip(
                    submissions, unpack_values(one.columns[0]), strict=True
                ):
                    _tell(submission.future, value)
            else:
                submissions = one.block.items
                for submission in submissions:
                    _settle(
                        submission.future,
                        submission.future.set_exception,
                        exception_of(one.status, one.failure),
                    )
            with self._lock:
                self._unsettled -= len(submissions)
                first = one.answer.start if isinstance(one, Record) else one.block.first
                stop = one.answer.stop if isinstance(one, Record) else one.block.stop
                for index in range(first, stop):
                    known = self._running.get(index)
                    if known is not None and known.future.done():
                        del self._running[index]

    def fail(self, error: FsworkersError) -> None:
        """Fail every future, those to come too."""
        with self._lock:
            self._failed_with = error
            unsettled = [*self._running.values(), *self._waiting]
            self._running.clear()
            self._waiting.clear()
            self._unsettled = 0
        for one in unsettled:
            if not one.future.done():
                _settle(one.future, one.future.set_exception, error)


def _tell(future: Future[Any], value: Any) -> None:
    try:
        value = unpack(value)
    except BaseException as error:  # noqa: BLE001  (a user's type raises anything; it is the result)
        _settle(future, future.set_exception, error)
    else:
        _settle(future, future.set_result, value)


def _settle(future: Future[Any], settle: Callable[[Any], None], what: Any) -> None:
    try:
        if not future.done():
            settle(what)
    except BaseException:  # a done-callback may raise SystemExit, which must not end the pool
        LOGGER.exception("a callback of a future raised")


def exception_of(status: Status, failure: Failure) -> BaseException:
    """The task's own exception with the remote traceback as its cause, else one for the status."""
    if failure.exception is None:
        return error_of(status, failure.error, failure.traceback)
    remote = RemoteError(failure.error, failure.traceback or "")
    try:
        error: BaseException = unpack_exception(failure.exception)
    except BaseException as unreadable:  # noqa: BLE001  (its text tells what happened all the same)
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
