"""``fsworkers process``: the main job."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from fsworkers.cli import options
from fsworkers.cli.exits import DONE, leave_quietly
from fsworkers.cli.request import Request, current_directory
from fsworkers.cli.sitting import Manner, Sitting, journal_hint
from fsworkers.engines.tally import Tally
from fsworkers.engines.trees import algorithm_of, new_run_id
from fsworkers.errors import BadOption, BadSetting
from fsworkers.journal.earlier import open_earlier
from fsworkers.journal.known import new_or_changed
from fsworkers.journal.places import default_journal, make_room
from fsworkers.journal.record import RunRecord
from fsworkers.journal.recorder import Recorder
from fsworkers.journal.schema import files_of
from fsworkers.names import printable
from fsworkers.scan.roots import check_paths
from fsworkers.sinks.open import open_sink
from fsworkers.sinks.plain import encode
from fsworkers.sinks.summary import check_summary_target

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    journal: options.Journal = None,
    no_journal: options.NoJournal = False,
    changed: options.Changed = False,
    dry_run: options.DryRun = False,
    progress: options.Progress = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Run a task on every file under each PATH; without --task, compute its sha256."""
    request = Request(
        paths=paths or [],
        task=task,
        call=call,
        option=option or [],
        workers=workers,
        slots=slots,
        max_open_files=max_open_files,
        glob=glob or [],
        exclude=exclude or [],
        skip_hidden=skip_hidden,
        follow=follow,
        max_depth=max_depth,
        size=size or [],
        changed_within=changed_within,
        files_from=files_from,
        nul=nul,
        retries=retries,
        timeout=timeout,
        halt=halt,
        no_install=no_install,
        output=None if output is None else os.fspath(output),
        summary=None if summary is None else os.fspath(summary),
        keep_order=keep_order,
        changed=changed,
    )
    if no_journal and (journal is not None or changed):
        other = "--changed, which looks" if changed else "--journal FILE, which records"
        raise BadOption(f"--no-journal does not go with {other} into the journal")
    if not request.paths and request.files_from is None:
        raise BadSetting("PATH", None, "at least one directory or file, or --files-from")
    check_paths(request.paths)
    if output is not None and summary is not None and _is_same(output, summary):
        raise BadOption(f"-o and --summary are the same file, {printable(output)}: give two")
    manner = Manner(progress=progress, quiet=quiet, verbose=verbose)
    try:
        if dry_run:
            request.function()
            request.check()
            return _list_only(request.found(request.filters(), request.writes_to))
        return _process(request, journal, manner, has_journal=not no_journal)
    except BrokenPipeError:
        return leave_quietly()


def _process(request: Request, named: Path | None, manner: Manner, *, has_journal: bool) -> int:
    """Open what may be refused, run, and return the exit code."""
    function = request.function()
    request.check()
    run_id = new_run_id()
    own = request.writes_to
    if has_journal:
        journal = default_journal(run_id) if named is None else Path(os.path.abspath(named))
        own += files_of(journal)
    found = request.found(request.filters(), own)
    with ExitStack() as stack:
        sink = open_sink(
            None if request.output is None else Path(request.output),
            algorithm=algorithm_of(function),
        )
        if request.summary is not None:
            check_summary_target(Path(request.summary))
        recorder = None
        if has_journal:
            mark = request.fingerprint(function)
            if named is None:
                make_room()
            run = _record(request, run_id, mark)
            recorder = stack.enter_context(Recorder.begin(journal, run, encode))
            if request.changed:
                earlier = open_earlier(
                    stack, recorder, is_shared=named is not None, fingerprint=mark
                )
                found = new_or_changed(found, earlier, recorder.run.cwd)
        return Sitting(
            id=run_id,
            request=request,
            function=function,
            found=found,
            sink=sink,
            tally=Tally(),
            recorder=recorder,
            hint=journal_hint(named),
        ).run(manner)


def _record(request: Request, run_id: str, mark: str) -> RunRecord:
    return RunRecord(
        id=run_id,
        cwd=current_directory(),
        argv=("fsworkers", *sys.argv[1:]),
        roots=tuple(request.paths),
        options=request.to_json(),
        fingerprint=mark,
    )


def _is_same(one: Path, other: Path) -> bool:
    """Whether two outputs are one regular file, of which the second would overwrite the first."""
    real = os.path.realpath(one)
    return real == os.path.realpath(other) and (os.path.isfile(real) or not os.path.exists(real))


def _list_only(found: Iterable[str | Entry]) -> int:
    """Write the paths that would be processed, as exact bytes, one a line."""
    for one in found:
        if isinstance(one, str):
            sys.stdout.buffer.write(os.fsencode(one) + b"\n")
    sys.stdout.buffer.flush()
    return DONE
