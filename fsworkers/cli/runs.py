"""``fsworkers runs``: what has been run, and what became of it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import typer

from fsworkers.cli.exits import DONE, leave_quietly, put
from fsworkers.journal.places import default_directory, find_runs
from fsworkers.model import FAILURES
from fsworkers.names import printable
from fsworkers.sinks.plain import lossy, terminal_safe

if TYPE_CHECKING:
    from pathlib import Path

    from fsworkers.journal.places import Located
    from fsworkers.journal.record import RunRecord


def runs(*, journal: Path | None, json: bool) -> int:
    """List the runs that are recorded, the latest last."""
    located = find_runs(journal)
    try:
        if json:
            _write_json(located)
        elif located:
            _write_table(located)
        else:
            put(f"no run is recorded in {printable(journal or default_directory())}\n")
    except BrokenPipeError:
        return leave_quietly()
    return DONE


def _write_json(located: list[Located]) -> None:
    import msgspec  # noqa: PLC0415

    lines = msgspec.json.Encoder().encode_lines([described(one) for one in located])
    put(terminal_safe(lines))


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
    is_terminal = os.isatty(1)
    width = get_terminal_size().columns if is_terminal else None
    lines = table_of([one.run for one in located], width)
    if is_terminal and not os.environ.get("NO_COLOR"):
        lines = [lines[0], *map(_coloured, lines[1:], [one.run.state for one in located])]
    put("".join(f"{line}\n" for line in lines))


def table_of(runs: list[RunRecord], width: int | None) -> list[str]:
    """A heading and a line for each run, cut to ``width`` columns; ``None`` where nothing is.

    Only the command is ever cut. Where there is little room, the start is told by a run's name
    alone, which has it in UTC.
    """
    rows: list[tuple[str, ...]] = [("run", "started", "state", "files", "failed", "command")]
    rows += [
        (
            run.id,
            local_time(run.started)[:16],
            run.state,
            f"{run.found:,}",
            f"{sum(run.counts[status] for status in FAILURES):,}",
            run.command.removeprefix("fsworkers ").removeprefix("process "),
        )
        for run in runs
    ]
    if width is not None and width < _ROOMY_COLUMNS:
        rows = [(run, *others) for run, _, *others in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    lines = []
    for *cells, command in rows:
        is_number = [False] * (len(cells) - 2) + [True, True]
        aligned = [
            cell.rjust(size) if right else cell.ljust(size)
            for cell, size, right in zip(cells, widths, is_number, strict=True)
        ]
        line = "  ".join([*aligned, command])
        lines.append(line if width is None else _cut(line, width))
    return lines


def _cut(line: str, width: int) -> str:
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415  (only for a terminal)

    return line if cell_len(line) <= width else set_cell_size(line, width - 1).rstrip() + "…"


def _coloured(line: str, state: str) -> str:
    return line.replace(state, typer.style(state, fg=_COLOURS.get(state)), 1)


_ROOMY_COLUMNS = 100

_COLOURS = {
    "finished": "green",
    "running": "cyan",
    "interrupted": "yellow",
    "halted": "yellow",
    "killed": "red",
}
