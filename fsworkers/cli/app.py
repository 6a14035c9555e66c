"""The commands put together, and the one boundary at which errors become exit codes.

Exit codes: 0 all done, 1 some files failed, 2 usage, 3 internal, 130 and 143 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import fsworkers
from fsworkers.cli.exits import INTERNAL, INTERRUPTED, USAGE, complain
from fsworkers.cli.limits import limits
from fsworkers.cli.process import process
from fsworkers.cli.tasks import tasks
from fsworkers.errors import FsworkersError, PoolDoesNotFit, WorkerStartError
from fsworkers.sinks.errors import OutputFailed

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


def main() -> None:
    """Run the command line, and exit with its code."""
    if sys.platform == "win32":
        complain("Windows is not supported: there are no descriptor limits to keep within")
        sys.exit(USAGE)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command, and return its exit code."""
    try:
        code = app(arguments, prog_name="fsworkers", standalone_mode=False)
    except typer.Exit as exit_:
        return exit_.exit_code
    except typer.Abort:
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except (OutputFailed, PoolDoesNotFit, WorkerStartError) as error:
        complain(str(error))
        return INTERNAL
    except FsworkersError as error:
        complain(str(error))
        return USAGE
    except Exception as error:
        if not hasattr(error, "format_message"):  # click's own, from wherever typer takes it
            raise
        complain(f"{error.format_message()} (see fsworkers --help)")
        return USAGE
    return code if isinstance(code, int) else 0
