"""How large a call's next block should be. Pure.

A block is about ``BLOCK_S`` of work by a moving average of its call, which is trusted for a few
times as many items as it rests on: blocks begin with one item and grow geometrically. Where it is
known how much is left, they shrink towards the end so that all workers end together. There is no
cap in items: a function of a tenth of a microsecond gets half a million at a time.
"""

from __future__ import annotations

from math import ceil

BLOCK_S = 0.05
"""A block is about this much work: long against a message (some 100 µs), short against a run."""

LEAST_S = 0.002
"""Blocks at the end of a run are not made smaller: ending together to within it is enough."""

MEMORY_BLOCKS = 4
"""How many blocks' work the average is over."""

GROWTH = 4
"""Largest block, in multiples of the items that the average rests on, unless told otherwise."""


class Pace:
    """The time a call's items take, learned from what was answered.

    Attributes:
        item_s: Moving average of the seconds an item takes in its slot; ``None`` at first.
        learned: How many items it rests on.
        slots: How many items a worker runs at one time.
        block_s: How much work a block is.
        growth: Largest block, in multiples of ``learned``.
        first: The first block, in items.
        least_s: Blocks at the end of a run are not made smaller than that.
    """

    __slots__ = (
        "_weight", "block_s", "first", "growth", "item_s", "learned", "least_s", "slots",
    )  # fmt: skip

    def __init__(
        self,
        slots: int = 1,
        block_s: float = BLOCK_S,
        growth: int = GROWTH,
        *,
        first: int = 1,
        least_s: float = LEAST_S,
    ) -> None:
        self.block_s = block_s
        self.growth = growth
        self.first = max(first, slots)
        self.least_s = least_s
        self.item_s: float | None = None
        self.learned = 0
        self._weight = 0.0
        self.slots = slots

    def learn(self, count: int, busy_s: float) -> None:
        """Take the time of ``count`` finished items, ``busy_s`` in all, into the average.

        Every item counts the same, those of long ago no more: it is the average over the last few
        blocks. So an odd one among thousands moves it little, and the first is soon forgotten.
        """
        before_s = 0.0 if self.item_s is None else self.item_s
        remembered = min(
            self._weight, MEMORY_BLOCKS * self.block_s * self.slots / max(before_s, 1e-9)
        )
        if busy_s < before_s * count / 2:
            remembered = min(remembered, count)  # the first ones were slow, or had to be loaded
        self._weight = remembered + count
        self.item_s = (before_s * remembered + busy_s) / self._weight
        self.learned += count

    @property
    def is_worth_queueing(self) -> bool:
        """Whether a block may wait behind another one: items are known not to take long.

        Where items run side by side it also keeps all slots at work while a block comes to its end.
        """
        return self.item_s is not None and (self.slots > 1 or self.item_s < self.block_s)

    def block_items(self, left: int | None, lanes: int) -> int:
        """Size of the next block.

        Args:
            left: How many items there still are; ``None`` where that is not known.
            lanes: How many workers share them.
        """
        if self.item_s is not None:
            item_s = max(self.item_s, 1e-9) / self.slots
            most = min(self.block_s / item_s, float(self.growth * self.learned))
            size, least = max(float(self.slots), most), self.least_s / item_s
        else:
            size, least = float(self.first), 1.0
        if left is not None:
            share = left / max(lanes, 1)
            size = min(size, max(least, ceil(share / 2), min(self.slots, ceil(share))))
        return max(1, int(size))
