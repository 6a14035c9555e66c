"""Outcomes out of what workers answered: made when somebody looks, in loops of C speed."""

from __future__ import annotations

from array import array
from itertools import compress, repeat
from typing import TYPE_CHECKING, Any

from fsworkers.model import Outcome
from fsworkers.pool.actions import Conclude, Record
from fsworkers.pool.payload import unpack, unpack_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fsworkers.pool.wire import Answer


def outcomes_of(settled: Record | Conclude) -> list[Outcome]:
    """The outcome of each item of a span, in order. Columns are those of ``encode_values``."""
    if isinstance(settled, Conclude):
        return concluded(settled)
    block, answer, (values_frame, durations_frame, others_frame) = settled
    sizes, mtimes, has_packed = unpack_values(others_frame) if others_frame else (None, None, False)
    columns: list[Iterable[Any]] = [
        done_items(settled),
        repeat("done"),
        unpack_values(values_frame),
        repeat(None),
        repeat(block.history.attempt),
        sizes or repeat(None),
        array("d", durations_frame),
        repeat(answer.worker),
    ]
    if mtimes is not None:
        columns += [repeat(None), mtimes]
    return list(map(_unpacked if has_packed else Outcome, *columns))


def done_items(settled: Record) -> Sequence[Any]:
    """The items of a span that were done."""
    block, answer, _ = settled
    items = block.items
    if answer.start != block.first or answer.stop != block.stop:
        items = items[answer.start - block.first : answer.stop - block.first]
    if not answer.failures:
        return items
    return list(compress(items, _is_done(answer)))


def _is_done(answer: Answer) -> list[bool]:
    marks = [True] * (answer.stop - answer.start)
    for failed in answer.failures:
        marks[failed.position - answer.start] = False
    return marks


def concluded(settled: Conclude) -> list[Outcome]:
    """The outcomes of items that were not simply done."""
    failure = settled.failure
    return [
        Outcome(
            item, settled.status, unpack(failure.value), failure.error, settled.attempts,
            settled.size, settled.duration_s, settled.worker, failure.traceback, settled.mtime_ns,
        )
        for item in settled.block.items
    ]  # fmt: skip


def _unpacked(path: Any, _status: str, value: Any, _error: None, *others: Any) -> Outcome:
    try:
        value = unpack(value)
    except BaseException as error:  # noqa: BLE001  (a user's type raises anything, SystemExit too)
        text = f"its result can't be unpickled here: {type(error).__name__}: {error}"
        return Outcome(path, "failed", None, text, *others)
    return Outcome(path, "done", value, None, *others)
