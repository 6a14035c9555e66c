"""``fsworkers resume`` and ``retry``: go on with a run, or do what failed in it again."""

from __future__ import annotations

import os
import sys
from collections import Counter
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fsworkers.cli.exits import DONE, FAILED, leave_quietly, say
from fsworkers.cli.process import sink_beside, sink_wanted, with_spool
from fsworkers.cli.request import STDIN, STDOUT, Request, request_from_json
from fsworkers.cli.session import DisplayOptions, Session, journal_hint
from fsworkers.engines.made import with_one_maker
from fsworkers.engines.tally import Tally
from fsworkers.journal.blocks import RunBlocks
from fsworkers.journal.earlier import gone, open_earlier
from fsworkers.journal.errors import RunNotResumable
from fsworkers.journal.outcomes import read_outcomes
from fsworkers.journal.places import Located, find_run
from fsworkers.journal.recorder import Recorder
from fsworkers.journal.schema import files_of
from fsworkers.journal.selection import left_to_do, new_or_changed
from fsworkers.model import FAILURES
from fsworkers.names import printable
from fsworkers.scan.roots import check_paths
from fsworkers.sinks.open import check_sink, open_sink, output_path
from fsworkers.sinks.summary import check_summary_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from fsworkers.journal.selection import Unchanged
    from fsworkers.model import Entry, Outcome, Status

NUMBERS_A_PART = 10**9
"""More than a part of a run has files: so none of the numbers of ``{#}`` comes in two parts."""


