"""What every engine offers: run a task function over items, and tell what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from fsworkers.pool.actions import Conclude, Record
    from fsworkers.pool.statistics import PoolStatistics
    from fsworkers.pool.story import StoryEvent
    from fsworkers.pool.task_function import Encoder


class Engine(Protocol):
    """How a run executes."""

    runs_several: bool
    """Whether ``settled`` may be called while what it yielded before goes on."""

    def settled(
        self,
        function: Callable[[str], Any],
        batches: Iterable[list[str]],
        encode: Encoder,
        *,
        ordered: bool,
    ) -> Generator[list[Record | Conclude]]:
        """Yield what became of every path, in lists; empty ones now and then while there is none.

        Batches are drawn lazily; in an ordered run no span reaches over an empty one. Closing the
        generator drops what has not been started.
        """

    def cancel(self) -> None:
        """Start nothing more; the outcomes of what runs are still yielded."""

    def abort(self) -> None:
        """Start nothing more, and end what runs: its outcomes are ``cancelled``."""

    def statistics(self) -> PoolStatistics:
        """The figures of this moment."""

    def story(self) -> Sequence[StoryEvent]:
        """The last events, those of workers among them."""

    @property
    def worker_count(self) -> int:
        """How many processes run jobs."""

    def stop(self) -> None:
        """Begin to end: nothing more will be asked for. ``close`` waits for it."""

    def close(self) -> None:
        """End, when running jobs have ended."""

    def kill(self) -> None:
        """End now."""
