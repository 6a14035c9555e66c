"""Reads that go on when a descriptor that does not block has nothing yet (EAGAIN).

Below a buffer, the standard raw file answers ``None``, which the buffer passes on, or ends a
``read()`` early with what there is. graceful-fs tries again at once, up to ten times; here the wait
is for the descriptor itself, and it is bounded.
"""

from __future__ import annotations

import select
from errno import EAGAIN
from time import monotonic

from fsworkers.graceful.files import CountedFileIO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATIENCE_S = 10.0
"""Longest wait of one read for data."""


class PatientFileIO(CountedFileIO):
    """A raw file below a buffer, made from a number or by an opener: it may not block."""

    __slots__ = ()

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what there is, waiting until there is something or the end.

        Raises:
            BlockingIOError: Nothing came for ``PATIENCE_S``.
        """
        while True:
            count = super().readinto(buffer)
            if count is not None:
                return count
            self._wait()

    def readall(self) -> bytes:
        """Everything up to the end; errors as ``readinto``."""
        chunks: list[bytes] = []
        while True:
            chunk = super().readall()
            if chunk:
                chunks.append(chunk)
            # What ended early is told from the end by another look.
            probe = super().read(1)
            if probe == b"":
                return b"".join(chunks)
            if probe is None:
                self._wait()
            else:
                chunks.append(probe)

    def _wait(self) -> None:
        until_s = monotonic() + PATIENCE_S
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        while not poll.poll(max(0.0, until_s - monotonic()) * 1000):
            if monotonic() >= until_s:
                raise BlockingIOError(EAGAIN, f"nothing to read for {PATIENCE_S} s", self.name)
