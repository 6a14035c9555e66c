"""The command line: one module a command.

What the console script calls is here, apart from everything that takes time to load, so that an
interrupt is met quietly from the first moment on.
"""

from __future__ import annotations

import _thread
import atexit
import gc
import os
import signal
import sys
import time

from fsworkers.cli.stderr import replace_stderr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_INTERRUPTED, _TERMINATED = 130, 143
_INTERNAL = 3

_NEED_NO_WORKER = frozenset({"-h", "--help", "-n", "--dry-run"})

NEEDED_BY_WORKERS = ("fsworkers.engines.encoding", "fsworkers.tasks.checksum")
"""What most runs need there: it is imported while the worker waits."""

NEEDED_FOR_COMMANDS = (
    "fsworkers.engines.encoding",
    "fsworkers.tasks.command",
    "fsworkers.tasks.child",
)

_COMMANDS = frozenset({"-x", "--exec", "-X", "--exec-batch"})

_AGAIN_S = 0.05
"""Until an interrupt that was lost comes again."""


class Terminated(KeyboardInterrupt):
    """SIGTERM has come: an interrupt with an exit code of its own."""


def main() -> None:
    """Run the command line, and exit with its code."""
    try:
        code = _guarded_run()
    except KeyboardInterrupt as error:  # one more, while the last one was met
        code = code_of_interrupt(error)
        _ignore_interrupts()
    _leave(code)


def _guarded_run() -> int:
    try:
        signal.signal(signal.SIGTERM, _terminate)
        sys.unraisablehook = _tell
        fill_standard_descriptors()
        replace_stderr()
        code = _run(sys.argv[1:])
    except BaseException as error:
        if not comes_of_interrupt(error):
            raise
        code = code_of_interrupt(error)
    _ignore_interrupts()
    return code


def _terminate(_number: int, _frame: object) -> NoReturn:
    raise Terminated


def _ignore_interrupts() -> None:
    """Nothing is left to interrupt."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _leave(code: int) -> NoReturn:
    """End without taking the interpreter apart, which takes as long as a small run does."""
    atexit._run_exitfuncs()  # noqa: SLF001  (there is no public way)
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            code = code or _INTERNAL  # as the interpreter itself has it, what was written is lost
    os._exit(code)


def _run(arguments: list[str]) -> int:
    """Run one command; the first worker starts while the rest of this is loaded."""
    # Not for those that go on with a run: they enter its directory first.
    if arguments[:1] != ["process"] or _NEED_NO_WORKER.intersection(arguments):
        from fsworkers.cli.app import run  # noqa: PLC0415  (see above)

        return run(arguments)
    from fsworkers.pool.master.prespawn import discard, prespawn  # noqa: PLC0415

    has_command = not _COMMANDS.isdisjoint(arguments)
    prespawn(NEEDED_FOR_COMMANDS if has_command else NEEDED_BY_WORKERS)
    gc.disable()  # a twentieth of the time that loading takes; until the command begins
    try:
        from fsworkers.cli.app import run  # noqa: PLC0415

        return run(arguments)
    finally:
        discard()


def comes_of_interrupt(error: BaseException) -> bool:
    """Whether it is an interrupt, or what somebody made of one.

    While a class is made, whatever its parts raise becomes a ``RuntimeError`` (before 3.12).
    """
    return isinstance(error, KeyboardInterrupt) or (
        error.__cause__ is not None and comes_of_interrupt(error.__cause__)
    )


def code_of_interrupt(error: BaseException) -> int:
    """The exit code for what ``comes_of_interrupt``."""
    if isinstance(error, Terminated):
        return _TERMINATED
    return _INTERRUPTED if error.__cause__ is None else code_of_interrupt(error.__cause__)


def _tell(what: sys.UnraisableHookArgs) -> None:
    """Have an interrupt come again that struck in a finalizer: nothing is raised from there."""
    if issubclass(what.exc_type, KeyboardInterrupt):
        number = signal.SIGTERM if issubclass(what.exc_type, Terminated) else signal.SIGINT
        _thread.start_new_thread(_interrupt_soon, (number,))
    else:
        sys.__unraisablehook__(what)


def _interrupt_soon(number: int) -> None:
    time.sleep(_AGAIN_S)  # noqa: TID251  (it may be too early to import anything)
    os.kill(os.getpid(), number)


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
