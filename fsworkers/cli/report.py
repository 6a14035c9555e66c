"""What a person reads at the end of a run: one line, and the files that were not done."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fsworkers.names import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsworkers.engines.trees import TreeRun
    from fsworkers.model import Outcome, RunSummary

MOST_NAMED = 10


class Report:
    """Remembers what went wrong, as far as it will be told.

    Args:
        run: The run.
        is_verbose: Name every file at once, with its traceback; else the first few at the end.
    """

    def __init__(self, run: TreeRun, *, is_verbose: bool) -> None:
        self._run = run
        self._is_verbose = is_verbose
        self._named: list[Outcome] = []

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Look for outcomes that a person wants to hear of."""
        for outcome in [one for one in outcomes if one.status != "done"]:
            if self._is_verbose:
                self._say(outcome)
            elif outcome.status not in {"skipped", "cancelled"} and len(self._named) < MOST_NAMED:
                self._named.append(outcome)

    def write(self, summary: RunSummary, *, begin: str = "") -> None:
        """Write the end of the story to stderr; its last line starts with ``begin``."""
        for outcome in self._named:
            self._say(outcome)
        bad = summary.failed + summary.timed_out + summary.crashed
        if bad > len(self._named) and not self._is_verbose:
            print(f"… and {bad - len(self._named):,} more; -v names them all", file=sys.stderr)  # noqa: T201
        print(begin + one_line(summary), file=sys.stderr)  # noqa: T201

    def _say(self, outcome: Outcome) -> None:
        print(  # noqa: T201
            f"{outcome.status}: {printable(outcome.path)}: {printable(outcome.error or '')}",
            file=sys.stderr,
        )
        if self._is_verbose and outcome.traceback:
            for line in outcome.traceback.splitlines():
                print(f"    {printable(line)}", file=sys.stderr)  # noqa: T201


def one_line(summary: RunSummary) -> str:
    """A run in one line, the zeros left out."""
    counts = ", ".join(
        f"{count:,} {name}"
        for name, count in (
            ("done", summary.done),
            ("failed", summary.failed),
            ("skipped", summary.skipped),
            ("timed out", summary.timed_out),
            ("crashed", summary.crashed),
            ("cancelled", summary.cancelled),
        )
        if count
    )
    files = "file" if summary.found == 1 else "files"
    workers = "worker" if summary.workers == 1 else "workers"
    return (
        f"{summary.found:,} {files}: {counts or 'nothing to do'}; "
        f"{human_bytes(summary.bytes)} in {summary.seconds:.2f} s "
        f"({summary.files_per_s:,.0f} files/s, {summary.workers} {workers})"
    )


def human_bytes(size_bytes: float) -> str:
    """A number of bytes with three digits and a decimal unit, as ``ls --si`` rounds."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size_bytes < 999.5:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.3g} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.3g} PB"
