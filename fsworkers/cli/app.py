"""The commands put together, and the one boundary at which errors become exit codes.

Exit codes: 0 all done, 1 some files failed, 2 usage, 3 internal, 130 and 143 interrupted.
"""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer

import fsworkers
from fsworkers.cli import comes_of_interrupt
from fsworkers.cli.exits import FAILED, INTERNAL, INTERRUPTED, USAGE, complain, say
from fsworkers.cli.limits import limits
from fsworkers.cli.process import process
from fsworkers.cli.resume import resume, retry
from fsworkers.cli.runs import runs
from fsworkers.cli.show import show
from fsworkers.cli.stress import stress
from fsworkers.cli.tasks import tasks
from fsworkers.errors import FsworkersError, PoolDoesNotFit, WorkerStartError
from fsworkers.journal.errors import JournalFailed
from fsworkers.names import printable
from fsworkers.sinks.errors import DigestsMissing, OutputFailed
from fsworkers.stress.errors import StageFailed

app = typer.Typer(
    name="fsworkers",
    help="Run a task over every file of a tree, on all cores, without running out of descriptors.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(process)
app.command()(resume)
app.command()(retry)
app.command()(runs)
app.command()(show)
app.command()(stress)
app.command()(limits)
app.command()(tasks)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"fsworkers {fsworkers.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Run a task over every file of a tree, on all cores, without running out of descriptors."""


_CODES: tuple[tuple[type[Exception], int], ...] = (
    (DigestsMissing, FAILED),
    (OutputFailed, INTERNAL),
    (JournalFailed, INTERNAL),
    (PoolDoesNotFit, INTERNAL),
    (WorkerStartError, INTERNAL),
    (StageFailed, INTERNAL),
    (FsworkersError, USAGE),
)
"""What each kind of error means for the exit code; the first that fits counts."""


def run(arguments: list[str]) -> int:
    """Run one command, and return its exit code."""
    if sys.platform == "win32":
        complain("Windows is not supported: its file handles have no limit to keep within")
        return USAGE
    try:
        code = app(arguments, prog_name="fsworkers", standalone_mode=False)
    except typer.Exit as exit_:
        return exit_.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  (the one boundary)
        if comes_of_interrupt(error):
            return INTERRUPTED
        return _explain(error, is_verbose=bool({"-v", "--verbose"} & set(arguments)))
    return code if isinstance(code, int) else 0


def _explain(error: Exception, *, is_verbose: bool) -> int:
    """Say what went wrong in one line, and return the exit code for it."""
    if hasattr(error, "format_message"):  # click's own, from wherever typer takes it
        complain(f"{error.format_message()} (see fsworkers --help)")
        return USAGE
    for kind, code in _CODES:
        if isinstance(error, kind):
            complain(str(error))
            _show_notes(error)
            return code
    if is_verbose:
        traceback.print_exception(error)
    complain(f"internal error: {type(error).__name__}: {printable(str(error))}")
    _show_notes(error)
    return INTERNAL


def _show_notes(error: Exception) -> None:
    for note in getattr(error, "__notes__", ()):
        say(note)
