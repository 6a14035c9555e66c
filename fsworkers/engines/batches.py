"""Runs whose jobs are many files each: what goes out as batches comes back as single files.

Where a command is bisected, each half of a batch that failed is a job of its own: it has its own
time limit and retries, and none is begun any more once the run is cancelled.
"""

from __future__ import annotations

import pickle
from contextlib import closing
from itertools import chain, groupby, repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from fsworkers.engines.encoding import Portion, portion_of
from fsworkers.model import Outcome
from fsworkers.pool.actions import Conclude, Record
from fsworkers.pool.blocks import Block
from fsworkers.pool.failures import CANCELLED
from fsworkers.pool.outcomes import concluded
from fsworkers.pool.payload import Packed, unpack
from fsworkers.pool.task_function import Encoder, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from fsworkers.engines.engine import Engine
    from fsworkers.tasks.command import BatchCommand, BatchDone

HALVES_FROM = 500_000_000
"""What the numbers of calls for halves begin above: those of batches are below."""


class BatchEncoder(NamedTuple):
    """Encodes the files of batches that were done, in the worker.

    Attributes:
        encode: What encodes single files.
    """

    encode: Encoder

    def __call__(self, rows: Rows) -> Sequence[bytes]:
        """Turn batches into frames: what is of batches, then what ``encode`` makes of files."""
        paths: list[str] = []
        columns: tuple[list[Any], ...] = ([], [], [], [])
        rows_of_batches = zip(rows.items, rows.values, rows.durations_s, strict=True)
        for item, packed, duration_s in rows_of_batches:
            done: BatchDone = unpack(packed)
            batch = unpack(item) if type(item) is Packed else item
            paths += batch
            of_files: tuple[list[Any], ...] = (*done, [duration_s] * len(batch))
            for column, some in zip(columns, of_files, strict=True):
                column.extend(some)
        size_bytes = sum(size for size in columns[1] if isinstance(size, int))
        values, sizes, mtimes_ns, durations_s = columns
        frames = self.encode(
            Rows(paths, values, sizes, mtimes_ns, durations_s, rows.attempts, rows.worker)
        )
        return [pickle.dumps((paths, size_bytes), protocol=5), *frames]


def portions_of(settled: Record | Conclude) -> Iterator[Portion]:
    """Read what ``BatchEncoder`` made, or what became of batches that were not simply done."""
    if isinstance(settled, Conclude):
        yield Portion(0, 0, b"", [], [*chain.from_iterable(map(_apart, concluded(settled)))])
        return
    block, answer, frames = settled
    if not frames:
        return
    paths, size_bytes = pickle.loads(frames[0])
    yield portion_of(
        settled._replace(
            block=block._replace(first=0, items=paths),
            answer=answer._replace(start=0, stop=len(paths), failures=(), size_bytes=size_bytes),
            columns=frames[1:],
        )
    )


def _apart(whole: Outcome) -> Iterator[Outcome]:
    """The outcome of a batch as that of each file; what the command left is told once."""
    told = chain([(whole.value, whole.traceback)], repeat((None, None)))
    for path, (value, trace) in zip(whole.path, told, strict=False):
        yield Outcome(
            path, whole.status, value, whole.error, whole.attempts, None, whole.duration_s,
            whole.worker, trace,
        )  # fmt: skip


class Bisection:
    """Runs batches, and the halves of those that failed, until each that fails is one file.

    Args:
        engine: Runs them.
        command: What is run.
        encode: See ``Engine.settled``.
        ordered: Likewise.
        is_over: Tells whether nothing more is to be begun.
    """

    def __init__(
        self,
        engine: Engine,
        command: BatchCommand,
        encode: Encoder,
        *,
        ordered: bool,
        is_over: Callable[[], bool],
    ) -> None:
        self._engine = engine
        self._command = command
        self._encode = encode
        self._is_ordered = ordered
        self._is_over = is_over
        self._numbered = command.settings.numbered_from + HALVES_FROM

    def settled(self, batches: Iterable[list[Any]]) -> Generator[list[Record | Conclude]]:
        """Yield what became of every batch, in lists; see ``Engine.settled``."""
        return self._settled(self._command, batches)

    def _settled(
        self, command: BatchCommand, batches: Iterable[list[Any]]
    ) -> Generator[list[Record | Conclude]]:
        engine = self._engine
        late: list[Record | Conclude] = []
        running = engine.settled(command, batches, self._encode, ordered=self._is_ordered)
        with closing(running):
            for arrived in running:
                if not arrived:
                    yield arrived
                for is_divisible, some in groupby(arrived, _is_divisible):
                    if not is_divisible:
                        yield [*some]
                    elif engine.runs_several:
                        yield from self._halves(some)
                    else:
                        late += some
        yield from self._halves(late)

    def _halves(self, failed: Iterable[Record | Conclude]) -> Generator[list[Record | Conclude]]:
        """Yield what became of the halves of batches that failed."""
        blocks = [one.block for one in failed]
        if self._is_over():
            yield [Conclude(one, "cancelled", CANCELLED) for one in blocks]
            return
        halves = []
        for batch in chain.from_iterable(one.items for one in blocks):
            middle = len(batch) // 2
            halves += [batch[:middle], batch[middle:]]
        if halves:
            command = self._command.with_settings(numbered_from=self._numbered)
            self._numbered += len(halves)
            untold = {half[0]: half for half in halves}
            for arrived in self._settled(command, iter([halves])):
                for batch in chain.from_iterable(one.block.items for one in arrived):
                    untold.pop(batch[0], None)
                yield arrived
            # Others are not told of that were not drawn, as they were not found either; these were.
            blocks = [Block(0, 0, [half]) for half in untold.values()]
            yield [Conclude(block, "cancelled", CANCELLED) for block in blocks]


def _is_divisible(one: Record | Conclude) -> bool:
    """Whether it is a batch that failed, and not the one file that it fails on."""
    has_failed = isinstance(one, Conclude) and one.status in {"failed", "timed_out"}
    return has_failed and len(one.block.items[0]) > 1
