"""What every sink is to those who write to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsworkers.model import Outcome

__all__ = ["Sink"]


class Sink(Protocol):
    """Takes outcomes in batches; a batch that ``write`` returned from is out of our hands."""

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write a batch, as whole lines.

        Raises:
            OutputFailed: The system refused; the batch is not in the output, or not all of it.
            BrokenPipeError: The reader of a pipe has left. No fault of ours: end quietly.
        """

    def close(self) -> None:
        """End the output. An output that nothing was written to is then empty, not stale."""
