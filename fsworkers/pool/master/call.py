"""What the master needs of a call, whichever kind it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fsworkers.pool.call_state import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsworkers.errors import FsworkersError
    from fsworkers.pool.actions import Conclude, Record
    from fsworkers.pool.wire import Task


class Call(Source, Protocol):
    """Something that items come from and outcomes go to."""

    task: Task
    is_lasting: bool
    """Whether it goes on when it has nothing to do."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be drawn from it, and all it drew has been delivered."""

    def deliver(self, settled: Sequence[Record | Conclude]) -> None:
        """Pass on what became of items."""

    def fail(self, error: FsworkersError) -> None:
        """End it: none of its remaining items can be executed."""