def resume(
    *,
    run: str | None,
    engine: str | None,
    journal: Path | None,
    progress: bool | None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Go on with a run that was interrupted or killed, with the options that it was begun with.

    What is done and unchanged since is not done again.
    """
    shown = DisplayOptions(progress=progress, quiet=quiet, verbose=verbose)
    return _go_on(run, engine, journal, shown, only_failures=False)


def retry(
    *,
    run: str | None,
    engine: str | None,
    journal: Path | None,
    progress: bool | None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Do the files again that failed, were timed out or crashed in a run, and no others."""
    shown = DisplayOptions(progress=progress, quiet=quiet, verbose=verbose)
    return _go_on(run, engine, journal, shown, only_failures=True)


def _go_on(
    wanted: str | None,
    engine: str | None,
    named: Path | None,
    shown: DisplayOptions,
    *,
    only_failures: bool,
) -> int:
    journal = None if named is None else Path(os.path.abspath(named))
    located = find_run(journal, wanted)
    request = _request_of(located)
    if engine is not None:
        request = msgspec.structs.replace(request, engine=engine)
    _enter_directory(located)
    if only_failures and located.run.state != "running" and not _has_failures(located):
        if not shown.quiet:
            say(f"there is nothing to retry in run {located.run.id}")
        return DONE if located.run.found == _well(located.run.counts) else FAILED
    function = request.function()
    if engine is not None:
        request.check(request.outputs(function))
    if not only_failures:
        check_paths(request.paths)
        if request.files_from == STDIN and not _has_input():
            raise RunNotResumable(
                located.run.id,
                "its list of files came from standard input; give the same list again: "
                f"… | fsworkers resume {located.run.id}{journal_hint(journal)}",
            )
    try:
        with ExitStack() as stack:
            session = _session(stack, located, request, function, journal, only_failures)
            code = session.run(shown)
            if session.tally.new == 0 and not shown.quiet:
                what = "to retry" if only_failures else "left to do"
                say(f"there was nothing {what} in run {located.run.id}")
            return code
    except BrokenPipeError:
        return leave_quietly()


def _session(
    stack: ExitStack,
    located: Located,
    request: Request,
    function: Callable[[str], Any],
    journal: Path | None,
    only_failures: bool,
) -> Session:
    """Open what may be refused, and then the journal."""
    own = [*request.writes_to, *files_of(located.journal)]
    outputs, asked_of_sink = request.outputs(function), sink_wanted(request, function)
    filters = request.filters(located.run.started)
    found = request.found(filters, own, outputs) if not only_failures else ()
    mark = request.fingerprint(function)
    function = request.prepared(function, own)
    found = with_one_maker(found, request.places(function))
    output = None if request.output is None else output_path(request.output)
    check_sink(output, format=request.output_format, wanted=asked_of_sink)
    if request.summary is not None and request.summary != STDOUT:
        check_summary_target(Path(request.summary))
    opened = request.engine_opener(function, stack)
    recorder = stack.enter_context(Recorder.go_on(located.journal, located.run.id))
    _compare_tasks(recorder, mark)
    if not only_failures:
        recorder.forget_scan_failures()
    tally = Tally(recorder.counts, recorder.size_bytes)
    missing = None
    left: Iterable[list[str] | Entry | Unchanged]
    if only_failures:
        left = _failures(recorder.outcomes(FAILURES), tally)
    else:
        holds = getattr(function, "still_holds", None)
        left = found = left_to_do(found, recorder.blocks(), tally.displace, holds)
        wanted = outputs.is_current if outputs is not None and request.makes_once else None
        if request.changed or wanted is not None:
            earlier = open_earlier(stack, journal, recorder.run)
            left = new_or_changed(
                found, earlier, recorder.run.cwd, is_current=wanted, still_holds=holds
            )
            if request.changed:
                missing = partial(gone, earlier, recorder.run)
    function = _numbered(with_spool(stack, function, request), recorder)
    is_raw = request.output_format == "raw"
    return Session(
        id=located.run.id,
        request=request,
        function=function,
        opened=opened,
        found=left,
        sink=open_sink(output, format=request.output_format, wanted=asked_of_sink),
        beside=sink_beside(request, asked_of_sink),
        tally=tally,
        recorder=recorder,
        hint=journal_hint(journal),
        goes_on=True,
        rebuilds=not is_raw,  # of what commands wrote, only the beginning is recorded
        gone=missing,
        end_state="interrupted" if only_failures and was_cut_off(located) else "finished",
    )


def _numbered(function: Any, recorder: Recorder) -> Any:
    """A command goes on with numbers that no file had before."""
    if not getattr(function, "is_command", False):
        return function
    return function.with_settings(numbered_from=NUMBERS_A_PART * recorder.resumptions)


def _has_failures(located: Located) -> bool:
    with closing(RunBlocks(located.journal, located.run.number)) as blocks:
        recorded = read_outcomes(blocks, FAILURES)
        return any(_can_be_done_again(one) for batch in recorded for one in batch)


def _well(counts: Mapping[Status, int]) -> int:
    return counts["done"] + counts["skipped"]


def was_cut_off(located: Located) -> bool:
    """Whether a run's scan may not have come to its end, so that there is more than it records."""
    return located.run.state != "finished"


def _request_of(located: Located) -> Request:
    run = located.run
    if run.options is None:
        raise RunNotResumable(run.id, "it was begun from Python; call process_tree again")
    try:
        return request_from_json(run.options)
    except msgspec.ValidationError as error:
        raise RunNotResumable(run.id, f"its options are not understood: {error}") from error


def _enter_directory(located: Located) -> None:
    """Be where the run was begun: its relative paths begin there."""
    try:
        os.chdir(located.run.cwd)
    except OSError as error:
        reason = f"its directory '{printable(located.run.cwd)}': {error.strerror}"
        raise RunNotResumable(located.run.id, reason) from error


def _has_input() -> bool:
    """Whether something is given on standard input, and not by hand."""
    if sys.stdin is None or sys.stdin.isatty():
        return False
    buffer: Any = sys.stdin.buffer  # a BufferedReader, which its type does not say
    return bool(buffer.peek(1))


def _compare_tasks(recorder: Recorder, mark: str) -> None:
    if recorder.run.fingerprint != mark:
        say(
            "the task's code is not what it was when the run began; "
            "files that are done keep their outcome"
        )
        recorder.note_task(f"mixed: {mark}")


def _failures(recorded: Iterator[list[Outcome]], tally: Tally) -> Iterator[list[str]]:
    """The files that a task failed on, and those that could not be looked at and now can."""
    for batch in recorded:
        again = [one for one in batch if _can_be_done_again(one)]
        tally.displace(Counter(one.status for one in again), 0)
        if again:
            yield [one.path for one in again]


def _can_be_done_again(one: Outcome) -> bool:
    return one.attempts > 0 or os.path.isfile(one.path)
