"""The options of ``fsworkers process``: how each is written, and what its help says.

Help groups them by the panel that each names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fsworkers.cli.completion import run_names, task_names, task_options

_WHAT = "What is done to each file"
_WHICH = "Which files"
_HOW = "How it runs"
_OUTPUT = "Output"
_JOURNAL = "Journal"
_CONFIGURATION = "Configuration"

# fmt: off
Paths = Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", help="Directories and files, or URLs (s3://, https:// …).", show_default=False)]
TaskName = Annotated[str | None, typer.Option("-t", "--task", metavar="NAME", autocompletion=task_names, help="A task: checksum, unless another is named. fsworkers tasks lists them.", rich_help_panel=_WHAT)]
Call = Annotated[str | None, typer.Option("--call", metavar="MODULE:FUNCTION", help="Your own function, plain or coroutine, or file.py:FUNCTION; it gets the path.", rich_help_panel=_WHAT)]
TaskOptions = Annotated[list[str] | None, typer.Option("--option", metavar="KEY=VALUE", autocompletion=task_options, help="An option of the task. Repeatable.", rich_help_panel=_WHAT)]
Exec = Annotated[list[str] | None, typer.Option("-x", "--exec", metavar="CMD...", help="Run a command for each file: all words up to ; or the end. {} is the path, {/} the name, {//} the directory, {.} and {/.} without extension, {rel} {rel.} {rel//} below the PATH, {#} a number, {%} the worker, {out} what --to names; without any, {} comes last.", rich_help_panel=_WHAT)]
ExecBatch = Annotated[list[str] | None, typer.Option("-X", "--exec-batch", metavar="CMD...", help="Run a command for as many files at once as the system takes.", rich_help_panel=_WHAT)]
BatchSize = Annotated[int | None, typer.Option("--batch-size", metavar="N", help="With -X, at most so many.", rich_help_panel=_WHAT)]
Bisect = Annotated[bool, typer.Option("--bisect", help="With -X, run halves of what failed until the files it fails on are alone.", rich_help_panel=_WHAT)]
To = Annotated[str | None, typer.Option("--to", metavar="TEMPLATE", help="The output of each file, as in thumbs/{rel.}.webp: written to {out} (with --call, the second argument), made once, whole or not at all.", rich_help_panel=_WHAT)]
Always = Annotated[bool, typer.Option("--always", help="With --to, also files whose output is up to date.", rich_help_panel=_WHAT)]
Stdin = Annotated[bool, typer.Option("--stdin", help="The command reads the file on its standard input.", rich_help_panel=_WHAT)]
Urls = Annotated[bool, typer.Option("--urls/--localize", help="Where PATHs are URLs, --call and commands get the URL, or a local copy.", rich_help_panel=_WHAT)]

Globs = Annotated[list[str] | None, typer.Option("-g", "--glob", metavar="GLOB", help="Only files that match. Ignores case unless it holds a capital letter. Repeatable.", rich_help_panel=_WHICH)]
Excludes = Annotated[list[str] | None, typer.Option("-E", "--exclude", metavar="GLOB", help="Leave out files and directories that match, by their exact case. Repeatable.", rich_help_panel=_WHICH)]
SkipHidden = Annotated[bool, typer.Option("--skip-hidden", help="Leave out names that begin with a dot.", rich_help_panel=_WHICH)]
Follow = Annotated[bool, typer.Option("-L", "--follow", help="Follow symbolic links.", rich_help_panel=_WHICH)]
MaxDepth = Annotated[int | None, typer.Option("-d", "--max-depth", metavar="N", help="How deep to descend; 1 takes the files right in a PATH.", rich_help_panel=_WHICH)]
Sizes = Annotated[list[str] | None, typer.Option("-S", "--size", metavar="SIZE", help="+10k at least, -1M at most, 512b exactly. Repeatable.", rich_help_panel=_WHICH)]
FilesFrom = Annotated[str | None, typer.Option("--files-from", metavar="FILE", help="Read the paths from a file, or from stdin (-), one a line.", rich_help_panel=_WHICH)]
Nul = Annotated[bool, typer.Option("-0", "--null", help="The paths of --files-from end with NUL instead of a newline.", rich_help_panel=_WHICH)]

Engine = Annotated[str | None, typer.Option("--engine", metavar="NAME", help="Where it runs: local, worker processes here; inline, this very process; dask://HOST:PORT or dask:FILE.json, a Dask cluster; dask, a small one here, for trying.", show_default="local", rich_help_panel=_HOW)]
ResumeEngine = Annotated[str | None, typer.Option("--engine", metavar="NAME", help="Where it runs now, as in process; by default as before.", rich_help_panel=_HOW)]
Workers = Annotated[str | None, typer.Option("-j", "--workers", metavar="N", help="Worker processes: 4, 50% of the processors, +1 more than those; by default one per processor.", rich_help_panel=_HOW)]
Slots = Annotated[int | None, typer.Option("--slots", metavar="N", help="Jobs at one time in each worker: 1, and 64 for coroutines.", rich_help_panel=_HOW)]
MaxOpenFiles = Annotated[int | None, typer.Option("--max-open-files", metavar="N", help="Descriptors each worker may lend; by default what its limit leaves.", rich_help_panel=_HOW)]
Timeout = Annotated[str | None, typer.Option("--timeout", metavar="TIME", help="Longest time of one attempt: 5s, 2min, or a number of seconds.", rich_help_panel=_HOW)]
Retries = Annotated[int | None, typer.Option("--retries", metavar="N", help="Further attempts after a failure that may pass.", show_default=False, rich_help_panel=_HOW)]
RetryPause = Annotated[str | None, typer.Option("--retry-pause", metavar="TIME", help="How long before each; by default a random time that grows to 10s.", rich_help_panel=_HOW)]
RetryOn = Annotated[str | None, typer.Option("--retry-on", metavar="CODES", help="Exit codes of a command that --retries is about, as in 75,111; by default none.", rich_help_panel=_HOW)]
Nice = Annotated[int, typer.Option("--nice", metavar="N", help="Lower the priority of the workers and what they start, by up to 19.", show_default=False, rich_help_panel=_HOW)]
MaxRss = Annotated[str | None, typer.Option("--max-rss", metavar="SIZE", help="Most memory, as in 500M: a command that has more fails, a worker is replaced after its job.", rich_help_panel=_HOW)]
MemFree = Annotated[str | None, typer.Option("--memfree", metavar="SIZE", help="Begin nothing new while less memory than this is available, as in 2G.", rich_help_panel=_HOW)]
Load = Annotated[float | None, typer.Option("--load", metavar="N", help="Begin nothing new while more processes than this run on the machine.", rich_help_panel=_HOW)]
MaxJobs = Annotated[int | None, typer.Option("--max-jobs-per-worker", metavar="N", help="Replace a worker after so many jobs.", rich_help_panel=_HOW)]
Halt = Annotated[str | None, typer.Option("--halt", metavar="RULE", help="Give up after so many failures: soon,fail=3 lets running jobs finish, now,fail=10% ends them.", rich_help_panel=_HOW)]
NoInstall = Annotated[bool, typer.Option("--no-install", help="Leave open() and the like as they are in the workers.", rich_help_panel=_HOW)]
DryRun = Annotated[bool, typer.Option("-n", "--dry-run", help="Only list what would be processed: the paths, or the commands.", rich_help_panel=_HOW)]

Output = Annotated[str | None, typer.Option("-o", "--output", metavar="FILE", help="Write results here, as its suffix says: .jsonl, .csv, .parquet, .db (SQLite), .sha256, .md5 and so on; - is stdout, in full.", rich_help_panel=_OUTPUT)]
Format = Annotated[str | None, typer.Option("--format", metavar="FORMAT", help="Of what goes to stdout: jsonl, which a pipe gets by default; table, the first results, which a terminal gets; csv; raw, a command's own output, which -x and -X show by default; or a template, as in '{path}\\t{value}\\t{size}'.", rich_help_panel=_OUTPUT)]
Tag = Annotated[bool, typer.Option("--tag", help="With a command's own output: the path before each line.", rich_help_panel=_OUTPUT)]
LineBuffer = Annotated[bool, typer.Option("--line-buffer", help="Show a command's own output while it runs, each line at once.", rich_help_panel=_OUTPUT)]
Results = Annotated[str | None, typer.Option("--results", metavar="DIR", help="Write each command's stdout, stderr and exit code below DIR, in full.", rich_help_panel=_OUTPUT)]
KeepOrder = Annotated[bool, typer.Option("-k", "--keep-order", help="Results in the order in which files are found.", rich_help_panel=_OUTPUT)]
Summary = Annotated[str | None, typer.Option("--summary", metavar="FILE", help="Write the totals here, as JSON; - is stdout.", rich_help_panel=_OUTPUT)]
Metrics = Annotated[str | None, typer.Option("--metrics", metavar="FILE", help="Keep figures of the run here, for the textfile collector of Prometheus.", rich_help_panel=_OUTPUT)]
Progress = Annotated[bool | None, typer.Option("--progress/--no-progress", help="A live line on stderr; by default where it has a terminal to itself.", rich_help_panel=_OUTPUT)]
ProgressEvery = Annotated[str, typer.Option("--progress-every", metavar="TIME", help="How often a line of figures is written where there is no terminal.", show_default="10s", rich_help_panel=_OUTPUT)]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No live line and no totals on stderr.", rich_help_panel=_OUTPUT)]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Name every file that was not done, with its traceback.", rich_help_panel=_OUTPUT)]

Profile = Annotated[str | None, typer.Option("--profile", metavar="NAME", help="Options that stand under this name in fsworkers.toml, pyproject.toml or your own configuration.", rich_help_panel=_CONFIGURATION)]
ShowConfig = Annotated[bool, typer.Option("--show-config", help="Only show what each option is, and where that stands.", rich_help_panel=_CONFIGURATION)]
Journal = Annotated[Path | None, typer.Option("--journal", metavar="FILE", help="The journal of runs; by default one for each run, in the user's state directory.", rich_help_panel=_JOURNAL)]
NoJournal = Annotated[bool, typer.Option("--no-journal", help="Record nothing; the run can't be resumed.", rich_help_panel=_JOURNAL)]
Changed = Annotated[bool, typer.Option("--changed", help="Do only what is new or changed since earlier runs of this task; the output is whole.", rich_help_panel=_JOURNAL)]

Run = Annotated[str | None, typer.Argument(metavar="[RUN]", autocompletion=run_names, help="The run, or how its name begins; by default the last one.", show_default=False)]
NamedTask = Annotated[str | None, typer.Argument(metavar="[NAME]", autocompletion=task_names, help="A task to tell of; by default all are listed.", show_default=False)]
Failed = Annotated[bool, typer.Option("--failed", help="Only files that failed.", rich_help_panel=_OUTPUT)]
Json = Annotated[bool, typer.Option("--json", help="JSON Lines instead of a table.", rich_help_panel=_OUTPUT)]
# fmt: on
