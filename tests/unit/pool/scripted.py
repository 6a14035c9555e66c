"""What the dispatcher's tests share: a source and workers whose every step the test decides."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from fsworkers.pool.blocks import Begun, Block, Holding
from fsworkers.pool.wire import Answer, Descriptors, Failed

if TYPE_CHECKING:
    from fsworkers.pool.actions import Send
    from fsworkers.pool.failures import Failure

FIGURES = Descriptors(0, 0, 0, 0, 0, 0, 0.0, 0)


class ScriptedSource:
    """Items of a call, which come when the test says so."""

    def __init__(self, call: int, count: int = 0, *, is_complete: bool = False) -> None:
        self.call = call
        self.drawn = count
        self.taken = 0
        self.is_complete = is_complete

    @property
    def ready(self) -> int:
        return self.drawn - self.taken

    @property
    def left(self) -> int | None:
        return self.ready if self.is_complete else None

    def take(self, most: int) -> Block | None:
        count = min(most, self.ready)
        if count <= 0:
            return None
        block = Block(self.call, self.taken, ["item"] * count)
        self.taken += count
        return block

    def drain(self) -> Block | None:
        self.is_complete = True
        return self.take(self.ready)


class ScriptedWorker:
    """A worker that does what it is told to, in the order in which a real one could."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_ready = False
        self.is_retired = False
        self.taken = 0
        self.holdings: deque[Holding] = deque()
        self.recalls: deque[int] = deque()
        self.begun: Begun | None = None

    def take(self, send: Send) -> None:
        """A block arrives."""
        self.holdings.append(Holding(send.number, send.block))
        self.taken += len(send.block.items)

    def begin(self) -> None:
        """Begin the first item that it holds, as the page shows it."""
        if self.holdings:
            holding = self.holdings[0]
            start = holding.open[0][0]
            self.begun = Begun(holding.number, start, start + 1)

    def finish(
        self, count: int, failure: Failure | None = None, seconds: float = 0.001
    ) -> Answer | None:
        """Finish up to ``count`` items of the block at hand, which is answered for at once."""
        if not self.holdings:
            return None
        holding = self.holdings[0]
        start, stop = holding.open[0]
        stop = min(stop, start + count)
        self.begun = Begun(holding.number, stop - 1, stop)
        holding.take(start, stop)
        if not holding.open:
            self.holdings.popleft()
        failures = [Failed(i, failure, seconds) for i in range(start, stop)] if failure else []
        return Answer(
            self.number, holding.number, start, stop, 0, seconds * (stop - start), failures, FIGURES
        )

    def give_back(self, most: int, kept: int = 0) -> list[tuple[int, int, int]]:
        """Give back what has not been begun, all but ``kept`` of it."""
        spans = []
        for holding in reversed(self.holdings):
            for start, stop in reversed(holding.open):
                first = start
                if self.begun is not None and self.begun.number == holding.number:
                    first = max(start, self.begun.stop)
                if holding is self.holdings[0]:
                    first = min(stop, first + kept)
                first = max(first, stop - most)
                if first < stop:
                    spans.append((holding.number, first, stop))
                    most -= stop - first
        for number, start, stop in spans:
            holding = next(one for one in self.holdings if one.number == number)
            holding.take(start, stop)
            self.taken -= stop - start
        self.holdings = deque(one for one in self.holdings if one.open)
        return spans[::-1]
