"""Hooks: what a run tells while it goes on, and what is done with that out of the box.

One protocol with frozen details. A hook is called in the thread that consumes the run, and what it
raises ends the run: it is the caller's own code.
"""

from __future__ import annotations

import logging
from itertools import takewhile
from pathlib import Path
from time import monotonic, time
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from fsworkers.sinks.summary import write_whole

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Iterable, Sequence

    from fsworkers.engines.encoding import Portion
    from fsworkers.engines.run import Run
    from fsworkers.model import Outcome, RunSummary
    from fsworkers.pool.story import StoryEvent

LOGGER = logging.getLogger("fsworkers")


class RunDetails(msgspec.Struct, frozen=True):
    """A run has begun, or come to its end, by whatever.

    Attributes:
        run: Its name.
        summary: What it has come to; ``None`` where it begins.
    """

    run: str
    summary: RunSummary | None = None


class BlockDetails(msgspec.Struct, frozen=True):
    """What became of some files.

    Attributes:
        run: The run's name.
        done: How many of them were done.
        others: How many came to another outcome.
        bytes: Of those that were done.
        all_files: Files that have an outcome by now.
        found: Files that were found by now.
        is_all_found: Whether there will be no more.
    """

    run: str
    done: int
    others: int
    bytes: int
    all_files: int
    found: int
    is_all_found: bool


class WorkerDetails(msgspec.Struct, frozen=True):
    """Something happened to a worker.

    Attributes:
        run: The run's name.
        worker: The worker's number.
        what: ``started``, ``ready``, ``retired``, ``killed (…)`` or ``died (…)``.
    """

    run: str
    worker: int
    what: str


class Observer(Protocol):
    """Hooks of a run; one that derives from this has only those that it defines."""

    def on_run(self, details: RunDetails) -> None:  # noqa: ARG002
        """A run begins, or has come to its end."""
        return

    def on_block(self, details: BlockDetails) -> None:  # noqa: ARG002
        """Some files have come to their outcomes."""
        return

    def on_outcome(self, outcome: Outcome) -> None:  # noqa: ARG002
        """A file has come to its outcome. To define it costs some microseconds a file."""
        return

    def on_worker(self, details: WorkerDetails) -> None:  # noqa: ARG002
        """A worker was started, got ready, ended or was killed."""
        return


class LoggingObserver(Observer):
    """Logs runs, and files and workers that came to harm.

    Args:
        logger: Where to.
    """

    def __init__(self, logger: logging.Logger = LOGGER) -> None:
        self._logger = logger

    def on_run(self, details: RunDetails) -> None:
        """At ``INFO``."""
        if details.summary is None:
            self._logger.info("run %s begins", details.run)
        else:
            self._logger.info("run %s ends: %s", details.run, details.summary)

    def on_outcome(self, outcome: Outcome) -> None:
        """Failures, at ``WARNING``."""
        if outcome.status not in {"done", "skipped"}:
            self._logger.warning("%s: %r: %s", outcome.status, outcome.path, outcome.error)

    def on_worker(self, details: WorkerDetails) -> None:
        """Deaths at ``WARNING``, all else at ``DEBUG``."""
        is_bad = details.what.startswith(("killed", "died"))
        level = logging.WARNING if is_bad else logging.DEBUG
        self._logger.log(level, "run %s: worker %d %s", details.run, details.worker, details.what)


