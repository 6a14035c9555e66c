"""The engine for debugging: jobs run one after another in the calling thread of this process.

Breakpoints, profilers and ``print`` work as usual. A task that crashes takes the process with it,
and nothing can be timed out, so a ``timeout`` is refused.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from functools import partial
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any

from fsworkers.errors import BadSetting
from fsworkers.model import Outcome
from fsworkers.pool.fates import MAX_DEFERRALS
from fsworkers.pool.figures import PoolStatistics
from fsworkers.pool.functions import TaskFunction, attempt, is_coroutine_function
from fsworkers.pool.map_run import unpacked
from fsworkers.pool.retry import delay_s

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterable

    from fsworkers.model import Status
    from fsworkers.pool.settings import PoolSettings

BATCH_S = 0.05


class InlineEngine:
    """Runs jobs right here.

    Args:
        settings: ``retries`` counts; what concerns processes does not.

    Raises:
        BadSetting: A timeout is asked for.
    """

    worker_count = 1

    def __init__(self, settings: PoolSettings) -> None:
        if settings.timeout is not None:
            raise BadSetting("timeout", settings.timeout, "none with the inline engine")
        self._retries = settings.retries
        self._retry_on = settings.retry_on
        self._cancelled = threading.Event()
        self._retried = 0

    def batches(
        self,
        function: Callable[[str], Any],
        paths: Iterable[str],
        *,
        ordered: bool,  # noqa: ARG002  (they are in order always)
    ) -> Generator[list[Outcome]]:
        """Yield every path's outcome, in lists."""
        if is_coroutine_function(function):
            function = partial(_run_coroutine, function)
        is_measuring = getattr(function, "is_measuring", False)
        task = TaskFunction(
            function, False, 1, is_measuring, wants_size=True, retry_on=self._retry_on
        )
        batch: list[Outcome] = []
        hand_over_at = monotonic() + BATCH_S
        for number, path in enumerate(paths):
            batch.append(self._outcome(number, path, task))
            if monotonic() >= hand_over_at:
                yield batch
                batch = []
                hand_over_at = monotonic() + BATCH_S
            if self._cancelled.is_set():
                break
        yield batch

    def _outcome(self, number: int, path: str, task: TaskFunction) -> Outcome:
        attempts = 1
        retried = 0
        while True:
            row = attempt(number, path, task, perf_counter())
            _, value, failure, size, duration_s, mtime_ns = row
            if failure is None or self._cancelled.is_set():
                break
            if failure.retry_s is not None and attempts <= MAX_DEFERRALS:
                self._cancelled.wait(failure.retry_s)
            elif failure.is_transient and retried < (
                min(1, self._retries) if failure.is_dubious else self._retries
            ):
                retried += 1
                self._cancelled.wait(delay_s(retried))
            else:
                break
            attempts += 1
        self._retried += retried
        status: Status = "done"
        if failure is not None:
            status = "skipped" if failure.is_skip else "failed"
        error, text = (None, None) if failure is None else (failure.error, failure.traceback)
        outcome = Outcome(path, status, value, error, attempts, size, duration_s, 0, text, mtime_ns)
        return unpacked(outcome)

    def cancel(self) -> None:
        """Start nothing more."""
        self._cancelled.set()

    def abort(self) -> None:
        """Start nothing more; what runs is in the caller's own thread, and has ended."""
        self._cancelled.set()

    def statistics(self) -> PoolStatistics:
        """This process counts as the one worker."""
        return PoolStatistics(workers=1, retries=self._retried)

    def stop(self) -> None:
        """Nothing is left when the last outcome has been yielded."""

    def close(self) -> None:
        """Nothing is left when the last outcome has been yielded."""

    def kill(self) -> None:
        """Nothing runs beside the caller."""


def _run_coroutine(function: Callable[[str], Coroutine[Any, Any, Any]], path: str) -> Any:
    coroutine = function(path)
    if not inspect.iscoroutine(coroutine):
        message = f"{function!r} returned {type(coroutine).__name__}, no coroutine"
        raise TypeError(message)
    return asyncio.run(coroutine)
