"""``fsworkers process``: the main job."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from fsworkers.cli import options
from fsworkers.cli.display import open_display
from fsworkers.cli.exits import DONE, FAILED, leave_quietly
from fsworkers.cli.interrupts import Interrupts
from fsworkers.cli.report import Report
from fsworkers.engines.halting import Halting
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
    from pathlib import Path

    from fsworkers.model import Entry


def process(  # noqa: PLR0917  (the command line passes them by name)
    paths: options.Paths = None,
    task: options.TaskName = None,
    call: options.Call = None,
    option: options.TaskOptions = None,
    workers: options.Workers = None,
    slots: options.Slots = None,
    max_open_files: options.MaxOpenFiles = None,
    glob: options.Globs = None,
    exclude: options.Excludes = None,
    skip_hidden: options.SkipHidden = False,
    follow: options.Follow = False,
    max_depth: options.MaxDepth = None,
    size: options.Sizes = None,
    changed_within: options.ChangedWithin = None,
    files_from: options.FilesFrom = None,
    nul: options.Nul = False,
    retries: options.Retries = 0,
    timeout: options.Timeout = None,
    halt: options.Halt = None,
    no_install: options.NoInstall = False,
    output: options.Output = None,
    summary: options.Summary = None,
    keep_order: options.KeepOrder = False,
    dry_run: options.DryRun = False,
    progress: options.Progress = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Run a task on every file under each PATH; without --task, compute its sha256."""
    roots = list(paths or [])
    if not roots and files_from is None:
        raise BadSetting("PATH", None, "at least one directory or file, or --files-from")
    function = _task_function(task, call, _parsed(option or []))
    settings = PoolSettings(
        workers=workers,
        slots=slots,
        max_open_files=max_open_files,
        timeout=timeout,
        retries=retries,
        install=not no_install,
    )
    try:
        filters = ScanOptions(
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
    halting = None if halt is None else Halting.parse(halt)
    check_paths(roots)
    if output is not None and summary is not None and _is_same(output, summary):
        raise BadOption(f"-o and --summary are the same file, {printable(output)}: give two")
    own = [path for path in (output, summary) if path is not None]
    found = _found(roots, files_from, filters, own, is_nul=nul)
    try:
        if dry_run:
            return _list_only(found)
        job = _Job(function, settings, found, output, summary, halting, is_ordered=keep_order)
        return job.run(
            is_shown=not quiet and (_is_display_wanted(output) if progress is None else progress),
            is_quiet=quiet,
            is_verbose=verbose,
        )
    except BrokenPipeError:
        return leave_quietly()


def _is_same(one: Path, other: Path) -> bool:
    """Whether two outputs are one regular file, of which the second would overwrite the first."""
    real = os.path.realpath(one)
    return real == os.path.realpath(other) and (os.path.isfile(real) or not os.path.exists(real))


def _is_display_wanted(output: Path | None) -> bool:
    """On a terminal, unless results go to one as well, where a live display would garble them."""
    return sys.stderr.isatty() and not (output is None and sys.stdout.isatty())


def _task_function(
    task: str | None, call: str | None, task_options: dict[str, str]
) -> Callable[[str], Any]:
    if call is None:
        return make_task(task or DEFAULT_TASK, task_options)
    if task is not None:
        raise BadSetting("--task", task, "either --task or --call, not both")
    return load_callable(call, task_options)


def _ending(run: TreeRun, interrupts: Interrupts) -> str:
    """How the line that sums up a run begins when it did not come to its end."""
    if interrupts.code is not None:
        return "interrupted: "
    return "halted after too many failures: " if run.is_halted else ""


def _parsed(pairs: list[str]) -> dict[str, str]:
    parsed: dict[str, str] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not (key and separator):
            raise BadSetting("--option", pair, "KEY=VALUE")
        parsed[key] = value
    return parsed


def _found(
    roots: list[str], files_from: str | None, filters: ScanOptions, own: list[Path], *, is_nul: bool
) -> Iterable[str | Entry]:
    """What the scan will find; our own outputs are no input."""
    if files_from is None:
        return scan(roots, filters, own=own)
    if files_from == "-" and sys.stdin is None:
        raise BadOption("--files-from -: standard input is closed")
    try:
        stream = sys.stdin.buffer if files_from == "-" else open(files_from, "rb")  # noqa: SIM115
    except OSError as error:
        raise BadOption(f"--files-from {printable(files_from)}: {error.strerror}") from error
    return scan_list(chain(roots, read_file_list(stream, is_nul)), filters, own=own)


def _list_only(found: Iterable[str | Entry]) -> int:
    """Write the paths that would be processed, as exact bytes, one a line."""
    for one in found:
        if isinstance(one, str):
            sys.stdout.buffer.write(os.fsencode(one) + b"\n")
    sys.stdout.buffer.flush()
    return DONE


class _Job(NamedTuple):
    """Everything that was asked for, ready to run."""

    function: Callable[[str], Any]
    settings: PoolSettings
    found: Iterable[str | Entry]
    output: Path | None
    summary: Path | None
    halting: Halting | None
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
            run = TreeRun(
                engine, self.function, self.found, ordered=self.is_ordered, halting=self.halting
            )
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
            report.write(summary, begin=_ending(run, interrupts))
        if interrupts.code is not None:
            return interrupts.code
        if run.is_halted:
            return FAILED
        return DONE if summary.found == summary.done + summary.skipped else FAILED
