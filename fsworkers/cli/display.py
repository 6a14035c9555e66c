"""The live line on stderr while a run goes on."""

from __future__ import annotations

from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from fsworkers.cli.report import human_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress, TaskID

    from fsworkers.engines.run import Run

REFRESH_S = 0.1


class Display:
    """Shows a run's figures; the caller says when to look at them.

    Args:
        progress: rich's display.
        bar: The bar in it.
        run: The run.
    """

    def __init__(self, progress: Progress, bar: TaskID, run: Run) -> None:
        self._progress = progress
        self._bar = bar
        self._run = run
        self._next = 0.0

    def refresh(self) -> None:
        """Show the figures of this moment, no more often than an eye can follow."""
        now = monotonic()
        if now >= self._next:
            self._next = now + REFRESH_S
            self.show()

    def show(self) -> None:
        """Show the figures of this moment."""
        run = self._run
        statistics = run.engine.statistics()
        seconds = max(run.seconds, 1e-9)
        self._progress.update(
            self._bar,
            completed=run.tally.found,
            total=self._total() if run.has_scan_ended else None,
            rates=(
                f"{run.tally.new / seconds:,.0f} files/s "
                f"{human_bytes(run.tally.size_bytes / seconds)}/s"
            ),
            workers=f"{statistics.workers} workers",
            descriptors=(
                f"{statistics.lent}/{statistics.descriptors.budget * statistics.workers} open, "
                f"{statistics.waiting} waiting"
            ),
            refresh=True,
        )

    def _total(self) -> int:
        """All files there will be: what this scan found to do, and what was there before."""
        tally = self._run.tally
        return self._run.found_count + tally.found - tally.new


@contextmanager
def open_display(run: Run) -> Iterator[Display]:
    """Show a run on stderr until the block ends; what workers print appears above it."""
    from rich.console import Console  # noqa: PLC0415  (60 ms, only where there is a terminal)
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    progress = Progress(
        TextColumn("{task.completed:,} files", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[rates]}", markup=False),
        TimeRemainingColumn(),
        TextColumn("{task.fields[workers]}", markup=False),
        TextColumn("{task.fields[descriptors]}", markup=False),
        console=Console(stderr=True),
        auto_refresh=False,
        redirect_stdout=False,
        transient=True,
    )
    with progress:
        bar = progress.add_task("", total=None, rates="", workers="", descriptors="")
        display = Display(progress, bar, run)
        yield display
        display.show()
