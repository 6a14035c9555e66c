"""A worker's own place in a stress run: its limit, its kit, its view of the board.

Made once in each worker process, before its first job: the soft limit is lowered there, in the
worker and nowhere else, on both sides in the same way.
"""

from __future__ import annotations

import os
import resource
import threading
from collections import Counter
from contextlib import contextmanager
from errno import errorcode
from time import perf_counter
from typing import TYPE_CHECKING

from fsworkers import graceful
from fsworkers.graceful.budget.kernel import open_numbers
from fsworkers.stress.board import DEADLOCKS, OVERTAKEN, RESCUED, SERVED, Board
from fsworkers.stress.bystanders import Collector, Hog
from fsworkers.stress.kits import kit_of
from fsworkers.stress.tree import is_right, path_of
from fsworkers.stress.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsworkers.stress.records import Brief

MOST_ERRORS = 10
MOST_CHARACTERS = 160
_NOTE_S = 0.05
_stations: dict[int, Station] = {}
_making = threading.Lock()


class Station:
    """What a job needs to know in its worker.

    Args:
        brief: What this side was told.
        ops: Operations of a round.
        jobs: Jobs of a round.
        has_hog: Whether other code takes and frees descriptors in this worker.
        has_leaks: Whether files are left to the garbage collector.

    Attributes:
        brief: As given.
        kit: How to open things here.
        board: Where to write what became of each operation.
    """

    def __init__(
        self, brief: Brief, ops: int, jobs: int, *, has_hog: bool, has_leaks: bool
    ) -> None:
        self.brief = brief
        self.kit = kit_of(brief.side)
        self.board = Board(brief.board, ops, jobs)
        self._witness = Witness()
        self._next_note_s = 0.0
        self._errors: Counter[str] = Counter()
        self._jobs = 0
        self._lock = threading.Lock()
        _lower_limit(brief.plan.limit)
        if brief.side == "fsworkers":
            graceful.configure()
            self._witness.watch()
        numbers = open_numbers()
        self._row = self.board.claim_row(0 if numbers is None else len(numbers))
        if has_hog:
            Hog(self.board, brief.plan.limit // 4, brief.plan.seed).start()
        if has_leaks:
            Collector(self.board).start()

    def hold_s(self, op: int) -> float:
        """How long an operation holds what it has opened: up to 4 ms, by the seed."""
        return _scattered(op, self.brief.plan.seed) * 0.004

    def pause(self, op: int, *, factor: int) -> None:
        """Hold what an operation has open, ``factor`` times as long as a plain file."""
        threading.Event().wait(factor * self.hold_s(op))

    def path(self, op: int) -> str:
        """The file of an operation."""
        return path_of(self.brief.tree, op % self.brief.plan.files)

    def is_right(self, op: int, data: bytes) -> bool:
        """Whether ``data`` is what that file holds."""
        return is_right(data, op % self.brief.plan.files)

    def read_and_hold(self, op: int, *, hold_s: float) -> None:
        """The plainest operation: open, hold, read, check, close, on this thread."""
        self.board.asked(op)
        begun = perf_counter()
        try:
            with self.kit.open(self.path(op)) as file:
                self.board.granted(op, perf_counter() - begun)
                threading.Event().wait(hold_s)
                data = file.read()
            self.board.ended(op, is_right=self.is_right(op, data))
        except OSError as error:
            self.failed(op, error)
            raise

    def failed(self, op: int, error: BaseException) -> None:
        """An operation was ended by an error."""
        self.board.failed(op, error)
        with self._lock:
            self._errors[described(error)] += 1

    def take_errors(self) -> dict[str, int]:
        """What operations were ended by since the last call, and how often."""
        with self._lock:
            taken, self._errors = dict(self._errors.most_common(MOST_ERRORS)), Counter()
        return taken

    @contextmanager
    def job(self) -> Iterator[None]:
        """Do a job: when it is over, what was counted is written down.

        What its operations failed with is not told twice: the job's own error says it.
        """
        with self._lock:
            self._jobs += 1
        try:
            yield
        except BaseException:
            self.take_errors()
            raise
        finally:
            with self._lock:
                self._jobs -= 1
            self._note_figures(is_idle=not self._jobs)

    def _note_figures(self, *, is_idle: bool) -> None:
        """Write what the layer and the witness count to this worker's row.

        Now and then while there is work; and when there is none, because it may be the end.
        """
        now = perf_counter()
        if self.brief.side == "ordinary" or (now < self._next_note_s and not is_idle):
            return
        self._next_note_s = now + _NOTE_S
        seen = graceful.statistics()
        self.board.note(self._row, SERVED, self._witness.served)
        self.board.note(self._row, OVERTAKEN, self._witness.overtaken)
        self.board.note(self._row, RESCUED, seen.rescued)
        self.board.note(self._row, DEADLOCKS, seen.deadlocks)


def station_of(brief: Brief, ops: int, jobs: int, *, has_hog: bool, has_leaks: bool) -> Station:
    """This process's station, made when it is first asked for."""
    with _making:  # the first jobs may come in many threads at once
        found = _stations.get(os.getpid())
        if found is None:
            found = _stations[os.getpid()] = Station(
                brief, ops, jobs, has_hog=has_hog, has_leaks=has_leaks
            )
    return found


def described(error: BaseException) -> str:
    """An error in a few words, the same for every file."""
    name = type(error).__name__
    if isinstance(error, OSError) and error.errno is not None:
        return f"{name}: {errorcode.get(error.errno, error.errno)}"
    return f"{name}: {error}"[:MOST_CHARACTERS]


def _lower_limit(limit: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def _scattered(number: int, seed: int) -> float:
    """A number from 0 to 1 that looks random and is always the same (Knuth's multiplier)."""
    return ((number + seed * 7919) * 2_654_435_761 & 0xFFFFFFFF) / 0xFFFFFFFF
