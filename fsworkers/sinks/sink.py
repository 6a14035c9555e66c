"""What every sink is to those who write to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsworkers.model import Outcome

__all__ = ["DoneEncoder", "Sink"]


class DoneEncoder(Protocol):
    """Makes an output's lines of files that were done, in the worker: it can be pickled."""

    def __call__(
        self,
        paths: Sequence[str],
        values: Sequence[Any],
        sizes: Sequence[int | None],
        durations_s: Sequence[float],
        attempts: int,
        worker: int,
    ) -> bytes | None:
        """Encode columns of equal length; ``None`` where ``Sink.write`` must see the outcomes."""


class Sink(Protocol):
    """Takes outcomes in batches; a batch that ``write`` returned from is out of our hands.

    Attributes:
        encode_done: What makes the same of files that were done.
    """

    encode_done: DoneEncoder

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write a batch, as whole lines.

        Raises:
            OutputFailed: The system refused; the batch is not in the output, or not all of it.
            BrokenPipeError: The reader of a pipe has left. No fault of ours: end quietly.
        """

    def write_encoded(self, lines: bytes) -> None:
        """Write what ``encode_done`` made.

        Raises:
            OutputFailed: As ``write``.
            BrokenPipeError: As ``write``.
        """

    def close(self) -> None:
        """End the output. An output that nothing was written to is then empty, not stale."""
