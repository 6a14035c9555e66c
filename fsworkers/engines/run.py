"""The one driver of a run: a task over what a scan finds, one outcome for everything found.

The command line and ``process_tree`` both go through it, portion by portion: what arrives is
recorded first, then written, counted, and only then shown to the caller.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from itertools import chain
from time import gmtime, monotonic, strftime
from typing import TYPE_CHECKING, Any, cast

from msgspec.structs import replace

from fsworkers.engines.encoding import (
    BlockEncoder,
    Portion,
    pack_records,
    portion_of,
    portion_of_entry,
    portion_of_unchanged,
)
from fsworkers.engines.made import stamp_of
from fsworkers.engines.reducing import Reduction
from fsworkers.engines.tally import Tally
from fsworkers.journal.known import as_written
from fsworkers.model import Entry
from fsworkers.pool.actions import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from fsworkers.engines.engine import Engine
    from fsworkers.engines.halting import Halting
    from fsworkers.engines.observers import Observer, Observing
    from fsworkers.journal.record import State
    from fsworkers.journal.recorder import Recorder
    from fsworkers.journal.selection import Unchanged
    from fsworkers.model import RunSummary
    from fsworkers.pool.actions import Conclude
    from fsworkers.pool.task_function import Encoder
    from fsworkers.sinks.sink import Sink
    from fsworkers.tasks.command import BatchCommand

MOST_ENTRIES = 65_536
"""How many things that are not to be run may be found ahead of the consumer, by weight."""


def new_run_id() -> str:
    """A name for a run: when it begins, and something that tells it from others of that second."""
    return f"{strftime('%Y%m%dT%H%M%SZ', gmtime())}-{os.urandom(3).hex()}"


class Run:
    """One run of a task over everything that a scan finds.

    Args:
        engine: How jobs are executed.
        function: The task function.
        found: Lists of paths to process, and what is settled without being run.
        ordered: Tell outcomes in the order in which things were found.
        halting: When there have been too many failures to go on.
        id: The run's name; a new one by default.
        tally: Where outcomes are counted, perhaps with those of before it was resumed.
        recorder: The journal, if there is one.
        sink: Where outcomes are written as they arrive, if anywhere.
        wants_outcomes: Whether portions bring every outcome, and not only those not ``done``.
        observers: Told of what happens.

    Attributes:
        reduction: What the task makes of all files together, if it does so.
    """

    def __init__(
        self,
        engine: Engine,
        function: Callable[[str], Any],
        found: Iterable[list[str] | Entry | Unchanged],
        *,
        ordered: bool = False,
        halting: Halting | None = None,
        id: str | None = None,  # noqa: A002  (it is one)
        tally: Tally | None = None,
        recorder: Recorder | None = None,
        sink: Sink | None = None,
        wants_outcomes: bool = False,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.id = id or new_run_id()
        self.engine = engine
        self.tally = tally or Tally()
        self.has_scan_ended = False
        self.found_count = 0
        self._is_halting = False
        self._function = function
        self._batching: BatchCommand | None = None
        if getattr(function, "is_batching", False):
            self._batching = cast("BatchCommand", function)
        self._found = found
        self._halting = halting
        self.reduction = Reduction.of(function)
        self._is_ordered = ordered
        self._recorder = recorder
        self._stamp = None if recorder is None else stamp_of(function)
        self._sink = sink
        self._wants_outcomes = wants_outcomes
        self._observing: Observing | None = None
        if observers:
            from fsworkers.engines.observers import Observing  # noqa: PLC0415  (few runs have some)

            self._observing = Observing(observers, self)
            self._wants_outcomes |= self._observing.wants_outcomes
        self._entries: deque[tuple[int, Portion]] = deque()
        self._entries_weight = 0
        self._started = monotonic()
        self._seconds_before = 0.0 if recorder is None else recorder.run.seconds
        self._entries_taken = threading.Condition()
        self._consumer = threading.get_ident()
        self._is_over = False

    def portions(self) -> Generator[Portion | None]:
        """Yield what became of everything found; ``None`` now and then meanwhile.

        Raises:
            JournalError: It could not be recorded.
            SinkError: It could not be written.
            BrokenPipeError: Nobody reads the output any more.
        """
        portions = self._portions()
        return portions if self._observing is None else self._observing.watched(portions)

    def _portions(self) -> Generator[Portion | None]:
        reduction = self.reduction
        encode: Encoder = BlockEncoder(
            self._recorder is not None,
            None if self._sink is None else self._sink.encode_done,
            self._wants_outcomes or (reduction is not None and not reduction.merges),
            self._stamp,
        )
        if reduction is not None:
            encode = reduction.encoder(encode)
        self._consumer = threading.get_ident()
        batches: Iterator[list[Any]] = self._batches()
        if self._batching is not None:
            from fsworkers.engines.batches import BatchEncoder  # noqa: PLC0415  (only for these)

            batches = self._batching.batches(batches)
            encode = BatchEncoder(encode)
        if self._batching is not None and self._batching.bisect:
            from fsworkers.engines.batches import Bisection  # noqa: PLC0415  (only for these)

            bisection = Bisection(
                self.engine,
                self._batching,
                encode,
                ordered=self._is_ordered,
                is_over=lambda: self._is_over,
            )
            running = bisection.settled(batches)
        else:
            running = self.engine.settled(self._function, batches, encode, ordered=self._is_ordered)
        emitted = 0
        try:
            for arrived in running:
                portions: list[Portion] = []
                for portion in self._portions_of(arrived):
                    if self._is_ordered:
                        portions += self._entries_until(emitted)
                    portions.append(portion)
                    emitted += portion.file_count
                if not self._is_ordered or self._entries:
                    portions += self._entries_until(emitted if self._is_ordered else None)
                self._take(portions)
                if not portions:
                    yield None
                yield from portions
        finally:
            self._let_go()
            running.close()
        rest = self._entries_until(None)
        self._take(rest)
        yield from rest

    def _portions_of(self, arrived: list[Record | Conclude]) -> Iterable[Portion]:
        reduction = self.reduction
        if reduction is not None:
            arrived = [reduction.cut(one) if isinstance(one, Record) else one for one in arrived]
        if self._batching is None:
            return map(portion_of, arrived)
        from fsworkers.engines.batches import portions_of  # noqa: PLC0415  (as above)

        return chain.from_iterable(map(portions_of, arrived))

    def _take(self, portions: list[Portion]) -> None:
        """Record, write and count; nothing is told of before it is recorded."""
        if not portions:
            return
        for portion in portions:
            self.tally.add(portion)
            if self.reduction is not None:
                self.reduction.add(portion.outcomes)
        if self._recorder is not None:
            records = [record for portion in portions for record in portion.records]
            unpacked = [one for each in portions if not each.records for one in each.outcomes]
            tally = self.tally
            records += pack_records(unpacked, self._stamp)
            self._recorder.record(records, tally.counts, tally.all_bytes, self.all_seconds)
        if self._sink is not None:
            for portion in portions:
                if portion.lines:
                    self._sink.write_encoded(portion.lines)
                others = [
                    as_written(one)
                    for one in portion.outcomes
                    if one.status != "done" or not portion.is_encoded
                ]
                if others:
                    self._sink.write(others)
        self._halt_if_due()

    def _halt_if_due(self) -> None:
        if self._halting is None or self._is_halting:
            return
        if self._halting.is_crossed(self.tally.outcomes):
            self._is_halting = True
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
    def is_halted(self) -> bool:
        """Whether there were too many failures, and something was left out because of that."""
        is_all_done = self.has_scan_ended and not self.tally.counts["cancelled"]
        return self._is_halting and not is_all_done

    def state(self, otherwise: State = "finished") -> State:
        """What the run is now that it has come to its end."""
        return "halted" if self.is_halted else otherwise

    def missing(
        self, gone: Callable[[], Iterable[Sequence[str]]] | None
    ) -> Iterable[Sequence[str]]:
        """Files that were expected and not found: the task's, if it knows some; else those gone.

        Args:
            gone: Finds the files of an earlier run that are gone.
        """
        known = None if self.reduction is None else self.reduction.missing()
        if known is not None:
            return [known]
        return () if gone is None else gone()

    def write_missing(self, sink: Sink) -> None:
        """Write what the task expected and did not find, if it tells a value of that.

        Raises:
            SinkError: It could not be written.
            BrokenPipeError: Nobody reads the output any more.
        """
        if self.reduction is not None:
            for batch in self.reduction.missing_rows():
                sink.write(batch)

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
        summary = self.tally.summary(
            self.id, self.all_seconds, self.engine.worker_count, self.engine.statistics()
        )
        if self.reduction is None:
            return summary
        return replace(summary, reduced=self.reduction.result())

    def _batches(self) -> Iterator[list[str]]:
        """Pass paths on to the engine, and set entries aside with their place among them."""
        path_count = 0
        for one in self._found:
            if isinstance(one, list):
                self.found_count += len(one)
                path_count += len(one)
                yield one
                continue
            if self._is_over:
                return
            settled = portion_of_entry(one) if isinstance(one, Entry) else portion_of_unchanged(one)
            self.found_count += settled.file_count
            with self._entries_taken:
                self._entries.append((path_count, settled))
                self._entries_weight += settled.weight
            if self._is_ordered:
                yield []  # no block goes on past it
            if self._entries_weight >= MOST_ENTRIES:
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
            self._entries_taken.wait_for(
                lambda: self._is_over or self._entries_weight < MOST_ENTRIES
            )

    def _let_go(self) -> None:
        """The consumer takes no more: whoever scans need not wait for it."""
        with self._entries_taken:
            self._is_over = True
            self._entries_taken.notify_all()

    def _entries_until(self, position: int | None) -> list[Portion]:
        """What the scan has settled itself, up to its place among the paths."""
        entries = self._entries
        taken: list[Portion] = []
        while entries and (position is None or entries[0][0] <= position):
            taken.append(entries.popleft()[1])
        if taken:
            with self._entries_taken:
                self._entries_weight -= sum(one.weight for one in taken)
                self._entries_taken.notify_all()
        return taken
