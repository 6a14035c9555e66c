"""Two outputs of one run: outcomes in a file, and what commands wrote on stdout."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsworkers.model import Outcome
    from fsworkers.sinks.sink import DoneEncoder, Sink


class BesideEncoder(NamedTuple):
    """Makes the lines of both, in the worker.

    Attributes:
        written: Those of the file.
        shown: The others.
    """

    written: DoneEncoder
    shown: DoneEncoder

    def __call__(self, *columns: Any, **others: Any) -> bytes | None:
        """Encode columns; see ``DoneEncoder``."""
        lines = self.written(*columns, **others)
        if lines is None:
            return None
        return pickle.dumps((lines, self.shown(*columns, **others)), protocol=5)


class Beside:
    """Writes to one sink, and then to another.

    Args:
        written: The file, which is the run's output.
        shown: What nobody keeps.
    """

    def __init__(self, written: Sink, shown: Sink) -> None:
        self.encode_done: DoneEncoder = BesideEncoder(written.encode_done, shown.encode_done)
        self.output = written.output
        self._both = (written, shown)

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write a batch to both; see ``Sink.write``."""
        for one in self._both:
            one.write(outcomes)

    def write_encoded(self, lines: bytes) -> None:
        """Write what the encoder made; see ``Sink.write_encoded``."""
        for one, own in zip(self._both, pickle.loads(lines), strict=True):
            if own:
                one.write_encoded(own)

    def finish(self, *, is_whole: bool = True) -> None:
        """End both; see ``Sink.finish``."""
        for one in self._both:
            one.finish(is_whole=is_whole)

    def close(self) -> None:
        """Let go of both; see ``Sink.close``."""
        for one in self._both:
            one.close()
