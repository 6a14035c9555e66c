"""``fsworkers process``: the main job."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fsworkers.cli.command_options import command_lines, exit_codes
from fsworkers.cli.exits import DONE, complain, leave_quietly, put
from fsworkers.cli.request import (
    STDOUT,
    Request,
    current_directory,
)
from fsworkers.cli.session import DisplayOptions, Session, journal_hint
from fsworkers.cli.values import parse_bytes, parse_memfree, parse_nice, parse_seconds
from fsworkers.engines.made import refuse_clash, with_one_maker
from fsworkers.engines.process_tree import algorithm_of
from fsworkers.engines.run import new_run_id
from fsworkers.engines.tally import Tally
from fsworkers.errors import BadOption, BadSetting
from fsworkers.journal.errors import JournalError
from fsworkers.journal.places import default_journal, make_room
from fsworkers.journal.record import RunRecord
from fsworkers.journal.recorder import Recorder
from fsworkers.journal.schema import files_of
from fsworkers.names import printable
from fsworkers.scan.roots import check_paths, tidy
from fsworkers.sinks.open import Wanted, check_sink, open_sink, output_path
from fsworkers.sinks.summary import check_summary_target
from fsworkers.tasks.task import columns_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fsworkers.journal.selection import Unchanged
    from fsworkers.model import Entry
    from fsworkers.sinks.sink import Sink
    from fsworkers.tasks.command import Command
    from fsworkers.tasks.outputs import Outputs


def process(
    *,
    paths: list[str] | None,
    timeout: str | None,
    retry_pause: str | None,
    max_rss: str | None,
    memfree: str | None,
    nice: int,
    exec_: list[str] | None,
    format_: str | None,
    journal: Path | None,
    no_journal: bool,
    dry_run: bool,
    progress: bool | None,
    progress_every: str,
    quiet: bool,
    verbose: bool,
    **others: Any,
) -> int:
    """Run a task on every file under each PATH; the other options are those of ``Request``.

    Raises:
        FsworkersError: It was refused, or could not be finished.
    """
    gc.freeze()  # what has been loaded stays; while it was, garbage was not looked for
    gc.enable()
    request = Request(
        paths=[*map(tidy, paths or ())],
        timeout=None if timeout is None else parse_seconds("--timeout", timeout),
        retry_pause=None if retry_pause is None else parse_seconds("--retry-pause", retry_pause),
        max_rss=None if max_rss is None else parse_bytes("--max-rss", max_rss),
        memfree=None if memfree is None else parse_memfree(memfree),
        nice=parse_nice(nice),
        exec=exec_ or [],
        format=format_,
        **{name: value for name, value in others.items() if value is not None},
    ).with_fixed_times()
    if no_journal and (journal is not None or request.changed):
        other = "--changed, which looks" if request.changed else "--journal FILE, which records"
        raise BadOption(f"--no-journal does not go with {other} into the journal")
    _refuse_misfits(request)
    if request.retry_on is not None and others["retries"] is None:
        exit_codes(request.retry_on)  # what is wrong with them comes first
        raise BadOption(
            "--retry-on says which exit codes are retried, --retries N how often; give both"
        )
    _refuse_same(request.output, "--journal", None if journal is None else os.fspath(journal))
    every_s = parse_seconds("--progress-every", progress_every)
    if not every_s > 0:
        raise BadSetting("--progress-every", progress_every, "a time above 0")
    shown = DisplayOptions(progress=progress, quiet=quiet, verbose=verbose, every_s=every_s)
    try:
        if dry_run:
            return _list_only(request, journal, has_journal=not no_journal)
        return _process(request, journal, shown, has_journal=not no_journal)
    except BrokenPipeError:
        return leave_quietly()


def _refuse_misfits(request: Request) -> None:
    """Refuse options that do not go together.

    Raises:
        FsworkersError: Which, and what to do.
    """
    if not request.paths and request.files_from is None:
        raise BadOption("no PATH is given; name at least one directory or file, or --files-from")
    if request.nul and request.files_from is None:
        raise BadOption("-0 is about the list that --files-from names; give both, or neither")
    if request.seed is not None and request.sample is None:
        raise BadOption("--seed is about the choice that --sample makes; give both, or neither")
    check_paths(request.paths)
    if request.summary == STDOUT and (request.output in {None, STDOUT} or request.shows_beside):
        raise BadOption("results and --summary - both go to stdout: give a file to one of them")
    _refuse_same(request.output, "--summary", request.summary)
    _refuse_same(request.output, "--metrics", request.metrics)


def _checked(request: Request) -> tuple[Callable[[str], Any], Outputs | None]:
    """The task function, and what names its outputs, once nothing speaks against the run.

    Raises:
        FsworkersError: Something does.
    """
    function = request.function()
    outputs = request.outputs(function)
    request.check(outputs)
    output = None if request.output is None else output_path(request.output)
    check_sink(output, format=request.output_format, wanted=sink_wanted(request, function))
    if outputs is not None and request.files_from is None:
        refuse_clash(request.found(request.filters(), request.writes_to, outputs), outputs)
    if request.summary is not None and request.summary != STDOUT:
        check_summary_target(Path(request.summary))
    if request.metrics is not None:
        check_summary_target(Path(request.metrics))
    return function, outputs


def _process(
    request: Request, named: Path | None, shown: DisplayOptions, *, has_journal: bool
) -> int:
    """Open what may be refused, run, and return the exit code."""
    function, outputs = _checked(request)
    run_id = new_run_id()
    output = None if request.output is None else output_path(request.output)
    asked_of_sink = sink_wanted(request, function)
    own = request.writes_to
    is_optional = named is None and not request.changed
    journal = None
    if has_journal:
        with _excused(is_optional):
            journal = default_journal(run_id) if named is None else Path(os.path.abspath(named))
            own += files_of(journal)
    mark = request.fingerprint(function)
    function = request.prepared(function, own)
    found = request.found(request.filters(), own, outputs)
    found = with_one_maker(found, request.places(function))
    to_do: Iterable[list[str] | Entry | Unchanged] = found
    with ExitStack() as stack:
        recorder = missing = None
        opened = request.engine_opener(function, stack)
        if journal is not None:
            run = _record(request, run_id, mark)
            with _excused(is_optional):
                if named is None:
                    make_room()
                recorder = stack.enter_context(Recorder.begin(journal, run))
        wanted = outputs.is_current if outputs is not None and request.makes_once else None
        if recorder is not None and (request.changed or wanted is not None):
            from fsworkers.journal.earlier import gone, open_earlier  # noqa: PLC0415  (only here)
            from fsworkers.journal.selection import new_or_changed  # noqa: PLC0415

            earlier = open_earlier(stack, None if named is None else journal, recorder.run)
            to_do = new_or_changed(
                found,
                earlier,
                recorder.run.cwd,
                in_order=request.keep_order,
                is_current=wanted,
                still_holds=getattr(function, "still_holds", None),
            )
            if request.changed:
                missing = partial(gone, earlier, recorder.run)
        function = with_spool(stack, function, request)
        return Session(
            id=run_id,
            request=request,
            function=function,
            opened=opened,
            found=to_do,
            sink=open_sink(output, format=request.output_format, wanted=asked_of_sink),
            beside=sink_beside(request, asked_of_sink),
            tally=Tally(),
            recorder=recorder,
            hint=journal_hint(named),
            gone=missing,
        ).run(shown)


def sink_wanted(request: Request, function: Any) -> Wanted:
    """What a run's sink is told of it."""
    return Wanted(algorithm_of(function), columns_of(function), request.tag)


