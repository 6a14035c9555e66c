"""What a person reads at the end of ``fsworkers stress``: one table, and the verdict."""

from __future__ import annotations

from io import BytesIO, TextIOWrapper
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fsworkers.stress.verdict import HEADINGS, broken_lines, cells, is_right, notes, verdict

if TYPE_CHECKING:
    from typing import TextIO

    from fsworkers.stress.model import StressResult

NOT_A_TERMINAL_COLUMNS = 132
LEAST_COLUMNS = 64
"""With fewer, no column would be left for what went wrong: a list takes the table's place."""

NARROW = {110: ("scenario", "side", "done", "went wrong", "peak", "p99"), 80: HEADINGS[:4]}
"""What is left of the table on terminals with fewer columns than these."""

_RIGHT = frozenset({"done", "peak", "wait p50", "p99", "max", "done/s"})


def as_text(result: StressResult, stream: TextIO | None) -> str:
    """The table, the notes and the verdict, as they suit where they go.

    Args:
        result: What is told.
        stream: Where it goes; ``None`` if nobody knows.
    """
    is_terminal = stream is not None and stream.isatty()
    console = Console(
        # Not the stream itself: at the end of a capture rich writes to it, if only nothing.
        file=TextIOWrapper(BytesIO(), "utf-8" if stream is None else stream.encoding),
        force_terminal=is_terminal,
        width=None if is_terminal else NOT_A_TERMINAL_COLUMNS,
    )
    with console.capture() as capture:
        is_narrow = console.width < LEAST_COLUMNS
        console.print((_list if is_narrow else _table)(result, console.width))
        for line in notes(result):
            console.print(Text(line), soft_wrap=True)
        for scenario in result.scenarios:
            for line in broken_lines(scenario):
                console.print(Text(line), soft_wrap=True)
        style = "bold green" if result.is_kept else "bold red"
        console.print(Text(verdict(result), style=style), soft_wrap=True)
    return capture.get()


def _list(result: StressResult, _columns: int) -> Table:
    """The most important cells, one side below the other."""
    grid = Table.grid(padding=(0, 1))
    for scenario in result.scenarios:
        for side in (scenario.ordinary, scenario.fsworkers):
            name, kind, done, wrong, *_ = cells(scenario, side).values()
            if side is scenario.ordinary:
                grid.add_row(Text(name, style="bold"))
            grid.add_row(Text(f"  {kind}"), Text(f"{done} done"))
            grid.add_row("", Text(f"went wrong: {wrong}"))
    return grid


def _table(result: StressResult, columns: int) -> Table:
    headings = HEADINGS
    for most, fewer in NARROW.items():
        headings = fewer if columns < most else headings
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(
            heading,
            justify="right" if heading in _RIGHT else "left",
            no_wrap=heading != "went wrong",
        )
    for scenario in result.scenarios:
        for side in (scenario.ordinary, scenario.fsworkers):
            row = cells(scenario, side)
            if side is scenario.fsworkers:
                row["scenario"] = ""
            texts = [Text(row[heading]) for heading in headings]
            texts[headings.index("done")].stylize("green" if is_right(side) else "red")
            table.add_row(*texts, end_section=side is scenario.fsworkers)
    return table
