"""The block: consecutive items of one call, and what is unanswered of one that a worker has. Pure.

Every (call, index) lies in exactly one place: in the call's source, in one waiting block, or in one
unanswered interval of one holding. An answer is accepted where its whole span is unanswered, which
is two comparisons on the happy path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fsworkers.pool.payload import PackedItems


class History(NamedTuple):
    """What has happened to a block of one item so far.

    Attributes:
        attempt: Which execution comes next, counted from 1.
        retried: How many of the attempts were retries after a failure.
        deferrals: How many were asked for by the task itself.
        deaths: How many workers died after they had begun it.
        starvations: How often a descriptor ran out below the descriptor layer.
        is_suspect: It, or another one in its worker at the same time, overran its time.
    """

    attempt: int = 1
    retried: int = 0
    deferrals: int = 0
    deaths: int = 0
    starvations: int = 0
    is_suspect: bool = False

    @property
    def must_run_alone(self) -> bool:
        """Whether something happened that may have been the item's own fault."""
        return self.is_suspect or bool(self.deaths or self.starvations)


FRESH = History()
"""Of items to which nothing has happened: only these share a block."""


class Block(NamedTuple):
    """Consecutive items of one call: the unit that is queued, sent, answered and recorded.

    Attributes:
        call: Number of the call within its pool.
        first: Index of the first item in the call.
        items: The items.
        history: Other than ``FRESH`` only where there is one item.
        packed: The items for the wire, as their source packed them; ``None`` of a part.
    """

    call: int
    first: int
    items: Sequence[Any]
    history: History = FRESH
    packed: PackedItems | None = None

    @property
    def stop(self) -> int:
        """Index behind the last item."""
        return self.first + len(self.items)

    def part(self, start: int, stop: int, history: History | None = None) -> Block:
        """The items from ``start`` to before ``stop``, indices in the call."""
        return Block(
            self.call,
            start,
            self.items[start - self.first : stop - self.first],
            self.history if history is None else history,
        )

    def single(self, index: int, history: History) -> Block:
        """One of the items as a block with a past."""
        return self.part(index, index + 1, history)


class Begun(NamedTuple):
    """What a worker has begun last: items ``start`` to before ``stop`` of block ``number``.

    Where jobs run one after another, all before ``start`` are finished; no later one was begun.
    """

    number: int
    start: int
    stop: int


class Holding:
    """A block that a lane has been sent, and what is unanswered of it.

    Attributes:
        number: Of the block within its lane, in the order of sending.
        block: The block.
        open: The unanswered intervals ``(start, stop)`` in order. One where jobs run one after
            another; where they run side by side, as many as there are gaps between the answered.
    """

    __slots__ = ("block", "number", "open")

    def __init__(self, number: int, block: Block) -> None:
        self.number = number
        self.block = block
        self.open: list[tuple[int, int]] = [(block.first, block.stop)]

    @property
    def count(self) -> int:
        """How many items are unanswered."""
        return sum(stop - start for start, stop in self.open)

    def take(self, start: int, stop: int) -> bool:
        """Close a span; ``False``, and nothing changed, unless all of it is unanswered."""
        for place, (low, high) in enumerate(self.open):
            if low <= start and stop <= high:
                rest = [(low, start)] * (low < start) + [(stop, high)] * (stop < high)
                self.open[place : place + 1] = rest
                return True
            if low > start:
                break
        return False

    def has(self, index: int) -> bool:
        """Whether an item is unanswered."""
        return any(start <= index < stop for start, stop in self.open)

    def rest(self) -> Iterator[Block]:
        """What is unanswered, as blocks."""
        for start, stop in self.open:
            yield self.block.part(start, stop)
