"""What a person reads at the end of a run: one line, and the files that were not done."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from fsworkers.cli.exits import say
from fsworkers.journal.known import is_unchanged
from fsworkers.model import STATUSES
from fsworkers.names import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fsworkers.engines.run import Run
    from fsworkers.model import Outcome, RunSummary, Status
    from fsworkers.tasks.task import Reducer

MOST_NAMED = 10


class Report:
    """Remembers what went wrong, as far as it will be told.

    Args:
        run: The run.
        is_verbose: Name every file at once, with its traceback; else the first few at the end.
        is_recorded: All of it can be looked up later.
    """

    def __init__(self, run: Run, *, is_verbose: bool, is_recorded: bool) -> None:
        self._tells_all = "fsworkers show" if is_recorded else "-v"
        self._run = run
        self._is_verbose = is_verbose
        self._named: list[Outcome] = []
        self._missing: list[str] = []
        self._missing_count = 0

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Look for outcomes that a person wants to hear of."""
        for outcome in [one for one in outcomes if one.status != "done" and not is_unchanged(one)]:
            if self._is_verbose:
                self._say(outcome)
            elif outcome.status not in {"skipped", "cancelled"} and len(self._named) < MOST_NAMED:
                self._named.append(outcome)

    def add_missing(self, portions: Iterable[Sequence[str]]) -> int:
        """Note files of an earlier run that are gone; how many there are."""
        for paths in portions:
            self._missing_count += len(paths)
            if self._is_verbose:
                for path in paths:
                    say(_missing(path))
            else:
                self._missing += paths[: MOST_NAMED - len(self._missing)]
        return self._missing_count

    def write(self, summary: RunSummary, reduced: Iterable[str] = (), *, begin: str = "") -> None:
        """Write the end of the story to stderr; its last line starts with ``begin``.

        Args:
            summary: What the run came to.
            reduced: What the task made of all files together, in lines.
            begin: Why it ended before its time.
        """
        for outcome in self._named:
            self._say(outcome)
        bad = summary.failed + summary.timed_out + summary.crashed
        if bad > len(self._named) and not self._is_verbose:
            say(f"… and {bad - len(self._named):,} more; {self._tells_all} names them all")
        for path in self._missing:
            say(_missing(path))
        more = self._missing_count - len(self._missing)
        if more and not self._is_verbose:
            say(f"… and {more:,} more are missing; -v names them all")
        for line in reduced:
            say(printable(line))
        tally = self._run.tally
        say(begin + one_line(summary, done_before=tally.done_before, unchanged=tally.unchanged))

    def _say(self, outcome: Outcome) -> None:
        say(named(outcome))
        if self._is_verbose and outcome.traceback:
            for line in outcome.traceback.splitlines():
                say(f"    {printable(line)}")


def lines_of(reducer: Reducer | None, summary: RunSummary) -> Iterable[str]:
    """What a task made of all files together, for a person: its own lines, or its plain figures."""
    own = getattr(reducer, "lines", None)
    if own is not None:
        return cast("Iterable[str]", own())
    figures = [
        f"{value:,} {key.replace('_', ' ')}"
        for key, value in (summary.reduced or {}).items()
        if isinstance(value, (int, float))
    ]
    return [", ".join(figures)] if figures else []


def _missing(path: str) -> str:
    return f"missing: {printable(path)}"


def named(outcome: Outcome) -> str:
    """An outcome that was not ``done``, in a line."""
    error = f": {printable(outcome.error)}" if outcome.error else ""
    return f"{outcome.status}: {printable(outcome.path)}{error}"


def one_line(summary: RunSummary, *, done_before: int = 0, unchanged: int = 0) -> str:
    """A run in one line, the zeros left out."""
    counts = counts_in_words({status: getattr(summary, status) for status in STATUSES})
    files = "file" if summary.found == 1 else "files"
    workers = "worker" if summary.workers == 1 else "workers"
    before = f" ({done_before:,} of them done before)" if done_before else ""
    same = f" ({unchanged:,} unchanged)" if unchanged else ""
    gone = f", {summary.missing:,} missing" if summary.missing else ""
    return (
        f"{summary.found:,} {files}{before}: {counts or 'nothing to do'}{same}{gone}; "
        f"{human_bytes(summary.bytes)} in {summary.seconds:.2f} s "
        f"({summary.files_per_s:,.0f} files/s, {summary.workers} {workers})"
    )


def counts_in_words(counts: Mapping[Status, int]) -> str:
    """Outcomes as ``3 done, 1 timed out``; empty where there are none."""
    return ", ".join(
        f"{counts[status]:,} {status.replace('_', ' ')}"
        for status in STATUSES
        if counts.get(status)
    )


def human_bytes(size_bytes: float) -> str:
    """A number of bytes with a decimal unit."""
    from rich import filesize  # noqa: PLC0415  (only where somebody reads it)

    return filesize.decimal(round(size_bytes))
