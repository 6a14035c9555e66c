"""Runs whose jobs are many files each: what goes out as batches comes back as single files."""

from __future__ import annotations

import pickle
from itertools import chain, repeat
from typing import TYPE_CHECKING, NamedTuple

from fsworkers.engines.encoding import Portion, portion_of
from fsworkers.errors import CommandFailed
from fsworkers.model import Outcome
from fsworkers.pool.actions import Conclude, Record
from fsworkers.pool.outcomes import concluded
from fsworkers.pool.payload import Packed, unpack
from fsworkers.pool.task_function import Encoder, Rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fsworkers.model import Status
    from fsworkers.tasks.command import BatchDone


class BatchEncoder(NamedTuple):
    """Encodes the files of batches that were done, in the worker.

    Attributes:
        encode: What encodes single files.
    """

    encode: Encoder

    def __call__(self, rows: Rows) -> Sequence[bytes]:
        """Turn batches into frames: what is of batches, then what ``encode`` makes of files."""
        paths: list[str] = []
        columns: tuple[list[object], ...] = ([], [], [], [])
        failed: list[Outcome] = []
        rows_of_batches = zip(rows.items, rows.values, rows.durations_s, strict=True)
        for item, packed, duration_s in rows_of_batches:
            done: BatchDone = unpack(packed)
            batch = unpack(item) if type(item) is Packed else item
            if CommandFailed not in set(map(type, done.results)):
                paths += batch
                columns[0].extend(done.results)
                columns[1].extend(done.sizes)
                columns[2].extend(done.mtimes_ns)
                columns[3].extend([duration_s] * len(batch))
                continue
            files = zip(batch, *done, strict=True)
            for path, result, size, mtime_ns in files:
                if isinstance(result, CommandFailed):
                    status: Status = "timed_out" if result.is_overdue else "failed"
                    failed.append(
                        Outcome(
                            path, status, result.value, str(result), rows.attempts, size,
                            duration_s, rows.worker, result.report, mtime_ns,
                        )
                    )  # fmt: skip
                    continue
                paths.append(path)
                for column, value in zip(
                    columns, (result, size, mtime_ns, duration_s), strict=True
                ):
                    column.append(value)
        size_bytes = sum(size for size in columns[1] if isinstance(size, int))
        frames: Sequence[bytes] = ()
        if paths:
            values, sizes, mtimes_ns, durations_s = columns
            frames = self.encode(
                Rows(paths, values, sizes, mtimes_ns, durations_s, rows.attempts, rows.worker)  # type: ignore[arg-type]
            )
        return [pickle.dumps((paths, size_bytes, failed), protocol=5), *frames]


def portions_of(settled: Record | Conclude) -> Iterator[Portion]:
    """Read what ``BatchEncoder`` made, or what became of batches that were not simply done."""
    if isinstance(settled, Conclude):
        yield Portion(0, 0, b"", [], [*chain.from_iterable(map(_apart, concluded(settled)))])
        return
    block, answer, frames = settled
    if not frames:
        return
    paths, size_bytes, failed = pickle.loads(frames[0])
    if paths:
        yield portion_of(
            settled._replace(
                block=block._replace(first=0, items=paths),
                answer=answer._replace(
                    start=0, stop=len(paths), failures=(), size_bytes=size_bytes
                ),
                columns=frames[1:],
            )
        )
    if failed:
        yield Portion(0, 0, b"", [], failed)


def _apart(whole: Outcome) -> Iterator[Outcome]:
    """The outcome of a batch as that of each file; what the command left is told once."""
    told = chain([(whole.value, whole.traceback)], repeat((None, None)))
    for path, (value, trace) in zip(whole.path, told, strict=False):
        yield Outcome(
            path, whole.status, value, whole.error, whole.attempts, None, whole.duration_s,
            whole.worker, trace,
        )  # fmt: skip
