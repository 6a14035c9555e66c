"""Exit codes, and how an error is said."""

from __future__ import annotations

import os
import sys

DONE = 0
FAILED = 1
USAGE = 2
INTERNAL = 3
INTERRUPTED = 130
TERMINATED = 143


def leave_quietly() -> int:
    """Who read our output has gone: let the interpreter's last flush go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return DONE


def complain(message: str) -> None:
    """Say what is wrong on stderr."""
    print(f"fsworkers: {message}", file=sys.stderr)  # noqa: T201  (this is the one place)


def say(message: str) -> None:
    """Tell a person something on stderr."""
    print(message, file=sys.stderr)  # noqa: T201  (likewise)
