"""The commands put together, and the one boundary at which errors become exit codes.

Exit codes: 0 all done, 1 some files failed, 2 usage, 3 internal, 130 and 143 interrupted.
"""

from __future__ import annotations

import os
import re
import sys
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Annotated, Any

import typer

import fsworkers
from fsworkers.cli import code_of_interrupt, comes_of_interrupt, commands
from fsworkers.cli.command_options import cut_command
from fsworkers.cli.config import Setting, load
from fsworkers.cli.exits import FAILED, INTERNAL, USAGE, complain, say, shown
from fsworkers.cli.typed import Command
from fsworkers.names import printable

if TYPE_CHECKING:
    from collections.abc import Callable

COMPLETE = "_FSWORKERS_COMPLETE"
"""A variable by which a shell asks for what may come next."""

_COMPLETION = frozenset({"--install-completion", "--show-completion", "--help", "-h"})

COMMANDS = {
    command.__name__: command
    for command in (
        commands.process,
        commands.resume,
        commands.retry,
        commands.runs,
        commands.show,
        commands.stress,
        commands.limits,
        commands.tasks,
    )
}


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"fsworkers {fsworkers.__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Run a task over every file of a tree, on all cores, without running out of descriptors."""


CONFIGURED = (
    commands.process,
    commands.resume,
    commands.retry,
    commands.runs,
    commands.show,
)
"""Those whose options are also looked for in files and the environment."""


def app_for(arguments: list[str]) -> typer.Typer:
    """The application; where it is clear which command is wanted, no other is built (5 ms)."""
    app = typer.Typer(
        name="fsworkers",
        help=_options.__doc__,
        add_completion=COMPLETE in os.environ or not _COMPLETION.isdisjoint(arguments),
        rich_markup_mode="rich",  # draws the panels of options; loaded for help alone
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    named = COMMANDS.get(arguments[0]) if arguments else None
    for command in COMMANDS.values() if named is None else [named]:
        app.command(cls=Command)(_interruptible(command))
    return app


def _interruptible(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command that returns the code of an interrupt: to typer, one is like the other."""

    @wraps(command)
    def run(**asked: Any) -> Any:
        try:
            return command(**asked)
        except KeyboardInterrupt as error:
            return code_of_interrupt(error)

    return run


def configured(arguments: list[str]) -> dict[str, Setting]:
    """What files and the environment say of the options of the command that is wanted.

    All of them are options of ``process``; commands that look at its runs share some.
    """
    command = COMMANDS.get(arguments[0])
    if command not in CONFIGURED:
        return {}
    settings = load(commands.process, arguments)
    own = signature(command).parameters
    return {name: one for name, one in settings.items() if name in own}


def run(arguments: list[str]) -> int:
    """Run one command, and return its exit code."""
    if sys.platform == "win32":
        complain("Windows is not supported: its file handles have no limit to keep within")
        return USAGE
    settings: dict[str, Setting] = {}
    try:
        given = cut_command(arguments) or ["--help"]
        settings = configured(given)
        code = app_for(given)(
            given,
            prog_name="fsworkers",
            standalone_mode=False,
            default_map={given[0]: {name: one.value for name, one in settings.items()}},
            obj=settings,
        )
    except typer.Exit as exit_:
        return exit_.exit_code
    except (typer.Abort, KeyboardInterrupt) as error:
        return code_of_interrupt(error)
    except Exception as error:  # noqa: BLE001  (the one boundary)
        if comes_of_interrupt(error):
            return code_of_interrupt(error)
        code = _explain(error, is_verbose=bool({"-v", "--verbose"} & set(arguments)))
        if code == USAGE and settings:
            places = dict.fromkeys(printable(one.where) for one in settings.values())
            say(f"options were also read from {', '.join(places)}; --show-config shows them")
        return code
    return code if isinstance(code, int) else 0


def _explain(error: Exception, *, is_verbose: bool) -> int:
    """Say what went wrong in one line, and return the exit code for it."""
    if hasattr(error, "format_message"):  # click's own, from wherever typer takes it
        complain(_in_words(error))
        return USAGE
    code = _code_of(error)
    if code is not None:
        complain(str(error))
        _show_notes(error)
        return code
    if is_verbose:
        import traceback  # noqa: PLC0415  (only for an error)

        traceback.print_exception(error)
    complain(f"internal error: {type(error).__name__}: {printable(str(error))}")
    _show_notes(error)
    return INTERNAL


def _in_words(error: Any) -> str:
    """A usage error of click's, with where to look for what is right."""
    command = getattr(getattr(error, "ctx", None), "command_path", "fsworkers")
    message: str = error.format_message()
    message = re.sub(r"is not a valid int(eger)?\b", "is not a whole number", message)
    if command == "fsworkers stress" and "unexpected extra argument" in message:
        message += "; a scenario is chosen by --scenario NAME"
    return f"{message} (see {command} --help)"


def _code_of(error: Exception) -> int | None:
    """What an error of ours means for the exit code; ``None`` for any other."""
    from fsworkers.engines.cluster import ClusterLost  # noqa: PLC0415  (only for an error)
    from fsworkers.engines.reducing import ReducerFailed  # noqa: PLC0415  (likewise)
    from fsworkers.errors import FsworkersError, PoolDoesNotFit, WorkerStartError  # noqa: PLC0415
    from fsworkers.journal.errors import JournalFailed  # noqa: PLC0415  (only for an error)
    from fsworkers.sinks.errors import DigestsMissing, OutputFailed  # noqa: PLC0415

    if isinstance(error, DigestsMissing):
        return FAILED
    internal = (
        ClusterLost, JournalFailed, OutputFailed, PoolDoesNotFit, ReducerFailed, WorkerStartError,
    )  # fmt: skip
    if isinstance(error, internal):
        return INTERNAL
    return USAGE if isinstance(error, FsworkersError) else None


def _show_notes(error: Exception) -> None:
    for note in getattr(error, "__notes__", ()):
        say(shown(note))
