"""``fsworkers limits``: the descriptor limits here, and what the budget makes of them."""

from __future__ import annotations

import typer

from fsworkers import graceful


def limits() -> None:
    """Show the descriptor limits of this machine and process, and the budget that follows."""
    now = graceful.limits()
    rows = [
        ("soft limit (ulimit -n)", now.soft_limit),
        ("hard limit (ulimit -Hn)", now.hard_limit),
        ("open in this process", now.in_use),
        ("kept in reserve", now.reserve),
        ("budget for file operations", now.budget),
        ("open on this machine", now.machine_in_use),
        ("limit of this machine", now.machine_limit),
    ]
    for name, value in rows:
        typer.echo(f"{name:<28}{'unknown' if value is None else f'{value:,}'}")
    typer.echo("What would change it:")
    if now.hard_limit is None or now.soft_limit is None or now.soft_limit < now.hard_limit:
        most = "any number" if now.hard_limit is None else f"at most {now.hard_limit:,}"
        typer.echo(f"  more: ulimit -n NUMBER, {most} without the administrator's help")
    else:
        typer.echo("  more: the soft limit is at the hard one; only the administrator can raise it")
    typer.echo("  less: fsworkers process --max-open-files NUMBER, for each worker")
