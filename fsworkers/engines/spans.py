"""What is told of spans of items: of which ones, and the same of other indices. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsworkers.pool.actions import Conclude, Record
from fsworkers.pool.blocks import Block
from fsworkers.pool.failures import Failure
from fsworkers.pool.wire import Failed

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOLD_LATER = Failure("")


def extent(one: Record | Conclude) -> tuple[int, int]:
    """Index of the first item that it tells of, and the one behind the last."""
    if isinstance(one, Record):
        return one.answer.start, one.answer.stop
    return one.block.first, one.block.stop


def moved(one: Record | Conclude, by: int, items: Sequence[Any]) -> Record | Conclude:
    """The same of other indices, with these for its items."""
    block = Block(0, extent(one)[0] + by, items, one.block.history)
    if isinstance(one, Conclude):
        return one._replace(block=block)
    failures = [Failed(failed.position + by, _TOLD_LATER, 0.0) for failed in one.answer.failures]
    answer = one.answer._replace(start=block.first, stop=block.stop, failures=failures)
    return Record(block, answer, one.columns)


def placed(one: Record | Conclude, first: int, items: Sequence[Any]) -> Record | Conclude:
    """What is told of items within a block that begins at ``first`` and has these items."""
    start, stop = extent(one)
    return moved(one, first, items[start:stop])
