"""What a person sees while ``fsworkers stress`` runs: descriptors, queue and rate."""

from __future__ import annotations

from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType

    from fsworkers.stress.model import Look

REFRESH_S = 0.1
MOST_BARS = 8
BAR_COLUMNS = 40


def rendered(look: Look) -> RenderableType:
    """A look as it is shown: what runs, one bar a worker, the queue and the rate."""
    brief = look.brief
    limit = brief.plan.limit
    title = Text.assemble(
        (brief.scenario, "bold"),
        f"  {brief.side} code" if brief.side == "ordinary" else f"  {brief.side}",
        f"  {look.at_s:.1f} s",
    )
    bars = Table.grid(padding=(0, 1), expand=False)
    for number, count in enumerate(look.workers[:MOST_BARS]):
        style = "red" if count >= limit else "green"
        bar = ProgressBar(limit, min(count, limit), BAR_COLUMNS, complete_style=style)
        bars.add_row(f"worker {number}", bar, f"{count}/{limit}")
    hidden = look.workers[MOST_BARS:]
    if hidden:
        bars.add_row(f"{len(hidden)} more", "", f"{max(hidden)}/{limit} at most")
    figures = Text(
        f"{look.waiting:,} waiting  {look.ended:,} of {look.wanted:,} ended  {look.per_s:,.0f}/s"
    )
    if brief.plan.duration_s:
        figures.append(f"  round {look.rounds + 1}")
    return Group(title, bars, figures)


@contextmanager
def open_display(first: str) -> Iterator[Callable[[Look], None]]:
    """Show looks on stderr until the block ends, no more often than an eye can follow.

    Args:
        first: What is said until the first look.
    """
    next_s = 0.0
    console = Console(stderr=True)
    with Live(Text(first), console=console, auto_refresh=False, transient=True) as live:
        live.refresh()

        def show(look: Look) -> None:
            nonlocal next_s
            now = monotonic()
            if now >= next_s:
                next_s = now + REFRESH_S
                live.update(rendered(look), refresh=True)

        yield show