def sink_beside(request: Request, wanted: Wanted) -> Sink | None:
    """What shows commands' own output beside a file, unless it comes line by line."""
    if not request.shows_beside or request.line_buffer:
        return None
    return open_sink(None, format="raw", wanted=wanted)


@contextmanager
def _excused(is_optional: bool) -> Iterator[None]:
    """Where nobody asked for a journal that can't be written, say so and go on without."""
    try:
        yield
    except JournalError as error:
        if not is_optional:
            raise
        complain(f"this run is not recorded: {error}")


def _record(request: Request, run_id: str, mark: str) -> RunRecord:
    return RunRecord(
        id=run_id,
        cwd=current_directory(),
        argv=("fsworkers", *sys.argv[1:]),
        roots=tuple(request.paths),
        options=request.to_json(),
        fingerprint=mark,
    )


def _refuse_same(output: str | None, option: str, other: str | None) -> None:
    if output is not None and other is not None and _is_same(output, other):
        raise BadOption(f"-o and {option} are the same file, {printable(output)}: give two")


def _is_same(one: str, other: str) -> bool:
    """Whether two outputs are one regular file, of which the second would overwrite the first."""
    real = os.path.realpath(one)
    return real == os.path.realpath(other) and (os.path.isfile(real) or not os.path.exists(real))


def with_spool(stack: ExitStack, function: Any, request: Request) -> Any:
    """A command whose output is shown keeps what is too long for memory in files, for the while."""
    if request.shown_format != "raw":
        return function
    if request.line_buffer:
        return function.with_settings(is_live=True, is_tagged=request.tag)
    from secrets import token_hex  # noqa: PLC0415  (only for commands)
    from tempfile import gettempdir  # noqa: PLC0415

    # Made by the worker that first needs it: most runs leave nothing to remove, killed or not.
    spool = os.path.join(gettempdir(), f"fsworkers-{token_hex(8)}")
    stack.callback(_remove_folder, spool)
    return function.with_settings(spool=spool)


def _remove_folder(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)


def _write_lines(lines: Iterable[str]) -> int:
    """Write lines with their exact bytes, escaped for a terminal."""
    escape = printable if os.isatty(1) else str
    rest = iter(lines)
    while some := [*islice(rest, 1000)]:
        put(b"".join(os.fsencode(escape(line)) + b"\n" for line in some))
    return DONE


def _list_only(request: Request, named: Path | None, *, has_journal: bool) -> int:
    """Write what would be done and no more: commands, or the paths, one a line."""
    function, outputs = _checked(request)
    own = request.writes_to
    if named is not None:
        own += files_of(Path(os.path.abspath(named)))
    found = request.found(request.filters(), own, outputs)
    to_do: Iterable[list[str] | Entry | Unchanged]
    to_do = found = with_one_maker(found, request.places(function))
    with ExitStack() as stack:
        wanted = outputs.is_current if outputs is not None and request.makes_once else None
        if has_journal and (request.changed or wanted is not None):
            from fsworkers.journal.earlier import open_earlier  # noqa: PLC0415  (only here)
            from fsworkers.journal.selection import new_or_changed  # noqa: PLC0415

            with _excused(named is None and not request.changed):
                run = _record(request, new_run_id(), request.fingerprint(function))
                is_there = named is None or named.exists()
                to_do = new_or_changed(
                    found,
                    open_earlier(stack, named, run) if is_there else (),
                    run.cwd,
                    in_order=request.keep_order,
                    is_current=wanted,
                    still_holds=getattr(function, "still_holds", None),
                )
        lists = (one for one in to_do if isinstance(one, list))
        if request.is_command:
            return _write_lines(command_lines(cast("Command", function), lists))
        return _write_lines(chain.from_iterable(lists))
