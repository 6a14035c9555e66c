"""One process's part in a run: a run has one session, and another each time it is resumed."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from fsworkers.cli.display import STDERR, Display, PlainLines, has_terminal_to_itself, open_display
from fsworkers.cli.exits import DONE, FAILED, say, write_out
from fsworkers.cli.interrupts import Interrupts
from fsworkers.cli.live_output import LiveOutput
from fsworkers.cli.report import Report, lines_of
from fsworkers.cli.request import STDOUT
from fsworkers.engines.ahead import ScanAhead
from fsworkers.engines.local import LocalEngine
from fsworkers.engines.run import Run
from fsworkers.journal.known import as_written
from fsworkers.journal.record import State
from fsworkers.names import printable
from fsworkers.sinks.errors import DigestsMissing, OutputFailed
from fsworkers.sinks.summary import summary_text, write_summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fsworkers.cli.request import Request
    from fsworkers.engines.engine import Engine
    from fsworkers.engines.tally import Tally
    from fsworkers.journal.recorder import Recorder
    from fsworkers.journal.selection import Unchanged
    from fsworkers.model import Entry, RunSummary
    from fsworkers.sinks.sink import Sink


class DisplayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a session is shown on stderr.

    Attributes:
        progress: Whether there is a live line; ``None`` for where it makes sense.
        quiet: No progress and no summary.
        verbose: Name every file that was not done, with its traceback.
        every_s: How often the figures are told where there is no terminal.
    """

    progress: bool | None = None
    quiet: bool = False
    verbose: bool = False
    every_s: float = 10.0

    @property
    def wants_lines(self) -> bool:
        """Whether to tell the figures now and then: where nobody could see a live line."""
        return not (self.quiet or self.progress is False or os.isatty(STDERR))

    def wants_display(self, request: Request) -> bool:
        """Whether to show a live line: by default where it has a terminal to itself."""
        if self.quiet or not os.isatty(STDERR):
            return False
        if self.progress is not None:
            return self.progress
        is_apart = request.shows_beside or request.shown_format in {"table", "raw"}
        output = None if request.shows_beside else request.output
        return has_terminal_to_itself(output, is_apart=is_apart)


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is needed to run, or go on.

    Attributes:
        id: The run's name.
        request: What was asked for.
        function: The task function.
        opened: Opens the engine.
        found: What there is to do now.
        sink: Where outcomes go.
        tally: Counts them.
        recorder: The journal, if there is one.
        hint: How to resume, if it is not the plain command.
        goes_on: Whether there was a session before.
        rebuilds: Write the output from the journal in the end, instead of outcomes as they
            arrive: what was recorded before is part of it, and how much of that stays is known
            only when the scan has ended.
        end_state: What the run is when this has come to its end.
        beside: Where what commands wrote is shown, if ``sink`` is a file and they write there too.
        gone: Finds the files of an earlier run that are gone, with ``--changed``.
    """

    id: str
    request: Request
    function: Callable[[str], Any]
    opened: Callable[[], Engine]
    found: Iterable[list[str] | Entry | Unchanged]
    sink: Sink
    tally: Tally
    recorder: Recorder | None
    hint: str = ""
    goes_on: bool = False
    rebuilds: bool = False
    end_state: State = "finished"
    beside: Sink | None = None
    gone: Callable[[], Iterable[list[str]]] | None = None

    def run(self, shown: DisplayOptions) -> int:
        """Run it, and return the exit code."""
        try:
            return self._run(shown)
        except BrokenPipeError as error:
            if not self.request.shows_beside or self.sink.output.partial is None:
                raise  # who reads our output has what was wanted
            failed = OutputFailed("stdout", "its reader has gone")
            failed.add_note(self._what_is_left())
            raise failed from error
        except KeyboardInterrupt:
            if said := self._what_is_left():
                say(said)
            raise
        except Exception as error:
            if said := self._what_is_left():
                error.add_note(said)  # the boundary shows it below the error
            raise

    def _what_is_left(self, *, is_ended: bool = False) -> str:
        """What there is of an output that is not whole, and how it becomes so."""
        said = []
        if self.sink.output.partial is not None:
            said.append(f"so far there is {printable(self.sink.output.partial)}")
        if self.recorder is not None and (is_ended or not self.recorder.is_ended):
            said.append(f"resume with: fsworkers resume {self.id}{self.hint}")
        return "; ".join(said)

    def _run(self, shown: DisplayOptions) -> int:
        with ExitStack() as stack:
            live = None
            if self.request.line_buffer:
                live = LiveOutput()
                engine: Engine = LocalEngine(replace(self.request.settings(), prints_to=live.write))
            else:
                engine = self.opened()
            stack.callback(engine.close)
            stack.callback(self.sink.close)  # one that is not finished stays as it is
            is_shown = shown.wants_display(self.request)
            ahead = None
            # Not of a resumed run: what is scanned there no longer counts as done before.
            if is_shown and not self.goes_on:
                ahead = ScanAhead(self.found)
                stack.callback(ahead.close)
            run = Run(
                engine,
                self.function,
                self.found if ahead is None else ahead,
                ordered=self.request.keep_order and not (self.rebuilds and self.beside is None),
                halting=self.request.halting(),
                id=self.id,
                tally=self.tally,
                recorder=self.recorder,
                sink=self._sink_of_run(),
                observers=self.request.observers(),
            )
            interrupts = stack.enter_context(Interrupts(run))
            report = Report(run, is_verbose=shown.verbose, is_recorded=self.recorder is not None)
            display: Display | PlainLines | None
            if is_shown:
                output = (self.beside or self.sink).output if live is None else live.output
                display = stack.enter_context(open_display(run, ahead, output))
            else:
                display = PlainLines(run, shown.every_s) if shown.wants_lines else None
            with redirect_stdout(sys.stderr):  # for what prints in this process
                _follow(run, report, display, live)
            ending = run.state(self.end_state) if interrupts.code is None else "interrupted"
            summary = self._summary(run, report, ending)
            if isinstance(display, Display):
                display.clear()
            engine.stop()  # while the workers end, the journal comes to rest
            self._finish(run, ending)
        reducer = None if run.reduction is None else run.reduction.reducer
        if live is not None:
            live.check()
        self._write_summary(summary)
        if not shown.quiet:
            report.write(summary, lines_of(reducer, summary), begin=BEGINNINGS.get(ending, ""))
        if ending in BEGINNINGS and (said := self._what_is_left(is_ended=True)):
            say(said)
        if interrupts.code is not None:
            return interrupts.code
        return exit_code(summary) if getattr(reducer, "is_well", True) else FAILED

    def _sink_of_run(self) -> Sink | None:
        """Where outcomes go as they arrive."""
        if self.rebuilds:
            return self.beside
        if self.beside is not None:
            from fsworkers.sinks.beside import Beside  # noqa: PLC0415  (few runs have two)

            return Beside(self.sink, self.beside)
        is_live_alone = self.request.line_buffer and not self.request.shows_beside
        return None if is_live_alone else self.sink

    def _write_summary(self, summary: RunSummary) -> None:
        if self.request.summary == STDOUT:
            write_out(summary_text(summary))
        elif self.request.summary is not None:
            write_summary(Path(self.request.summary), summary)

    def _summary(self, run: Run, report: Report, ending: State) -> RunSummary:
        """What it has come to, with what was done before."""
        reduction = run.reduction
        if self.goes_on and reduction is not None and self.recorder is not None:
            reduction.again(self.recorder.outcomes())
        summary = run.summary()
        if ending != "finished":
            return summary
        return replace(summary, missing=report.add_missing(run.missing(self.gone)))

    def _finish(self, run: Run, state: State) -> None:
        """Bring the output and the journal to their end."""
        recorder = self.recorder
        if self.rebuilds and recorder is not None:
            for batch in recorder.outcomes():
                self.sink.write([as_written(one) for one in batch])
        if state == "finished":
            run.write_missing(self.sink)
        if recorder is None:
            self.sink.finish(is_whole=state == "finished")
            return
        try:
            self.sink.finish(is_whole=state == "finished")
        except DigestsMissing:
            recorder.end(state)
            raise
        recorder.end(state)
        recorder.close()


def _follow(
    run: Run, report: Report, display: Display | PlainLines | None, live: LiveOutput | None
) -> None:
    """Go through a run, and tell of it meanwhile."""
    for portion in run.portions():
        if live is not None:
            try:
                live.check()
            except Exception:
                run.engine.kill()  # a command that says nothing more would never learn of it
                raise
        if portion is not None and portion.outcomes:
            report.add(portion.outcomes)
        if display is not None:
            display.refresh()


BEGINNINGS: dict[State, str] = {
    "interrupted": "interrupted: ",
    "halted": "halted after too many failures: ",
}
"""How the last line begins when a run did not come to its end."""


def journal_hint(journal: Path | None) -> str:
    """What must be added to a command so that it finds the journal."""
    return "" if journal is None else f" --journal {printable(shlex.quote(str(journal)))}"


def exit_code(summary: RunSummary) -> int:
    """What the outcomes mean for the exit code; a halted run has failures among them."""
    return DONE if summary.found == summary.done + summary.skipped else FAILED
