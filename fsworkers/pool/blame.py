"""Which of a dead worker's items may have been the cause of its death. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsworkers.pool.blocks import Begun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fsworkers.pool.blocks import Block, Holding


def divide(
    holdings: Iterable[Holding], begun: Begun | None, is_serial: Callable[[int], bool]
) -> tuple[list[Block], list[Block]]:
    """Part what a dead worker had not answered for into suspects and innocent.

    Args:
        holdings: The blocks it had, oldest first.
        begun: What it had begun last; ``None`` for nothing.
        is_serial: Whether the items of a call run one after another.

    Returns:
        The suspects one by one, and the others in blocks as large as they come.
    """
    suspects: list[Block] = []
    innocent: list[Block] = []
    for holding in holdings:
        low, high = _suspected(holding, begun, is_serial)
        for block in holding.rest():
            first = max(block.first, min(low, block.stop))
            stop = min(block.stop, max(high, first))
            suspects += [block.part(at, at + 1) for at in range(first, stop)]
            innocent += [
                block.part(start, end)
                for start, end in ((block.first, first), (stop, block.stop))
                if start < end
            ]
    return suspects, innocent


def _suspected(
    holding: Holding, begun: Begun | None, is_serial: Callable[[int], bool]
) -> tuple[int, int]:
    """Which indices of a block its worker may have been running."""
    block = holding.block
    if begun is not None and holding.number == begun.number:
        return (begun.start if is_serial(block.call) else block.first), begun.stop
    if begun is not None and holding.number < begun.number and not is_serial(block.call):
        return block.first, block.stop
    return block.stop, block.stop


def first_of(holding: Holding) -> Begun:
    """As if the first item that is unanswered had been begun, and no other."""
    start = holding.open[0][0]
    return Begun(holding.number, start, start + 1)
