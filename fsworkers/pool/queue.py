"""The blocks that no lane holds and no source has: given back, waiting to run alone, delayed. Pure.

A block is in one of the three at most. What must run alone (its worker died or hung with it, or
descriptors ran short) goes one at a time to a lane that holds nothing else, so that blame is
certain.
"""

from __future__ import annotations

import heapq
from collections import deque
from itertools import count
from typing import TYPE_CHECKING

from fsworkers.pool.blocks import FRESH

if TYPE_CHECKING:
    from fsworkers.pool.blocks import Block


class Queue:
    """Blocks that wait here.

    Attributes:
        quarantine: Those that must run alone, the next one first.
    """

    def __init__(self) -> None:
        self.quarantine: deque[Block] = deque()
        self._returned: dict[int, deque[Block]] = {}
        self._delayed: list[tuple[float, int, Block]] = []
        self._tie = count()

    @property
    def count(self) -> int:
        """How many items wait."""
        returned = sum(self.returned(call) for call in list(self._returned))
        return returned + len(self.quarantine) + len(self._delayed)

    def returned(self, call: int) -> int:
        """How many items of a call wait to be sent like new ones."""
        return sum(len(block.items) for block in self._returned.get(call, ()))

    def calls(self) -> list[int]:
        """The calls of which something waits to be sent like new ones."""
        return [call for call, blocks in self._returned.items() if blocks]

    def put(self, block: Block, until: float | None = None) -> None:
        """Let a block wait: for its time, for a lane of its own, or before what is new."""
        if until is not None:
            heapq.heappush(self._delayed, (until, next(self._tie), block))
        elif block.history.must_run_alone:
            self.quarantine.append(block)
        else:
            self._returned.setdefault(block.call, deque()).appendleft(block)

    def take(self, call: int, most: int) -> Block | None:
        """The first block of a call that waits, or as much of it as is wanted."""
        blocks = self._returned.get(call)
        if not blocks:
            return None
        block = blocks.popleft()
        if len(block.items) > most and block.history == FRESH:
            blocks.appendleft(block.part(block.first + most, block.stop))
            block = block.part(block.first, block.first + most)
        return block

    @property
    def next_release(self) -> float | None:
        """When the next delayed block is due."""
        return self._delayed[0][0] if self._delayed else None

    def release(self, now: float) -> None:
        """Let the delayed blocks go on that are due."""
        while self._delayed and self._delayed[0][0] <= now:
            self.put(heapq.heappop(self._delayed)[2])

    def drop(self, call: int) -> list[Block]:
        """Take all blocks of a call."""
        taken = [*self._returned.pop(call, ())]
        taken += [block for block in self.quarantine if block.call == call]
        taken += [entry[2] for entry in self._delayed if entry[2].call == call]
        self.quarantine = deque(block for block in self.quarantine if block.call != call)
        self._delayed = [entry for entry in self._delayed if entry[2].call != call]
        heapq.heapify(self._delayed)
        return taken
