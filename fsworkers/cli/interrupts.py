"""Ctrl-C and SIGTERM during a run: the first lets running jobs finish, the second kills."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Self

from fsworkers.cli import Terminated
from fsworkers.cli.display import LiveLine
from fsworkers.cli.exits import INTERRUPTED, TERMINATED

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

    from fsworkers.engines.run import Run

_MESSAGE = b"fsworkers: interrupted: finishing what runs; once more to kill it\n"

_CODES = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}


class Interrupts:
    """Handles both signals while it is entered.

    Args:
        run: What to cancel, and on the second signal to kill.
    """

    def __init__(self, run: Run) -> None:
        self.code: int | None = None
        self._run = run
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        """Take the signals over."""
        for number in _CODES:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the signals back; after the second one, kill the workers.

        Not in the handler: it may have come in the middle of anything, with locks held that
        ending the pool takes.
        """
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._run.engine.kill()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.code is None:
            self.code = _CODES[signal.Signals(number)]
            # Not by print: the handler may have come in the middle of one.
            clear = sys.stderr.let_go() if isinstance(sys.stderr, LiveLine) else b""
            sys.stderr.buffer.write(clear + _MESSAGE)
            self._run.cancel()
        else:
            raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
