"""Standard output while somebody else's code is loaded: it belongs to results."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Send to stderr meanwhile what is written to stdout, by programs that are started too."""
    if sys.stdout is None:
        yield
        return
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
