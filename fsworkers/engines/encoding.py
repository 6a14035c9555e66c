"""What a worker makes of the files that it has done: the journal's record, the output's lines.

The encoder travels with the task, so that the master only passes on what it makes, and never looks
at a single file that was simply done. Its frames: lines, three columns of ``encode_values`` where
the outcomes themselves are wanted, then pairs of directories and rows for the journal.
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from fsworkers.journal.rows import pack_done, pack_outcomes
from fsworkers.model import Outcome
from fsworkers.pool.actions import Conclude, Record
from fsworkers.pool.outcomes import concluded, outcomes_of
from fsworkers.pool.payload import Packed, unpack
from fsworkers.pool.run_block import encode_values
from fsworkers.sinks.plain import encode, encode_list

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fsworkers.journal.selection import Unchanged
    from fsworkers.model import Entry
    from fsworkers.pool.task_function import Rows
    from fsworkers.sinks.sink import DoneEncoder

LARGE_BYTES = 1 << 24
"""Values of so much are recorded one by one, and so within what the journal can hold."""

_NO_LINES = b""

_decode = msgspec.json.Decoder().decode


class BlockEncoder(NamedTuple):
    """Encodes what was done in a block.

    Attributes:
        is_recorded: Whether there is a journal.
        encode_done: The output's encoder; ``None`` without an output.
        wants_outcomes: Whether the caller looks at every outcome.
        stamp: Gives the stamp of a file's output; ``None`` where none are made, or not recorded.
    """

    is_recorded: bool
    encode_done: DoneEncoder | None
    wants_outcomes: bool
    stamp: Callable[[str], int | None] | None = None

    def __call__(self, rows: Rows) -> Sequence[bytes]:
        """Turn what was done into frames."""
        values = rows.values
        if Packed in set(map(type, values)):
            values = [unpack(value) for value in values]
        # To the microsecond, in half the time of ``round``.
        durations_s = [int(1e6 * each + 0.5) / 1e6 for each in rows.durations_s]
        sizes = rows.sizes or [None] * len(values)
        mtimes_ns = rows.mtimes_ns or [None] * len(values)
        lines: bytes | None = _NO_LINES
        if self.encode_done is not None:
            lines = self.encode_done(
                rows.items, values, sizes, durations_s, rows.attempts, rows.worker, mtimes_ns
            )
        columns: Sequence[bytes] = (b"", b"", b"")
        if lines is None or self.wants_outcomes:
            columns = encode_values(rows)
        frames = [lines or _NO_LINES, *columns]
        if self.is_recorded:
            values_json = encode_list(values)
            if rows.attempts == 1 and len(values_json) < LARGE_BYTES:
                made = None if self.stamp is None else [*map(self.stamp, rows.items)]
                frames += pack_done(
                    rows.items, values_json, sizes, mtimes_ns, durations_s, rows.worker, made
                )
            else:
                outcomes = map(
                    Outcome, rows.items, repeat("done"), values, repeat(None),
                    repeat(rows.attempts), sizes, durations_s, repeat(rows.worker), repeat(None),
                    mtimes_ns,
                )  # fmt: skip
                for pair in pack_outcomes(list(outcomes), encode, self.stamp):
                    frames += pair
        return frames


class Portion(NamedTuple):
    """What became of some files, as it arrives: in order, where that was asked for.

    Attributes:
        done: How many of them were done.
        size_bytes: Bytes of these.
        lines: The output's lines of those that were done; empty if ``outcomes`` has them.
        records: Pairs of directories and rows for the journal, likewise.
        outcomes: All that were not simply done; every one where that was asked for.
        is_encoded: Whether those that were done are in ``lines``.
        unchanged: How many were left out because an earlier run has done them.
    """

    done: int
    size_bytes: int
    lines: bytes
    records: list[tuple[bytes, bytes]]
    outcomes: list[Outcome]
    is_encoded: bool = True
    unchanged: int = 0

    @property
    def weight(self) -> int:
        """What it takes of memory while it waits: a file counts one, and each 1 KB of values."""
        return max(self.file_count, sum(len(rows) for _, rows in self.records) // 1000)

    @property
    def file_count(self) -> int:
        """How many files it tells of."""
        return self.done + sum(1 for one in self.outcomes if one.status != "done")


def portion_of(settled: Record | Conclude) -> Portion:
    """Read what ``BlockEncoder`` made."""
    if isinstance(settled, Conclude):
        return Portion(0, 0, b"", [], concluded(settled))
    answer, frames = settled.answer, settled.columns
    lines, *rest = frames
    outcomes: list[Outcome] = []
    if rest[0]:
        outcomes = outcomes_of(settled._replace(columns=rest[:3]))
    done = answer.stop - answer.start - len(answer.failures)
    records = list(zip(rest[3::2], rest[4::2], strict=True))
    return Portion(done, answer.size_bytes, lines, records, outcomes, bool(lines) or not outcomes)


def portion_of_entry(entry: Entry) -> Portion:
    """What the scan has settled itself."""
    outcome = Outcome(
        entry.path, entry.status, error=entry.reason, size=entry.size, mtime_ns=entry.mtime_ns
    )
    return Portion(0, 0, b"", [], [outcome])


def portion_of_unchanged(files: Unchanged) -> Portion:
    """Files that an earlier run has done, and that are as they were."""
    outcomes = [
        Outcome(path, "skipped", _decode(value), files.reason, size=size, mtime_ns=mtime_ns)
        for path, size, mtime_ns, value in zip(
            files.paths, files.sizes, files.mtimes_ns, files.values, strict=True
        )
    ]
    return Portion(0, 0, b"", [files.pack()], outcomes, unchanged=len(outcomes))


def pack_records(
    outcomes: Sequence[Outcome], stamp: Callable[[str], int | None] | None = None
) -> list[tuple[bytes, bytes]]:
    """Records of outcomes that no worker has packed."""
    return list(pack_outcomes(outcomes, encode, stamp)) if outcomes else []
