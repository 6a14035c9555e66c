"""The options of ``fsworkers process``: how each is written, and what its help says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# fmt: off
Paths = Annotated[list[str] | None, typer.Argument(metavar="PATH...", show_default=False)]
TaskName = Annotated[
    str | None, typer.Option("-t", "--task", help="Built-in task.", show_default="checksum")
]
Call = Annotated[
    str | None,
    typer.Option(
        "--call",
        metavar="MODULE:FUNCTION",
        help="Your own function, plain or coroutine; it gets the path.",
    ),
]
TaskOptions = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="KEY=VALUE", help="An option of the task. Repeatable."),
]
Workers = Annotated[
    int | None,
    typer.Option("-j", "--workers", help="Worker processes.", show_default="one per processor"),
]
Slots = Annotated[
    int | None,
    typer.Option(
        "--slots", help="Jobs at one time in each worker.", show_default="1; 64 for coroutines"
    ),
]
MaxOpenFiles = Annotated[
    int | None,
    typer.Option(
        "--max-open-files",
        help="Descriptors each worker may lend.",
        show_default="what its limit leaves",
    ),
]
Globs = Annotated[
    list[str] | None, typer.Option("-g", "--glob", help="Only files that match. Repeatable.")
]
Excludes = Annotated[
    list[str] | None,
    typer.Option("-E", "--exclude", help="Leave out files and directories that match. Repeatable."),
]
SkipHidden = Annotated[
    bool, typer.Option("--skip-hidden", help="Leave out names that begin with a dot.")
]
Follow = Annotated[bool, typer.Option("-L", "--follow", help="Follow symbolic links.")]
MaxDepth = Annotated[int | None, typer.Option("-d", "--max-depth", help="How deep to descend.")]
Sizes = Annotated[
    list[str] | None,
    typer.Option("-S", "--size", help="+10k at least, -1M at most, 512b exactly. Repeatable."),
]
ChangedWithin = Annotated[
    str | None,
    typer.Option("--changed-within", help="Only files modified in the last 10min, 2h, 3d, 1w…"),
]
FilesFrom = Annotated[
    str | None,
    typer.Option(
        "--files-from",
        metavar="FILE|-",
        help="Read the paths from a file or from stdin, one a line.",
    ),
]
Nul = Annotated[
    bool, typer.Option("-0", help="The paths of --files-from end with NUL instead of a newline.")
]
Retries = Annotated[
    int, typer.Option("--retries", help="Further attempts after a failure that may pass.")
]
Timeout = Annotated[
    str | None, typer.Option("--timeout", help="Longest time of one attempt: 5s, 2min; or seconds.")
]
Halt = Annotated[
    str | None,
    typer.Option(
        "--halt",
        metavar="WHEN,fail=N[%]",
        help="Give up after so many failures: soon lets running jobs finish, now ends them.",
    ),
]
NoInstall = Annotated[bool, typer.Option("--no-install", help="Leave open() and the like as they are in the workers.")]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help="Write results here: .jsonl, .csv, .sha256…",
        show_default="JSON Lines on stdout",
    ),
]
Summary = Annotated[
    Path | None,
    typer.Option("--summary", metavar="FILE.json|-", help="Write the totals here, as JSON."),
]
KeepOrder = Annotated[
    bool, typer.Option("-k", "--keep-order", help="Results in the order in which files are found.")
]
Journal = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        metavar="FILE",
        help="The journal of runs.",
        show_default="one for each run, in the user's state directory",
    ),
]
NoJournal = Annotated[
    bool, typer.Option("--no-journal", help="Record nothing; the run can't be resumed.")
]
Changed = Annotated[
    bool,
    typer.Option(
        "--changed", help="Only files that are new or changed since earlier runs of this task."
    ),
]
Run = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN]", help="The run, or how its name begins.", show_default="the last one"
    ),
]
Failed = Annotated[bool, typer.Option("--failed", help="Only files that failed.")]
Json = Annotated[bool, typer.Option("--json", help="JSON Lines instead of a table.")]
DryRun = Annotated[bool, typer.Option("-n", "--dry-run", help="Only list what would be processed.")]
Progress = Annotated[
    bool | None,
    typer.Option(
        "--progress/--no-progress", help="Live line on stderr.", show_default="on a terminal of its own"
    ),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no summary on stderr.")]
Verbose = Annotated[
    bool,
    typer.Option("-v", "--verbose", help="Name every file that was not done, with its traceback."),
]
# fmt: on
