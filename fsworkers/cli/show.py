"""``fsworkers show``: what became of a run's files."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from fsworkers.cli.exits import DONE, leave_quietly, put
from fsworkers.cli.report import counts_in_words, human_bytes, named
from fsworkers.cli.runs import local_time
from fsworkers.journal.blocks import RunBlocks
from fsworkers.journal.known import is_unchanged
from fsworkers.journal.outcomes import count_outcomes, read_outcomes
from fsworkers.journal.places import find_run
from fsworkers.model import FAILURES, STATUSES
from fsworkers.names import printable
from fsworkers.sinks.jsonl import json_lines

if TYPE_CHECKING:
    from pathlib import Path

    from fsworkers.journal.places import Located
    from fsworkers.model import Outcome

_NOT_DONE = tuple(status for status in STATUSES if status != "done")


def show(
    *,
    run: str | None,
    journal: Path | None,
    failed: bool,
    json: bool,
) -> int:
    """Show what a run came to, and the files that were not done.

    With --json, every file as a line like those of `process`.
    """
    located = find_run(journal, run)
    try:
        with closing(RunBlocks(located.journal, located.run.number)) as blocks:
            if json:
                _write_json(blocks, only_failures=failed)
            else:
                _write_text(blocks, located, only_failures=failed)
    except BrokenPipeError:
        return leave_quietly()
    return DONE


def _write_json(blocks: RunBlocks, *, only_failures: bool) -> None:
    statuses = FAILURES if only_failures else None
    for batch in read_outcomes(blocks, statuses):
        put(json_lines(batch))


def _write_text(blocks: RunBlocks, located: Located, *, only_failures: bool) -> None:
    run = located.run
    counts, size_bytes = count_outcomes(blocks)
    put(
        f"run      {run.id}, {run.state}\n"
        f"command  {run.command}\n"
        f"in       {printable(run.cwd)}\n"
        f"started  {local_time(run.started)}, at work for {run.seconds:.2f} s\n"
        f"files    {counts.total():,}: {counts_in_words(counts) or 'none'}; "
        f"{human_bytes(size_bytes)}\n"
    )
    unchanged = 0
    for batch in read_outcomes(blocks, FAILURES if only_failures else _NOT_DONE):
        told = [outcome for outcome in batch if not is_unchanged(outcome)]
        unchanged += len(batch) - len(told)
        put("".join(named(outcome) + "\n" + _left_by(outcome) for outcome in told))
    if unchanged:
        put(f"{unchanged:,} skipped because they are unchanged since earlier runs\n")


def _left_by(outcome: Outcome) -> str:
    """Of a command that failed: what was run, how it ended, and its last lines."""
    if not (isinstance(outcome.value, dict) and outcome.traceback):
        return ""
    return "".join(f"    {printable(line)}\n" for line in outcome.traceback.split("\n"))
