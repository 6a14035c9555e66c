"""Exit codes, and how an error is said."""

from __future__ import annotations

import os
import sys

from fsworkers.names import printable
from fsworkers.sinks.errors import OutputFailed, reason_of

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


def write_out(text: str | bytes) -> None:
    """Write to stdout as ``put`` does; nothing more once its reader has gone.

    Raises:
        OutputFailed: It is closed, or what is behind it is full.
    """
    try:
        put(text)
    except BrokenPipeError:
        leave_quietly()


def put(text: str | bytes) -> None:
    """Write to stdout, with what its encoding has.

    Raises:
        BrokenPipeError: Its reader has gone.
        OutputFailed: It is closed, or what is behind it is full.
    """
    if sys.stdout is None:
        raise OutputFailed("stdout", "it is closed")
    try:
        sys.stdout.buffer.write(encoded(text, sys.stdout.encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        leave_quietly()
        raise OutputFailed("stdout", reason_of(error)) from error


def encoded(text: str | bytes, encoding: str) -> bytes:
    """Text as bytes: what an encoding does not have is escaped, or looks like it."""
    if isinstance(text, bytes):
        return text
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return text.replace("µ", "u").encode(encoding, "backslashreplace")


def complain(message: str) -> None:
    """Say what is wrong on stderr, whatever names and arguments the message repeats."""
    say(shown(f"fsworkers: {message}"))


def shown(text: str) -> str:
    """Text of any origin as a terminal may get it: only its line ends stay what they are."""
    return "\n".join(map(printable, text.split("\n")))


def say(message: str) -> None:
    """Tell a person something on stderr, which ``shown`` or ``printable`` has been at."""
    print(message, file=sys.stderr)  # noqa: T201  (this is the one place)
