"""Items that run side by side in one worker: in threads, or as coroutines in an event loop.

An item is taken only while there is a free slot, so at the threshold pulling stops, and goes on as
soon as one ends. Items end in any order; answers are made of those that are consecutive.
"""

from __future__ import annotations

import threading
from time import perf_counter
from typing import TYPE_CHECKING, Any

from fsworkers.names import is_url
from fsworkers.pool.attempt import describe, leave_if_forked, measure
from fsworkers.pool.failures import Failure
from fsworkers.pool.payload import pack, size_of, unpack
from fsworkers.pool.run_block import LARGE_BYTES, Finished, spans_of
from fsworkers.pool.wire import Failed

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from fsworkers.pool.run_block import BlockRun, Span
    from fsworkers.pool.task_function import TaskFunction
    from fsworkers.pool.worker.line import Line

FLUSH_S = 0.005
"""How long a finished item waits for others to be answered for along with it."""


class Attempt:
    """An item that runs, or has ended: what it came to is noted on it."""

    __slots__ = ("began", "block", "duration_s", "failure", "index", "mtime_ns", "size", "value")

    def __init__(self, block: BlockRun, index: int) -> None:
        self.block = block
        self.index = index
        self.began = perf_counter()
        self.duration_s = 0.0
        self.value: Any = None
        self.failure: Failure | None = None
        self.size: int | None = None
        self.mtime_ns: int | None = None

    @property
    def item(self) -> Any:
        """The item as the task is to have it."""
        item = self.block.items[self.index - self.block.first]
        return unpack(item) if self.block.is_packed else item

    def end(self, task: TaskFunction, error: BaseException | None) -> None:
        """It has ended."""
        self.duration_s = perf_counter() - self.began
        if error is not None:
            self.failure = describe(error, task)


class SideBySide:
    """The items of one task that a worker has in progress.

    Args:
        line: Where blocks come from and answers go.
        task: The task.
        first: Its first block, taken from the line already.
    """

    def __init__(self, line: Line, task: TaskFunction, first: BlockRun) -> None:
        self.line = line
        self.task = task
        self.running: dict[tuple[int, int], Attempt] = {}
        self._finished: list[Attempt] = []
        self._finished_bytes = 0
        self._lock = threading.Lock()
        self._begin(first)
        line.flush_others = self.take_finished
        line.running_others = self.list_running

    def _begin(self, block: BlockRun) -> None:
        self.line.current.append(block)

    def take(self) -> Attempt | None:
        """The next item of this task, begun now; ``None`` if there is none."""
        line = self.line
        while True:
            for block in line.current:
                index = block.take_next()
                if index is not None:
                    line.progress.of_block(block.number)(index, index + 1)
                    attempt = Attempt(block, index)
                    self.running[block.number, index] = attempt
                    return attempt
            self._let_go()
            if not (line.pending and line.pending[0].task is self.task):
                return None
            self._begin(line.pending.popleft())

    def _let_go(self) -> None:
        """Forget blocks of which all items have been begun and have ended."""
        busy = {number for number, _ in list(self.running)}
        self.line.current[:] = [
            block for block in self.line.current if block.number in busy or block.begun < block.stop
        ]

    @property
    def is_over(self) -> bool:
        """Whether no item of this task runs, nor waits before one of another task."""
        line = self.line
        if self.running or any(block.begun < block.stop for block in line.current):
            return False
        return not (line.pending and line.pending[0].task is self.task)

    @property
    def has_finished(self) -> bool:
        """Whether there is something to answer for."""
        return bool(self._finished)

    def finish(self, attempt: Attempt, error: BaseException | None) -> None:
        """An item has ended."""
        attempt.end(self.task, error)
        with self._lock:
            self._finished.append(attempt)
            self._finished_bytes += size_of(attempt.value)
            del self.running[attempt.block.number, attempt.index]

    def serve(self) -> None:
        """Take what has come, and answer for what has ended once it pays."""
        line, now = self.line, perf_counter()
        is_due = not self.running or self._finished_bytes >= LARGE_BYTES
        with line.turn():
            line.pull()
            if is_due or now - line.flushed_at >= FLUSH_S:
                line.flush(now)
            line.see_to_it(now)

    def take_finished(self) -> Iterable[tuple[int, Span]]:
        """Answers for what has ended since the last time."""
        with self._lock:
            finished, self._finished, self._finished_bytes = self._finished, [], 0
        finished.sort(key=lambda one: (one.block.number, one.index))
        start = 0
        for end, one in enumerate(finished, 1):
            following = finished[end] if end < len(finished) else None
            if (
                following is None
                or following.block is not one.block
                or following.index != one.index + 1
            ):
                for span in self._spans(finished[start:end]):
                    yield one.block.number, span
                start = end

    def _spans(self, attempts: list[Attempt]) -> list[Span]:
        first, block = attempts[0], attempts[0].block
        is_measured = self.task.wants_size or self.task.is_measuring
        rows = Finished(
            first.index,
            block.items[first.index - block.first :][: len(attempts)],
            [(one.value, one.size, one.mtime_ns) if is_measured else one.value for one in attempts],
            [one.duration_s for one in attempts],
        )
        failures = [
            Failed(one.index, one.failure, one.duration_s, one.size, one.mtime_ns)
            for one in attempts
            if one.failure is not None
        ]
        return spans_of(self.task, rows, failures, block.attempts, block.worker)

    def list_running(self, now: float) -> list[tuple[int, int, float]]:
        """What runs: number of the block, index, seconds so far."""
        return [
            (number, index, now - one.began) for (number, index), one in list(self.running.items())
        ]

    def close(self) -> None:
        """Answer for what is left; the line is as it was."""
        line = self.line
        with line.turn():
            line.flush(perf_counter())
            line.current.clear()
            line.when_busy = line.flush_others = line.running_others = None


