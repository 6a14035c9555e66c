"""``fsworkers runs``: what has been run, and what became of it."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from fsworkers.cli.exits import DONE, leave_quietly
from fsworkers.journal.places import default_directory, find_runs
from fsworkers.model import FAILURES
from fsworkers.names import printable
from fsworkers.sinks.plain import lossy, terminal_safe

if TYPE_CHECKING:
    from pathlib import Path

    from fsworkers.journal.places import Located


def runs(*, journal: Path | None, json: bool) -> int:
    """List the runs that are recorded, the latest last."""
    located = find_runs(journal)
    try:
        if json:
            _write_json(located)
        elif located:
            _write_table(located)
        else:
            typer.echo(f"no run is recorded in {printable(journal or default_directory())}")
        sys.stdout.flush()
    except BrokenPipeError:
        return leave_quietly()
    return DONE


def _write_json(located: list[Located]) -> None:
    import msgspec  # noqa: PLC0415

    lines = msgspec.json.Encoder().encode_lines([described(one) for one in located])
    sys.stdout.buffer.write(terminal_safe(lines))


def described(located: Located) -> dict[str, Any]:
    """A run as JSON has it: names that are no UTF-8 are shown lossily, in text for people."""
    run = located.run
    return {
        "run": run.id,
        "state": run.state,
        "started": _iso(run.started),
        "ended": _iso(run.ended),
        "found": run.found,
        **{str(status): count for status, count in run.counts.items()},
        "bytes": run.size_bytes,
        "seconds": run.seconds,
        "cwd": lossy(run.cwd),
        "argv": [lossy(argument) for argument in run.argv],
        "task": lossy(run.fingerprint),
        "versions": run.versions,
        "journal": lossy(os.fspath(located.journal)),
    }


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def local_time(seconds: float) -> str:
    """A moment as a person here reads it."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _write_table(located: list[Located]) -> None:
    from rich.console import Console  # noqa: PLC0415  (60 ms)
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    is_terminal = sys.stdout.isatty()
    table = Table(box=None, pad_edge=False, header_style="bold", expand=is_terminal)
    for heading, width in (("run", 23), ("started", 16), ("state", 11)):
        table.add_column(heading, no_wrap=True, min_width=width)
    for heading in ("files", "failed"):
        table.add_column(heading, no_wrap=True, min_width=6, justify="right")
    table.add_column("command", no_wrap=True, overflow="ellipsis", ratio=1)
    for _, run in located:
        table.add_row(
            run.id,
            local_time(run.started)[:16],
            Text(run.state, style=_STYLES.get(run.state, "")),
            f"{run.found:,}",
            f"{sum(run.counts[status] for status in FAILURES):,}",
            Text(run.command.removeprefix("fsworkers ")),
        )
    # In a pipe nothing is cut off.
    console = Console(highlight=False, markup=False, width=None if is_terminal else 10_000)
    console.print(table)


_STYLES = {
    "finished": "green",
    "running": "cyan",
    "interrupted": "yellow",
    "halted": "yellow",
    "killed": "red",
}
