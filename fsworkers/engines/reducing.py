"""One result of all values of a run: made in part by the workers, where it can be."""

from __future__ import annotations

import pickle
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from fsworkers.errors import FsworkersError
from fsworkers.model import Outcome
from fsworkers.pool.payload import Packed, pickle_value, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fsworkers.pool.actions import Record
    from fsworkers.pool.task_function import Encoder, Rows
    from fsworkers.tasks.task import Reducer

_BATCH = 1000
"""So many rows are written at a time."""


class ReducerFailed(FsworkersError):
    """A task's reducer raised, or can't travel from a worker."""

    def __init__(self, task: str, reason: str) -> None:
        self.task = task
        self.reason = reason
        super().__init__(f"the reducer of task {task} failed: {reason}")

    def __reduce__(self) -> tuple[type[ReducerFailed], tuple[str, str]]:
        """Travel by the fields."""
        return ReducerFailed, (self.task, self.reason)


@contextmanager
def _reducing(task: str) -> Iterator[None]:
    """Say whose reducer it was that raised.

    Raises:
        ReducerFailed: It did, and not an error of ours.
    """
    try:
        yield
    except FsworkersError:
        raise
    except Exception as error:
        raise ReducerFailed(task, f"{type(error).__name__}: {error}") from error


class Reduction:
    """The reducer of a run, and the way that values take to it.

    Args:
        make: Makes an empty reducer.
        task: The task's class, for messages.

    Attributes:
        reducer: What has been taken so far.
        merges: Whether workers reduce their blocks; else the master looks at every outcome.
    """

    def __init__(self, make: Callable[[], Reducer], task: str) -> None:
        self._make = make
        self._task = task
        with _reducing(task):
            self.reducer = make()
        self.merges = hasattr(self.reducer, "merge")

    @classmethod
    def of(cls, function: Any) -> Reduction | None:
        """That of a task function, if it has one."""
        make = getattr(function, "reducer", None)
        if make is None:
            return None
        return cls(make, type(getattr(make, "__self__", function)).__qualname__)

    def encoder(self, encode: Encoder) -> Encoder:
        """What encodes a block, its reduction included where workers do that."""
        return _ReducingEncoder(encode, self._make, self._task) if self.merges else encode

    def cut(self, settled: Record) -> Record:
        """Take what the workers have reduced from a block that is done, and leave the rest."""
        if not (self.merges and settled.columns):
            return settled
        part, *rest = settled.columns
        with _reducing(self._task):
            other = pickle.loads(part)
            if isinstance(other, ReducerFailed):
                raise other
            cast("Any", self.reducer).merge(other)
        return settled._replace(columns=rest)

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Take values that no worker has reduced."""
        with _reducing(self._task):
            for one in outcomes:
                if one.status != "done" or not self.merges:
                    self._take(one)

    def again(self, outcomes: Iterable[Sequence[Outcome]]) -> None:
        """Begin anew, with all outcomes of a run as they are recorded."""
        with _reducing(self._task):
            self.reducer = self._make()
            for one in chain.from_iterable(outcomes):
                self._take(one)

    def result(self) -> dict[str, Any]:
        """What it came to so far."""
        with _reducing(self._task):
            return dict(self.reducer.result())

    def missing(self) -> Sequence[str] | None:
        """The paths that the task expected and that were not found; ``None`` if it expects none."""
        missing = getattr(self.reducer, "missing", None)
        with _reducing(self._task):
            return None if missing is None else missing()

    def missing_rows(self) -> Iterator[list[Outcome]]:
        """What outputs have of those, in batches, where the task says what their value is."""
        value = getattr(self.reducer, "missing_value", None)
        paths = [] if value is None else self.missing() or []
        for at in range(0, len(paths), _BATCH):
            yield [Outcome(path, "done", value) for path in paths[at : at + _BATCH]]

    def _take(self, one: Outcome) -> None:
        # That of an unchanged file, which is left out, is as good as if it were done now.
        if one.status == "done" or (one.status == "skipped" and one.value is not None):
            self.reducer.add(one.path, one.value)


class _ReducingEncoder(NamedTuple):
    """Reduces a block in the worker, beside what else is made of it there."""

    encode: Encoder
    make: Callable[[], Reducer]
    task: str

    def __call__(self, rows: Rows) -> Sequence[bytes]:
        return [self._part(rows), *self.encode(rows)]

    def _part(self, rows: Rows) -> bytes:
        """The reducer that has these values; or what it raised: that ends the run."""
        try:
            reducer = self.make()
            add = reducer.add
            for path, value in zip(rows.items, rows.values, strict=True):
                add(path, unpack(value) if type(value) is Packed else value)
            return pickle_value(reducer)
        except Exception as error:  # noqa: BLE001  (it is the user's code)
            return pickle.dumps(ReducerFailed(self.task, f"{type(error).__name__}: {error}"))
