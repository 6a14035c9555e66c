"""The engine for debugging: jobs run one after another in the calling thread of this process.

Breakpoints, profilers and ``print`` work as usual. A task that crashes takes the process with it,
and nothing can be timed out, so a ``timeout`` is refused.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from fsworkers.errors import BadSetting
from fsworkers.pool.actions import Conclude, Record
from fsworkers.pool.blocks import Block
from fsworkers.pool.failures import CANCELLED, Again, verdict
from fsworkers.pool.pace import Pace
from fsworkers.pool.retry import delay_s
from fsworkers.pool.rules import Rules
from fsworkers.pool.run_block import BlockRun
from fsworkers.pool.statistics import PoolStatistics
from fsworkers.pool.task_function import TaskFunction, is_coroutine_function, opened
from fsworkers.pool.wire import NO_DESCRIPTORS, Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterable

    from fsworkers.pool.run_block import Span
    from fsworkers.pool.settings import PoolSettings
    from fsworkers.pool.story import StoryEvent
    from fsworkers.pool.task_function import Encoder


class InlineEngine:
    """Runs jobs right here.

    Args:
        settings: Retries and the initializer count; what concerns processes does not.

    Raises:
        BadSetting: A timeout is asked for.
    """

    worker_count = 1
    runs_several = True

    def __init__(self, settings: PoolSettings) -> None:
        if settings.timeout is not None:
            raise BadSetting("timeout", settings.timeout, "none with the inline engine")
        self._rules = Rules(workers=1, retries=settings.retries)
        self._settings = settings
        self._cancelled = threading.Event()
        self._retried = 0

    def settled(
        self,
        function: Callable[[str], Any],
        batches: Iterable[list[str]],
        encode: Encoder,
        *,
        ordered: bool,
    ) -> Generator[list[Record | Conclude]]:
        """Yield what became of every path, in lists."""
        is_coroutine = is_coroutine_function(function)
        function = opened(function, is_coroutine=is_coroutine)
        if is_coroutine:
            function = partial(_run_coroutine, function)
        task = TaskFunction(
            function,
            encode,
            is_measuring=getattr(function, "is_measuring", False),
            each_of=getattr(function, "each_of", None),
            wants_size=True,
            is_ordered=ordered,
            retry_on=self._settings.retry_on,
            wants_place=getattr(function, "wants_place", False),
        )
        if self._settings.initializer is not None:
            self._settings.initializer(*self._settings.initargs)
        pace = Pace()
        first = 0
        for paths in batches:
            at = 0
            while at < len(paths):
                count = pace.block_items(None, 1)
                block = Block(0, first, paths[at : at + count])
                yield self._run(task, block, pace)
                at += len(block.items)
                first += len(block.items)
                if self._cancelled.is_set():
                    left = Block(0, first, paths[at:])
                    yield [Conclude(left, "cancelled", CANCELLED)] if left.items else []
                    return

    def _run(self, task: TaskFunction, block: Block, pace: Pace) -> list[Record | Conclude]:
        """Run a block, and what of it is to be run again; all of it is settled then."""
        settled: list[Record | Conclude] = []
        waiting = deque([block])
        while waiting:
            block = waiting.popleft()
            history = block.history
            run = BlockRun(
                task, 0, block.first, list(block.items), attempts=history.attempt,
                lets_through=KeyboardInterrupt,
            )  # fmt: skip

            def look(_now: float, run: BlockRun = run) -> None:
                if self._cancelled.is_set():
                    run.give_back(len(run.items))

            run.run(lambda _start, _stop: None, look)
            for span in run.take():
                pace.learn(span.stop - span.start, span.busy_s)
                settled += self._settle(block, span, waiting)
            if run.stop < len(block.items):
                left = block.part(block.first + run.stop, block.stop)
                settled.append(Conclude(left, "cancelled", CANCELLED))
        return settled

    def _settle(self, block: Block, span: Span, waiting: deque[Block]) -> list[Record | Conclude]:
        settled: list[Record | Conclude] = []
        if len(span.failures) < span.stop - span.start:
            answer = Answer(
                0, 0, span.start, span.stop, span.size_bytes, span.busy_s, span.failures,
                NO_DESCRIPTORS,
            )  # fmt: skip
            settled.append(Record(block, answer, span.frames))
        for failed in span.failures:
            one = block.part(failed.position, failed.position + 1)
            decided = verdict(block.history, failed.failure, self._rules, self._pause_s)
            if isinstance(decided, Again) and not self._cancelled.wait(decided.delay_s):
                self._retried += decided.history.retried - block.history.retried
                waiting.appendleft(one.single(failed.position, decided.history))
                continue
            status = "failed" if isinstance(decided, Again) else decided.status
            settled.append(
                Conclude(
                    one,
                    status,
                    failed.failure,
                    0,
                    block.history.attempt,
                    failed.duration_s,
                    failed.size,
                    failed.mtime_ns,
                )
            )
        return settled

    def _pause_s(self, attempt: int) -> float:
        pause_s = self._settings.retry_pause
        return delay_s(attempt) if pause_s is None else pause_s

    def cancel(self) -> None:
        """Start nothing more."""
        self._cancelled.set()

    def abort(self) -> None:
        """Start nothing more; what runs is in the caller's own thread, and has ended."""
        self._cancelled.set()

    def statistics(self) -> PoolStatistics:
        """This process counts as the one worker."""
        return PoolStatistics(workers=1, retries=self._retried)

    def story(self) -> list[StoryEvent]:
        """Nothing happens to workers where there are none."""
        return []

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
