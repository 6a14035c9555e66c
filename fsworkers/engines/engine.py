"""What every engine offers: run a task function over items, and yield outcomes in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from fsworkers.model import Outcome
    from fsworkers.pool.figures import PoolStatistics


class Engine(Protocol):
    """How a run executes."""

    def batches(
        self, function: Callable[[str], Any], paths: Iterable[str], *, ordered: bool
    ) -> Generator[list[Outcome]]:
        """Yield every path's outcome, in lists; empty ones now and then while there is none.

        Paths are drawn lazily. Closing the generator drops what has not been started.
        """

    def cancel(self) -> None:
        """Start nothing more; the outcomes of what runs are still yielded."""

    def abort(self) -> None:
        """Start nothing more, and end what runs: its outcomes are ``cancelled``."""

    def statistics(self) -> PoolStatistics:
        """The figures of this moment."""

    @property
    def worker_count(self) -> int:
        """How many processes run jobs."""

    def stop(self) -> None:
        """Begin to end: nothing more will be asked for. ``close`` waits for it."""

    def close(self) -> None:
        """End, when running jobs have ended."""

    def kill(self) -> None:
        """End now."""
