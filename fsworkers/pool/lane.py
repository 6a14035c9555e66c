"""What the dispatcher knows of one worker. Pure."""

from __future__ import annotations

from collections import deque

from fsworkers.pool.blocks import Block, Holding

CREDIT_BLOCKS = 2
"""One block running, one waiting."""


class Lane:
    """One worker as the dispatcher sees it.

    Args:
        number: Never used twice within a pool.
        now: When its worker was started.
        deadline: Until when it must report ready.

    Attributes:
        holdings: The blocks it has been sent and has not answered for, oldest first.
        slots: How many of the items that it holds run at one time.
        sent_items: How many it has been given to run.
        rss_bytes: Memory of the worker, as it last reported.
        at_work: Items that its last heartbeat told of: of which holding, and since when.
        last_heard: When it gave the last sign of life, or was sent something while idle.
        last_progress: When it last answered for an item, or began to have some.
        recall_from: When it may be asked again, after it had nothing to give back.
        is_condemned: It is being killed.
        is_hung: It is being killed because it gave no sign of life.
        is_retiring: It gets no more blocks, and ends when it has none left.
        is_solo: It runs one item that must be alone.
    """

    def __init__(self, number: int, now: float, deadline: float) -> None:
        self.number = number
        self.deadline = deadline
        self.holdings: deque[Holding] = deque()
        self.at_work: list[tuple[Holding, int, float]] = []
        self.slots = 1
        self.sent_blocks = 0
        self.sent_items = 0
        self.rss_bytes = 0
        self.last_heard = now
        self.last_progress = now
        self.recall_from = 0.0
        self.is_ready = False
        self.is_condemned = False
        self.is_hung = False
        self.is_retiring = False
        self.is_told_to_end = False
        self.is_solo = False
        self.is_recalling = False

    def __repr__(self) -> str:
        held = ", ".join(f"call {one.block.call} {one.open}" for one in self.holdings)
        marks = [name for name in self.__dict__ if name.startswith("is_") and getattr(self, name)]
        return f"<Lane {self.number} {' '.join(marks) or 'starting'}; {held or 'idle'}>"

    @property
    def is_at_work(self) -> bool:
        """Whether it takes blocks at all."""
        return self.is_ready and not (self.is_condemned or self.is_retiring)

    @property
    def credit(self) -> int:
        """How many more blocks may be sent now."""
        if not self.is_at_work or self.is_solo or self.is_recalling:
            return 0
        return max(CREDIT_BLOCKS - len(self.holdings), int(self.has_free_slot))

    @property
    def is_full(self) -> bool:
        """Whether it has as many blocks as it may, free slots apart."""
        return len(self.holdings) >= CREDIT_BLOCKS

    @property
    def has_free_slot(self) -> bool:
        """Whether it could begin an item at once although it has some, of the same call."""
        return self.slots > 1 and self.count < self.slots

    def has_free_slot_for(self, call: int) -> bool:
        """Whether an item of this call could begin at once beside those that it has."""
        return self.has_free_slot and self.holdings[0].block.call == call

    @property
    def count(self) -> int:
        """How many items it has not answered for."""
        return sum(holding.count for holding in self.holdings)

    def hold(self, block: Block, slots: int, now: float) -> Holding:
        """A block is sent, of a call whose items run in so many slots."""
        is_alike = all(holding.block.call == block.call for holding in self.holdings)
        self.slots = slots if is_alike else 1
        if not self.holdings:
            self.last_progress = self.last_heard = now
        holding = Holding(self.sent_blocks, block)
        self.sent_blocks += 1
        self.sent_items += len(block.items)
        self.holdings.append(holding)
        return holding

    def find(self, number: int) -> Holding | None:
        """The holding of that number, if anything of it is unanswered."""
        for holding in self.holdings:
            if holding.number == number:
                return holding
        return None

    def drop_if_answered(self, holding: Holding) -> None:
        """Let go of a holding of which nothing is unanswered."""
        if not holding.open:
            self.holdings.remove(holding)
            self.is_solo = self.is_solo and bool(self.holdings)
