"""The engine that people use: a pool of worker processes on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsworkers.pool.executor import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from fsworkers.model import Outcome
    from fsworkers.pool.figures import PoolStatistics
    from fsworkers.pool.map_run import MapRun
    from fsworkers.pool.settings import PoolSettings

LOOK_S = 0.1
"""How often a caller gets control while no outcome arrives: often enough for a display."""


class LocalEngine:
    """Runs jobs in a pool of its own.

    Args:
        settings: The pool's settings.
    """

    def __init__(self, settings: PoolSettings) -> None:
        self._pool = Pool.of(settings)
        self._pool.start()
        self._run: MapRun | None = None

    def batches(
        self, function: Callable[[str], Any], paths: Iterable[str], *, ordered: bool
    ) -> Generator[list[Outcome]]:
        """Yield every path's outcome, in lists."""
        self._run = self._pool.begin(function, paths, ordered=ordered, wants_size=True)
        yield from self._run.batches(wait_s=LOOK_S)

    def cancel(self) -> None:
        """Start nothing more; the outcomes of what runs are still yielded."""
        if self._run is not None:
            self._run.cancel()

    def abort(self) -> None:
        """Start nothing more, and end what runs: its outcomes are ``cancelled``."""
        if self._run is not None:
            self._run.abort()

    def statistics(self) -> PoolStatistics:
        """The pool's figures of this moment."""
        return self._pool.statistics()

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
