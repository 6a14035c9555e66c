"""What every sink is to those who write to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsworkers.model import Outcome
    from fsworkers.sinks.output import Output

__all__ = ["DoneEncoder", "Lines", "Sink"]


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
        mtimes_ns: Sequence[int | None],
    ) -> bytes | None:
        """Encode columns of equal length; ``None`` where ``Sink.write`` must see the outcomes."""


class Sink(Protocol):
    """Takes outcomes in batches; a batch that ``write`` returned from is out of our hands.

    Attributes:
        encode_done: What makes the same of files that were done.
        output: Where it goes.
    """

    encode_done: DoneEncoder
    output: Output

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

    def finish(self, *, is_whole: bool = True) -> None:
        """End the output. One that nothing was written to is then empty, not stale.

        Args:
            is_whole: Nothing is lacking: a file takes its name, which is ``partial`` otherwise.
        """

    def close(self) -> None:
        """Let go of an output that was perhaps not finished, with nothing further written."""


class Lines:
    """What sinks have in common that write lines to an output."""

    def __init__(self, output: Output) -> None:
        self.output = output

    def write_encoded(self, lines: bytes) -> None:
        """Write lines; see ``Sink.write_encoded``."""
        self.output.write(lines)

    def finish(self, *, is_whole: bool = True) -> None:
        """End the output; see ``Sink.finish``."""
        self.output.finish(is_whole=is_whole)

    def close(self) -> None:
        """Let go of the output; see ``Sink.close``."""
        self.output.close()
