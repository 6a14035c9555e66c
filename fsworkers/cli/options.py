"""The options of ``fsworkers process``: how each is written, and what its help says.

Help groups them by the panel that each names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_WHAT = "What is done to each file"
_WHICH = "Which files"
_HOW = "How it runs"
_OUTPUT = "Output"
_JOURNAL = "Journal"

# fmt: off
Paths = Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", help="Directories and files.", show_default=False)]
TaskName = Annotated[str | None, typer.Option("-t", "--task", metavar="NAME", help="A built-in task: checksum, unless another is named. fsworkers tasks lists them.", rich_help_panel=_WHAT)]
Call = Annotated[str | None, typer.Option("--call", metavar="MODULE:FUNCTION", help="Your own function, plain or coroutine, or file.py:FUNCTION; it gets the path.", rich_help_panel=_WHAT)]
TaskOptions = Annotated[list[str] | None, typer.Option("--option", metavar="KEY=VALUE", help="An option of the task. Repeatable.", rich_help_panel=_WHAT)]

Globs = Annotated[list[str] | None, typer.Option("-g", "--glob", metavar="GLOB", help="Only files that match. Ignores case, here and in -E, unless it holds a capital letter. Repeatable.", rich_help_panel=_WHICH)]
Excludes = Annotated[list[str] | None, typer.Option("-E", "--exclude", metavar="GLOB", help="Leave out files and directories that match. Repeatable.", rich_help_panel=_WHICH)]
SkipHidden = Annotated[bool, typer.Option("--skip-hidden", help="Leave out names that begin with a dot.", rich_help_panel=_WHICH)]
Follow = Annotated[bool, typer.Option("-L", "--follow", help="Follow symbolic links.", rich_help_panel=_WHICH)]
MaxDepth = Annotated[int | None, typer.Option("-d", "--max-depth", metavar="N", help="How deep to descend; 1 takes the files right in a PATH.", rich_help_panel=_WHICH)]
Sizes = Annotated[list[str] | None, typer.Option("-S", "--size", metavar="SIZE", help="+10k at least, -1M at most, 512b exactly. Repeatable.", rich_help_panel=_WHICH)]
ChangedWithin = Annotated[str | None, typer.Option("--changed-within", metavar="TIME", help="Only files modified in the last 10min, 2h, 3d or 1w", rich_help_panel=_WHICH)]
FilesFrom = Annotated[str | None, typer.Option("--files-from", metavar="FILE", help="Read the paths from a file, or from stdin (-), one a line.", rich_help_panel=_WHICH)]
Nul = Annotated[bool, typer.Option("-0", help="The paths of --files-from end with NUL instead of a newline.", rich_help_panel=_WHICH)]

Workers = Annotated[int | None, typer.Option("-j", "--workers", metavar="N", help="Worker processes; by default one per processor.", rich_help_panel=_HOW)]
Slots = Annotated[int | None, typer.Option("--slots", metavar="N", help="Jobs at one time in each worker: 1, and 64 for coroutines.", rich_help_panel=_HOW)]
MaxOpenFiles = Annotated[int | None, typer.Option("--max-open-files", metavar="N", help="Descriptors each worker may lend; by default what its limit leaves.", rich_help_panel=_HOW)]
Timeout = Annotated[str | None, typer.Option("--timeout", metavar="TIME", help="Longest time of one attempt: 5s, 2min, or a number of seconds.", rich_help_panel=_HOW)]
Retries = Annotated[int, typer.Option("--retries", metavar="N", help="Further attempts after a failure that may pass.", show_default=False, rich_help_panel=_HOW)]
Halt = Annotated[str | None, typer.Option("--halt", metavar="RULE", help="Give up after so many failures: soon,fail=3 lets running jobs finish, now,fail=10% ends them.", rich_help_panel=_HOW)]
NoInstall = Annotated[bool, typer.Option("--no-install", help="Leave open() and the like as they are in the workers.", rich_help_panel=_HOW)]
DryRun = Annotated[bool, typer.Option("-n", "--dry-run", help="Only list what would be processed.", rich_help_panel=_HOW)]

Output = Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write results here, as its suffix says: .jsonl, .csv, .sha256, .md5 and so on; by default JSON Lines on stdout.", rich_help_panel=_OUTPUT)]
KeepOrder = Annotated[bool, typer.Option("-k", "--keep-order", help="Results in the order in which files are found.", rich_help_panel=_OUTPUT)]
Summary = Annotated[Path | None, typer.Option("--summary", metavar="FILE", help="Write the totals here, as JSON; - is stdout.", rich_help_panel=_OUTPUT)]
Progress = Annotated[bool | None, typer.Option("--progress/--no-progress", help="A live line on stderr; by default where it has a terminal to itself.", rich_help_panel=_OUTPUT)]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No live line and no totals on stderr.", rich_help_panel=_OUTPUT)]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Name every file that was not done, with its traceback.", rich_help_panel=_OUTPUT)]

Journal = Annotated[Path | None, typer.Option("--journal", metavar="FILE", help="The journal of runs; by default one for each run, in the user's state directory.", rich_help_panel=_JOURNAL)]
NoJournal = Annotated[bool, typer.Option("--no-journal", help="Record nothing; the run can't be resumed.", rich_help_panel=_JOURNAL)]
Changed = Annotated[bool, typer.Option("--changed", help="Do only what is new or changed since earlier runs of this task; the output is whole.", rich_help_panel=_JOURNAL)]

Run = Annotated[str | None, typer.Argument(metavar="[RUN]", help="The run, or how its name begins; by default the last one.", show_default=False)]
Failed = Annotated[bool, typer.Option("--failed", help="Only files that failed.", rich_help_panel=_OUTPUT)]
Json = Annotated[bool, typer.Option("--json", help="JSON Lines instead of a table.", rich_help_panel=_OUTPUT)]
# fmt: on