class PrometheusTextfile(Observer):
    """Keeps a file of figures for the textfile collector of Prometheus's node exporter.

    Args:
        path: The file, which is replaced as a whole.
        every_s: How often, while a run goes on; and at its beginning and end.
    """

    def __init__(self, path: str | os.PathLike[str], every_s: float = 10.0) -> None:
        self._path = Path(path)
        self._every_s = every_s
        self._next = 0.0
        self._figures: dict[str, float] = {}

    def on_run(self, details: RunDetails) -> None:
        """Write what is known."""
        summary = details.summary
        if summary is None:
            self._figures = dict.fromkeys(("files", "found", "bytes", "worker_deaths"), 0)
            self._figures |= {"running": 1, "start_timestamp_seconds": round(time(), 3)}
        else:
            self._figures |= {
                "running": 0, "end_timestamp_seconds": round(time(), 3), "files": summary.found,
                "found": summary.found, "bytes": summary.bytes, "seconds": summary.seconds,
            }  # fmt: skip
            for status in ("done", "failed", "skipped", "timed_out", "crashed", "cancelled"):
                self._figures[f'outcomes{{status="{status}"}}'] = getattr(summary, status)
        self._write()

    def on_block(self, details: BlockDetails) -> None:
        """Note the figures; write them now and then."""
        figures = self._figures
        figures["files"], figures["found"] = details.all_files, details.found
        figures["bytes"] += details.bytes
        if monotonic() >= self._next:
            self._write()

    def on_worker(self, details: WorkerDetails) -> None:
        """Count those that died."""
        if details.what.startswith(("killed", "died")):
            self._figures["worker_deaths"] += 1

    def _write(self) -> None:
        self._next = monotonic() + self._every_s
        text = "".join(f"fsworkers_{name} {value}\n" for name, value in self._figures.items())
        write_whole(self._path, text.encode())


class ProgressBar(Observer):
    """A bar on the terminal or in a notebook, drawn by rich."""

    def __init__(self) -> None:
        self._progress: Any = None
        self._task: Any = None

    def on_run(self, details: RunDetails) -> None:
        """Show it, or leave it as it is in the end."""
        if details.summary is None:
            from rich import progress  # noqa: PLC0415  (only where it is shown)

            self._progress = progress.Progress(
                *progress.Progress.get_default_columns(), progress.MofNCompleteColumn()
            )
            self._task = self._progress.add_task("files", total=None)
            self._progress.start()
        elif self._progress is not None:
            self._progress.stop()

    def on_block(self, details: BlockDetails) -> None:
        """Move it on."""
        total = details.found if details.is_all_found else None
        self._progress.update(self._task, completed=details.all_files, total=total)


class Observing:
    """Tells observers of a run as it goes on.

    Args:
        observers: Who is told.
        run: The run.

    Attributes:
        wants_outcomes: Whether anybody looks at single outcomes.
    """

    def __init__(self, observers: Sequence[Observer], run: Run) -> None:
        self._observers = observers
        self._run = run
        self._last: StoryEvent | None = None
        self._looking = [one for one in observers if _defines(one, "on_outcome")]
        self.wants_outcomes = bool(self._looking)

    def watched(self, portions: Iterable[Portion | None]) -> Generator[Portion | None]:
        """The same portions, told of as they pass."""
        run = self._run
        begun = RunDetails(run.id)
        for one in self._observers:
            one.on_run(begun)
        try:
            for portion in portions:
                if portion is not None:
                    self._tell(portion)
                self._tell_of_workers()
                yield portion
        finally:
            self._tell_of_workers()
            ended = RunDetails(run.id, run.summary())
            for one in self._observers:
                one.on_run(ended)

    def _tell(self, portion: Portion) -> None:
        run = self._run
        details = BlockDetails(
            run=run.id,
            done=portion.done,
            others=portion.file_count - portion.done,
            bytes=portion.size_bytes,
            all_files=run.tally.found,
            found=max(run.found_count, run.tally.found),
            is_all_found=run.has_scan_ended,
        )
        for one in self._observers:
            one.on_block(details)
        for one in self._looking:
            for outcome in portion.outcomes:
                one.on_outcome(outcome)

    def _tell_of_workers(self) -> None:
        events = self._run.engine.story()
        new = list(takewhile(lambda one: one is not self._last, reversed(events)))[::-1]
        if new:
            self._last = new[-1]
        for event in new:
            if event.call < 0:
                details = WorkerDetails(self._run.id, event.lane, event.what)
                for one in self._observers:
                    one.on_worker(details)


def _defines(observer: Observer, hook: str) -> bool:
    return getattr(type(observer), hook) is not getattr(Observer, hook)
