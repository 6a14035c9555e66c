"""What workers print: one pipe from all of them to the caller's ``sys.stderr``.

Stdout belongs to results, a notebook shows ``sys.stderr``, and a live display is not torn. What
workers say before the first of them is ready is held back: if none gets ready, it is the reason.
"""

from __future__ import annotations

import os
import sys

KEPT_BYTES = 16_384
CHUNK_BYTES = 65_536


class WorkerOutput:
    """The pipe, and the last of what came through it.

    Attributes:
        write_end: What workers have as stdout and stderr.
    """

    def __init__(self) -> None:
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._kept = b""
        self._is_passing_on = False

    def fileno(self) -> int:
        """The descriptor that becomes readable when something was printed."""
        return self._read_end

    def pass_on(self) -> None:
        """Take what has come, and show it unless it is still held back."""
        while True:
            try:
                chunk = os.read(self._read_end, CHUNK_BYTES)
            except BlockingIOError:
                return
            self._kept = (self._kept + chunk)[-KEPT_BYTES:]
            if self._is_passing_on:
                _say(chunk)

    def hold_back_no_longer(self) -> None:
        """A worker is ready: show everything from now on, and what was held back."""
        if not self._is_passing_on:
            self._is_passing_on = True
            _say(self._kept)

    def last_words(self) -> str:
        """What workers said last, each line once: when they fail to start, all say the same."""
        self.pass_on()
        lines = self._kept.decode(errors="replace").strip().splitlines()
        return "\n".join(dict.fromkeys(lines))

    def close(self) -> None:
        """Show what is left, and close the pipe."""
        self.pass_on()
        os.close(self._read_end)
        os.close(self.write_end)


def _say(output: bytes) -> None:
    if output and sys.stderr is not None:
        sys.stderr.write(output.decode(errors="replace"))
        sys.stderr.flush()
