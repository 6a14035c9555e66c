"""The engine that people use: a pool of worker processes on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsworkers.pool.executor import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from fsworkers.pool.actions import Conclude, Record
    from fsworkers.pool.map_call import MapCall
    from fsworkers.pool.settings import PoolSettings
    from fsworkers.pool.statistics import PoolStatistics
    from fsworkers.pool.story import StoryEvent
    from fsworkers.pool.task_function import Encoder

LOOK_S = 0.1
"""How often a caller gets control while no outcome arrives: often enough for a display."""


class LocalEngine:
    """Runs jobs in a pool of its own.

    Args:
        settings: The pool's settings.
    """

    runs_several = True

    def __init__(self, settings: PoolSettings) -> None:
        self._pool = Pool.of(settings)
        self._pool.start()
        self._calls: list[MapCall] = []
        self._is_cancelled = False

    def settled(
        self,
        function: Callable[[str], Any],
        batches: Iterable[list[str]],
        encode: Encoder,
        *,
        ordered: bool,
    ) -> Generator[list[Record | Conclude]]:
        """Yield what became of every path, in lists."""
        call = self._pool.begin(
            function, batches, ordered=ordered, batched=True, wants_size=True, encode=encode
        )
        self._calls.append(call)
        try:
            if self._is_cancelled:  # before there was anything to cancel
                call.cancel()
            yield from call.settled(wait_s=LOOK_S)
        finally:
            self._calls.remove(call)

    def cancel(self) -> None:
        """Start nothing more; the outcomes of what runs are still yielded."""
        self._is_cancelled = True
        for call in self._calls:
            call.cancel()

    def abort(self) -> None:
        """Start nothing more, and end what runs: its outcomes are ``cancelled``."""
        self._is_cancelled = True
        for call in self._calls:
            call.abort()

    def statistics(self) -> PoolStatistics:
        """The pool's figures of this moment."""
        return self._pool.statistics()

    def story(self) -> list[StoryEvent]:
        """The last events."""
        return self._pool.story()

    @property
    def worker_count(self) -> int:
        """How many workers the pool has."""
        return self._pool.worker_count

    def stop(self) -> None:
        """Let the workers end."""
        self._pool.shutdown(wait=False)

    def close(self) -> None:
        """Shut the pool down."""
        self._pool.shutdown(wait=True)

    def kill(self) -> None:
        """Kill the workers."""
        self._pool.kill()
