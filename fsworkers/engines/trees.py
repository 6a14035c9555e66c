"""A task over what a scan finds: one outcome for everything found, counted and passed on.

``process_tree`` does the whole in one call; the command line drives a ``TreeRun`` itself.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from time import gmtime, monotonic, strftime
from typing import TYPE_CHECKING, Any, Literal

from fsworkers.engines.halting import Halting
from fsworkers.engines.local import LocalEngine
from fsworkers.engines.tally import Tally
from fsworkers.model import Entry, Outcome
from fsworkers.pool.settings import PoolSettings
from fsworkers.scan.options import ScanOptions
from fsworkers.scan.roots import AnyPath, check_paths
from fsworkers.scan.tree import scan
from fsworkers.tasks.checksum import Checksum
from fsworkers.tasks.fingerprint import fingerprint
from fsworkers.tasks.registry import DEFAULT_TASK, make_task

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from fsworkers.engines.engine import Engine
    from fsworkers.journal.recorder import Recorder
    from fsworkers.model import RunSummary


MOST_ENTRIES = 16_384
"""How many things that are not to be run may be found ahead of the consumer."""


def new_run_id() -> str:
    """A name for a run: when it begins, and something that tells it from others of that second."""
    return f"{strftime('%Y%m%dT%H%M%SZ', gmtime())}-{os.urandom(3).hex()}"


class TreeRun:
    """One run of a task over everything that a scan finds.

    Args:
        engine: How jobs are executed.
        function: The task function.
        found: Paths to process, and entries whose outcome is settled by the scan.
        ordered: Yield outcomes in the order in which things were found.
        halting: When there have been too many failures to go on.
        id: The run's name; a new one by default.
        tally: Where outcomes are counted, perhaps with those of before it was resumed.
        seconds_before: How long it was at work before that.

    Attributes:
        is_halted: Whether there have been too many failures.
    """

    def __init__(
        self,
        engine: Engine,
        function: Callable[[str], Any],
        found: Iterable[str | Entry],
        *,
        ordered: bool = False,
        halting: Halting | None = None,
        id: str | None = None,  # noqa: A002  (it is one)
        tally: Tally | None = None,
        seconds_before: float = 0.0,
    ) -> None:
        self.id = id or new_run_id()
        self.engine = engine
        self.tally = tally or Tally()
        self.has_scan_ended = False
        self.found_count = 0
        self._function = function
        self._found = found
        self.is_halted = False
        self._halting = halting
        self._is_ordered = ordered
        self._entries: deque[tuple[int, Outcome]] = deque()
        self._started = monotonic()
        self._seconds_before = seconds_before
        self._entries_taken = threading.Condition()
        self._consumer = threading.get_ident()
        self._is_over = False

    def batches(self) -> Generator[list[Outcome]]:
        """Yield the outcome of everything found, in lists; empty ones now and then meanwhile."""
        running = self.engine.batches(self._function, self._paths(), ordered=self._is_ordered)
        self._consumer = threading.get_ident()
        emitted = 0
        try:
            for batch in running:
                whole = self._with_entries(batch, emitted)
                emitted += len(batch)
                self.tally.add(whole)
                self._halt_if_due()
                yield whole
        finally:
            self._let_go()
        rest = [outcome for _, outcome in self._entries]
        self._entries.clear()
        self.tally.add(rest)
        yield rest

    def _halt_if_due(self) -> None:
        if self._halting is None or self.is_halted:
            return
        if self._halting.is_crossed(self.tally.outcomes):
            self.is_halted = True
            if self._halting.when == "now":
                self._let_go()
                self.engine.abort()
            else:
                self.cancel()

    def cancel(self) -> None:
        """Start nothing more; what runs is finished, and its outcomes still come."""
        self._let_go()
        self.engine.cancel()

    @property
    def seconds(self) -> float:
        """Time since this was made."""
        return monotonic() - self._started

    @property
    def all_seconds(self) -> float:
        """How long the run has been at work, before it was resumed as well."""
        return self._seconds_before + self.seconds

    def summary(self) -> RunSummary:
        """What the run has come to so far."""
        return self.tally.summary(
            self.id, self.all_seconds, self.engine.worker_count, self.engine.statistics()
        )

    def _paths(self) -> Iterator[str]:
        """Pass paths on to the engine, and set entries aside with their place among them."""
        entry_count = 0
        found = self._found
        for self.found_count, one in enumerate(found, 1):
            if isinstance(one, str):
                yield one
            else:
                if self._is_over:
                    return
                entry_count += 1
                outcome = Outcome(
                    one.path, one.status, error=one.reason, size=one.size, mtime_ns=one.mtime_ns
                )
                self._entries.append((self.found_count - entry_count, outcome))
                if len(self._entries) >= MOST_ENTRIES:
                    self._wait_until_entries_are_taken()
        self.has_scan_ended = True

    def _wait_until_entries_are_taken(self) -> None:
        """Keep a scan that finds little to run from filling the memory.

        Not where the same thread draws and consumes, nor in an ordered run, whose own window
        bounds how far paths are drawn ahead of the consumer.
        """
        if self._is_ordered or threading.get_ident() == self._consumer:
            return
        with self._entries_taken:
            self._entries_taken.wait_for(lambda: self._is_over or len(self._entries) < MOST_ENTRIES)

    def _let_go(self) -> None:
        """The consumer takes no more: whoever scans need not wait for it."""
        with self._entries_taken:
            self._is_over = True
            self._entries_taken.notify_all()

    def _with_entries(self, batch: list[Outcome], emitted: int) -> list[Outcome]:
        """Put entries among outcomes: each in its place when ordered, else behind them."""
        entries = self._entries
        if not entries:
            return batch
        if not self._is_ordered:
            whole = batch + [entries.popleft()[1] for _ in range(len(entries))]
            with self._entries_taken:
                self._entries_taken.notify_all()
            return whole
        whole = []
        for position, outcome in enumerate(batch, emitted):
            while entries and entries[0][0] <= position:
                whole.append(entries.popleft()[1])
            whole.append(outcome)
        return whole


def process_tree(
    path: AnyPath | Iterable[AnyPath],
    task: str | Callable[[str], Any] = DEFAULT_TASK,
    *,
    options: Mapping[str, str] | None = None,
    filters: ScanOptions | None = None,
    output: AnyPath | None = None,
    on_outcome: Callable[[Outcome], object] | None = None,
    ordered: bool = False,
    workers: int | None = None,
    slots: int | None = None,
    max_open_files: int | None = None,
    timeout: float | None = None,
    retries: int = 0,
    halt: str | None = None,
    engine: Literal["local", "inline"] = "local",
    journal: AnyPath | None = None,
) -> RunSummary:
    """Run a task on every file under ``path``, and return what it came to.

    Args:
        path: A directory or file, or several.
        task: The name of a built-in task, or a function or coroutine function that takes a path
            (``str``; ``os.fsencode`` gives its exact bytes) and returns the outcome's value.
        options: Options of a built-in task.
        filters: Which files: globs, sizes, links…; everything by default.
        output: Write outcomes to this file; its suffix says how (``.jsonl``, ``.sha256``…).
        on_outcome: Called in this thread with each ``Outcome`` as it arrives.
        ordered: Outcomes in the order in which the files are found.
        workers: As in ``Pool``, like the arguments that follow.
        slots: Jobs in progress at one time in each worker.
        max_open_files: Descriptors that each worker may lend.
        timeout: Longest time of one attempt in seconds.
        retries: Further attempts after a failure that may pass.
        halt: When to give up: ``soon,fail=3`` starts nothing more after three failures,
            ``now,fail=10%`` also ends what runs. What was found and not run is ``cancelled``.
        engine: ``local`` runs worker processes, ``inline`` everything in this thread.
        journal: Record the run in this file, which ``fsworkers show`` and ``runs`` read; further
            runs are added to it.

    Raises:
        PathNotFound: There is no such path.
        TaskNotFound: There is no such task.
        BadSetting: A value that can't be.
        SinkError: ``output`` can't be written, or not in that format.
        JournalError: ``journal`` can't be written, is something else, or in use by another run.
        Exception: Whatever ``on_outcome`` raises; running jobs are finished first.
    """
    paths = [path] if isinstance(path, (str, bytes, os.PathLike)) else list(path)
    function = make_task(task, options or {}) if isinstance(task, str) else task
    halting = None if halt is None else Halting.parse(halt)
    check_paths(paths)
    settings = PoolSettings(
        workers=workers,
        slots=slots,
        max_open_files=max_open_files,
        timeout=timeout,
        retries=retries,
    )
    with ExitStack() as stack:
        sink = None
        if output is not None:
            from fsworkers.sinks.open import open_sink  # noqa: PLC0415  (only with an output)

            sink = open_sink(Path(os.fsdecode(output)), algorithm=algorithm_of(function))
            stack.callback(sink.close)
        own = [] if output is None else [output]
        run_id = new_run_id()
        recorder = None
        if journal is not None:
            name = task if isinstance(task, str) else None
            mark = fingerprint(function, name=name, options=options or {})
            recorder = stack.enter_context(_recorder(journal, run_id, paths, mark))
            own += recorder.files
        runner = open_engine(engine, settings)
        stack.callback(runner.close)
        found = scan(paths, filters or ScanOptions(), own=own)
        run = TreeRun(runner, function, found, ordered=ordered, halting=halting, id=run_id)
        for batch in run.batches():
            if recorder is not None:
                record_batch(recorder, run, batch)
            if sink is not None:
                sink.write(batch)
            if on_outcome is not None:
                for outcome in batch:
                    on_outcome(outcome)
        if recorder is not None:
            recorder.end("finished")
        return run.summary()


def record_batch(recorder: Recorder, run: TreeRun, batch: Sequence[Outcome]) -> None:
    """Write a batch into the journal, and what the run has come to with it."""
    tally = run.tally
    recorder.record(batch, tally.counts, tally.all_bytes, run.all_seconds)


def _recorder(journal: AnyPath, run_id: str, paths: list[AnyPath], mark: str) -> Recorder:
    from fsworkers.journal.record import RunRecord  # noqa: PLC0415  (SQLite only with a journal)
    from fsworkers.journal.recorder import Recorder  # noqa: PLC0415
    from fsworkers.sinks.plain import encode  # noqa: PLC0415

    record = RunRecord(
        id=run_id,
        cwd=os.getcwd(),
        argv=tuple(sys.argv),
        roots=tuple(map(os.fsdecode, paths)),
        options=None,
        fingerprint=mark,
    )
    return Recorder.begin(Path(os.path.abspath(os.fsdecode(journal))), record, encode)


def open_engine(name: Literal["local", "inline"], settings: PoolSettings) -> Engine:
    """Make the engine of that name."""
    if name == "local":
        return LocalEngine(settings)
    from fsworkers.engines.inline import InlineEngine  # noqa: PLC0415  (takes asyncio along)

    return InlineEngine(settings)


def algorithm_of(function: Callable[[str], Any]) -> str | None:
    """The digest that a task's values are, ``None`` if they are none."""
    return function.algorithm if isinstance(function, Checksum) else None
