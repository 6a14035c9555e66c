"""``fsworkers process``: the main job."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fsworkers.cli.exits import DONE, FAILED
from fsworkers.cli.display import open_display
from fsworkers.cli.interrupts import Interrupts
from fsworkers.cli.report import Report
from fsworkers.engines.local import LocalEngine
from fsworkers.engines.trees import TreeRun, algorithm_of
from fsworkers.errors import BadOption, BadSetting
from fsworkers.names import printable
from fsworkers.pool.settings import PoolSettings
from fsworkers.scan.file_list import read_file_list, scan_list
from fsworkers.scan.options import ScanOptions, parse_duration, parse_size
from fsworkers.scan.roots import check_paths
from fsworkers.scan.tree import scan
from fsworkers.sinks.open import open_sink
from fsworkers.sinks.summary import check_summary_target, write_summary
from fsworkers.tasks.callables import load_callable
from fsworkers.tasks.registry import DEFAULT_TASK, make_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fsworkers.model import Entry


def process(
    paths: Annotated[list[str] | None, typer.Argument(metavar="PATH...", show_default=False)] = None,
    task: Annotated[str | None, typer.Option("-t", "--task", help="Built-in task.", show_default=DEFAULT_TASK)] = None,
    call: Annotated[str | None, typer.Option("--call", metavar="MODULE:FUNCTION", help="Your own function, plain or coroutine; it gets the path.")] = None,
    option: Annotated[list[str] | None, typer.Option("--option", metavar="KEY=VALUE", help="An option of the task. Repeatable.")] = None,
    workers: Annotated[int | None, typer.Option("-j", "--workers", help="Worker processes.", show_default="one per processor")] = None,
    slots: Annotated[int | None, typer.Option("--slots", help="Jobs at one time in each worker.", show_default="1; 64 for coroutines")] = None,
    max_open_files: Annotated[int | None, typer.Option("--max-open-files", help="Descriptors each worker may lend.", show_default="what its limit leaves")] = None,
    glob: Annotated[list[str] | None, typer.Option("-g", "--glob", help="Only files that match. Repeatable.")] = None,
    exclude: Annotated[list[str] | None, typer.Option("-E", "--exclude", help="Leave out files and directories that match. Repeatable.")] = None,
    skip_hidden: Annotated[bool, typer.Option("--skip-hidden", help="Leave out names that begin with a dot.")] = False,
    follow: Annotated[bool, typer.Option("-L", "--follow", help="Follow symbolic links.")] = False,
    max_depth: Annotated[int | None, typer.Option("-d", "--max-depth", help="How deep to descend.")] = None,
    size: Annotated[list[str] | None, typer.Option("-S", "--size", help="+10k at least, -1M at most, 512b exactly. Repeatable.")] = None,
    changed_within: Annotated[str | None, typer.Option("--changed-within", help="Only files modified in the last 10min, 2h, 3d, 1w…")] = None,
    files_from: Annotated[str | None, typer.Option("--files-from", metavar="FILE|-", help="Read the paths from a file or from stdin, one a line.")] = None,
    nul: Annotated[bool, typer.Option("-0", help="The paths of --files-from end with NUL instead of a newline.")] = False,
    retries: Annotated[int, typer.Option("--retries", help="Further attempts after a failure that may pass.")] = 0,
    timeout: Annotated[float | None, typer.Option("--timeout", help="Longest time of one attempt in seconds.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write results here: .jsonl, .csv, .sha256…", show_default="JSON Lines on stdout")] = None,
    summary: Annotated[Path | None, typer.Option("--summary", metavar="FILE.json", help="Write the totals here, as JSON.")] = None,
    keep_order: Annotated[bool, typer.Option("-k", "--keep-order", help="Results in the order in which files are found.")] = False,
    dry_run: Annotated[bool, typer.Option("-n", "--dry-run", help="Only list what would be processed.")] = False,
    progress: Annotated[bool | None, typer.Option("--progress/--no-progress", help="Show progress on stderr.", show_default="on a terminal")] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no summary on stderr.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Name every file that was not done, with its traceback.")] = False,
) -> int:  # fmt: skip
    """Run a task on every file under each PATH; without --task, compute its sha256."""
    roots = list(paths or [])
    if not roots and files_from is None:
        raise BadSetting("PATH", None, "at least one directory or file, or --files-from")
    function = _task_function(task, call, _options(option or []))
    settings = PoolSettings(
        workers=workers,
        slots=slots,
        max_open_files=max_open_files,
        timeout=timeout,
        retries=retries,
    )
    try:
        scan_options = ScanOptions(
            globs=tuple(glob or ()),
            excludes=tuple(exclude or ()),
            skip_hidden=skip_hidden,
            follow=follow,
            max_depth=max_depth,
            sizes=tuple(parse_size(text) for text in size or ()),
            changed_within_s=None if changed_within is None else parse_duration(changed_within),
        )
    except ValueError as error:
        raise BadOption(str(error)) from error
    check_paths(roots)
    own = [path for path in (output, summary) if path is not None]
    found = _found(roots, files_from, scan_options, own, is_nul=nul)
    if dry_run:
        return _list_only(found)
    job = _Job(function, settings, found, output, summary, is_ordered=keep_order)
    is_shown = not quiet and (
        progress if progress is not None else sys.stderr.isatty() and not _is_stdout_shown(output)
    )
    return job.run(is_shown=is_shown, is_quiet=quiet, is_verbose=verbose)


def _task_function(
    task: str | None, call: str | None, options: dict[str, str]
) -> Callable[[str], Any]:
    if call is None:
        return make_task(task or DEFAULT_TASK, options)
    if task is not None:
        raise BadSetting("--task", task, "either --task or --call, not both")
    return load_callable(call, options)


def _options(pairs: list[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not (key and separator):
            raise BadSetting("--option", pair, "KEY=VALUE")
        options[key] = value
    return options


def _found(
    roots: list[str], files_from: str | None, options: ScanOptions, own: list[Path], *, is_nul: bool
) -> Iterable[str | Entry]:
    """What the scan will find; our own outputs are no input."""
    if files_from is None:
        return scan(roots, options, own=own)
    try:
        stream = sys.stdin.buffer if files_from == "-" else open(files_from, "rb")  # noqa: SIM115
    except OSError as error:
        raise BadOption(f"--files-from {printable(files_from)}: {error.strerror}") from error
    return scan_list(chain(roots, read_file_list(stream, is_nul)), options, own=own)


def _list_only(found: Iterable[str | Entry]) -> int:
    """Write the paths that would be processed, as exact bytes, one a line."""
    for one in found:
        if isinstance(one, str):
            sys.stdout.buffer.write(os.fsencode(one) + b"\n")
    sys.stdout.buffer.flush()
    return DONE


def _is_stdout_shown(output: Path | None) -> bool:
    """Whether results go to a terminal, where a live display would garble them."""
    return output is None and sys.stdout.isatty()


@dataclass(frozen=True, slots=True)
class _Job:
    """Everything that was asked for, ready to run."""

    function: Callable[[str], Any]
    settings: PoolSettings
    found: Iterable[str | Entry]
    output: Path | None
    summary: Path | None
    is_ordered: bool

    def run(self, *, is_shown: bool, is_quiet: bool, is_verbose: bool) -> int:
        """Run it, and return the exit code."""
        with ExitStack() as stack:
            sink = open_sink(self.output, algorithm=algorithm_of(self.function))
            stack.callback(sink.close)
            if self.summary is not None:
                check_summary_target(self.summary)
            engine = LocalEngine(self.settings)
            stack.callback(engine.close)
            run = TreeRun(engine, self.function, self.found, ordered=self.is_ordered)
            interrupts = stack.enter_context(Interrupts(run))
            report = Report(run, is_verbose=is_verbose)
            display = stack.enter_context(open_display(run)) if is_shown else None
            for batch in run.batches():
                sink.write(batch)
                report.add(batch)
                if display is not None:
                    display.refresh()
        summary = run.summary()
        if self.summary is not None:
            write_summary(self.summary, summary)
        if not is_quiet:
            report.write(summary, is_interrupted=interrupts.code is not None)
        if interrupts.code is not None:
            return interrupts.code
        return DONE if summary.found == summary.done + summary.skipped else FAILED
