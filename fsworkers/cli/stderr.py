"""Standard error as commands have it: what can't be shown is left out, and touches nothing else.

Its reader may have gone, the disk behind it may be full, or nobody may read the pipe. None of that
is a reason for a run to fail or to wait.
"""

from __future__ import annotations

import io
import os
import select
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

PATIENCE_S = 1.0
"""How long a reader is waited for that takes nothing; from then on, no longer."""

PIECE_BYTES = getattr(select, "PIPE_BUF", 512)
"""What a pipe takes without making anybody wait, once it takes anything."""


class _Standard(io.RawIOBase):
    """Descriptor 2, as far as it takes what is written."""

    name = "<stderr>"

    def __init__(self) -> None:
        self._is_read = True

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2

    def isatty(self) -> bool:
        return os.isatty(2)

    def write(self, data: Buffer, /) -> int:
        """Write what is taken, and drop the rest. A signal handler may call it at any moment."""
        left = memoryview(data)
        length = len(left)
        while left and self._takes_more():
            try:
                left = left[os.write(2, left[:PIECE_BYTES]) :]
            except OSError:
                break
        return length

    def _takes_more(self) -> bool:
        poll = select.poll()
        poll.register(2, select.POLLOUT)
        self._is_read = bool(poll.poll(1000 * PATIENCE_S if self._is_read else 0))
        return self._is_read


def replace_stderr() -> None:
    """Make ``sys.stderr`` one that never raises, and waits for a reader but a moment."""
    if not hasattr(select, "poll"):
        return  # on Windows nothing is done but to say so
    encoding = sys.stderr.encoding if sys.stderr is not None else "utf-8"
    sys.stderr = io.TextIOWrapper(
        _Standard(), encoding=encoding, errors="backslashreplace", write_through=True
    )  # fmt: skip
