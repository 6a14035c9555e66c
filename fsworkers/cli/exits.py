"""Exit codes, and how an error is said."""

from __future__ import annotations

import sys

DONE = 0
FAILED = 1
USAGE = 2
INTERNAL = 3
INTERRUPTED = 130
TERMINATED = 143


def complain(message: str) -> None:
    """Say what is wrong on stderr."""
    print(f"fsworkers: {message}", file=sys.stderr)  # noqa: T201  (this is the one place)
