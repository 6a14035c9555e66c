"""The command line: one module a command.

What the console script calls is here, apart from everything that takes time to load, so that an
interrupt is met quietly from the first moment on.
"""

from __future__ import annotations

import os
import signal
import sys

_INTERRUPTED = 130


def main() -> None:
    """Run the command line, and exit with its code."""
    try:
        fill_standard_descriptors()
        from fsworkers.cli.app import run  # noqa: PLC0415  (see above)

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = _INTERRUPTED
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing is left to interrupt
    sys.exit(code)


def fill_standard_descriptors() -> None:
    """Open stdin and stderr on nothing where they are closed.

    Otherwise a socket would get their numbers, and messages would be written into it. A closed
    stdout stays closed: results that can't be written are an error.
    """
    for number in (0, 2):
        try:
            os.fstat(number)
        except OSError:
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, number)
            if nothing not in {0, 2}:
                os.close(nothing)
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115  (it lives as long as we do)