def run_in_threads(line: Line, task: TaskFunction, first: BlockRun) -> None:
    """Run plain functions that mostly wait: in as many threads as there are slots."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (only this way needs it)

    work = SideBySide(line, task, first)
    changed = threading.Event()
    free = threading.Semaphore(task.slots)

    def run_one(attempt: Attempt) -> None:
        work.finish(attempt, _attempt(attempt, task))
        free.release()
        changed.set()

    line.when_busy = changed.set
    with ThreadPoolExecutor(task.slots) as threads:
        while not work.is_over:
            while free.acquire(blocking=False):
                attempt = work.take()
                if attempt is None:
                    free.release()
                    break
                threads.submit(run_one, attempt)
            changed.wait(FLUSH_S)
            changed.clear()
            work.serve()
    work.close()


def _attempt(attempt: Attempt, task: TaskFunction) -> BaseException | None:
    """Run one attempt of a plain function; what it raised."""
    try:
        item = attempt.item
        if task.is_measuring:
            attempt.value, attempt.size, attempt.mtime_ns = task.function(item)
        else:
            if task.wants_size:
                attempt.size, attempt.mtime_ns = measure(item)
            place = (attempt.index, attempt.block.seat) if task.wants_place else ()
            attempt.value = pack(task.function(item, *place))
    except BaseException as error:  # noqa: BLE001  (SystemExit of one item must not end the worker)
        leave_if_forked(error)
        return error
    leave_if_forked(None)
    return None


async def run_in_loop(line: Line, task: TaskFunction, first: BlockRun) -> None:
    """Run coroutine functions: one event loop, at most ``slots`` of them in flight."""
    import asyncio  # noqa: PLC0415  (loaded by the caller)

    work = SideBySide(line, task, first)
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    active: set[asyncio.Task[None]] = set()
    descriptor = line.lane.fileno()

    async def run_in_turn(attempt: Attempt | None) -> None:
        """One slot: run items one after another while there are any."""
        while attempt is not None:
            work.finish(attempt, await _attempt_coroutine(attempt, task))
            changed.set()
            attempt = work.take()

    def pull() -> None:
        with line.turn():
            line.pull()
        changed.set()

    def wake() -> None:
        loop.call_soon_threadsafe(changed.set)

    line.when_busy = wake
    loop.add_reader(descriptor, pull)
    try:
        while not work.is_over:
            while len(active) < task.slots and (attempt := work.take()) is not None:
                slot = loop.create_task(run_in_turn(attempt))
                active.add(slot)
                slot.add_done_callback(active.discard)
            await _wait_for(changed, FLUSH_S if work.has_finished else None)
            changed.clear()
            work.serve()
        if active:
            await asyncio.wait(active)
    finally:
        loop.remove_reader(descriptor)
        work.close()


async def _wait_for(changed: asyncio.Event, wait_s: float | None) -> None:
    import asyncio  # noqa: PLC0415  (loaded by the caller)

    try:
        async with asyncio.timeout(wait_s):
            await changed.wait()
    except TimeoutError:
        return


async def _attempt_coroutine(attempt: Attempt, task: TaskFunction) -> BaseException | None:
    """Run one attempt of a coroutine function; what it raised.

    An attempt over its time is cancelled; should it not end then, the master kills the worker.
    """
    import asyncio  # noqa: PLC0415  (loaded by the caller)

    deadline = asyncio.timeout(task.timeout_s)
    try:
        item = attempt.item
        if task.wants_size:
            look = asyncio.to_thread(measure, item) if is_url(item) else None
            attempt.size, attempt.mtime_ns = measure(item) if look is None else await look
        async with deadline:
            value = await task.function(item)
        attempt.value = pack(value)
    except BaseException as error:  # noqa: BLE001  (likewise; nobody cancels these from outside)
        leave_if_forked(error)
        if not deadline.expired():
            return error
    leave_if_forked(None)
    if deadline.expired():
        attempt.failure = Failure("TimeoutError", is_overdue=True)
    return None
