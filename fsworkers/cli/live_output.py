"""Stdout while it shows what commands write at the moment: ``--line-buffer``."""

from __future__ import annotations

from fsworkers.sinks.errors import OutputFailed
from fsworkers.sinks.output import has_reader, standard_output


class LiveOutput:
    """Takes lines in the pool's thread; what became of them is met in the main one.

    Raises:
        OutputUnwritable: There is no stdout.
    """

    def __init__(self) -> None:
        self.output = standard_output()
        self._refusal: OutputFailed | BrokenPipeError | None = None

    def write(self, lines: bytes) -> None:
        """Write whole lines, unless some were refused before."""
        if self._refusal is None:
            try:
                self.output.write(lines)
            except (OutputFailed, BrokenPipeError) as error:
                self._refusal = error

    def check(self) -> None:
        """Look whether what is written is taken.

        Raises:
            OutputFailed: What is behind stdout is full, say.
            BrokenPipeError: Nobody reads it any more.
        """
        if self._refusal is not None or not has_reader(1):
            raise self._refusal or BrokenPipeError
