"""``fsworkers tasks``: what is built in, with options."""

from __future__ import annotations

import typer

from fsworkers.tasks.registry import BUILT_IN


def tasks() -> None:
    """List the built-in tasks with their options."""
    for task in BUILT_IN:
        typer.echo(f"{task.name}: {task.meaning}")
        for option in task.options:
            typer.echo(
                f"  --option {option.name}={option.accepted}"
                f"  (default {option.default}; {option.meaning})"
            )
    typer.echo("Your own: --call MODULE:FUNCTION; --option KEY=VALUE is passed to it by keyword.")
