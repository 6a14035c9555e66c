"""Checks from beside the descriptor line: are waiters served in the order in which they came?

By right goes first whom the kernel refused, who held something when it asked, and who is served
from the reserve because everybody holds and waits. What the layer tells in public are sums: who
overtakes whom is seen in the line only. All that is known of its insides is in the import of it and
in ``watch_line``.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from fsworkers import graceful
from fsworkers.graceful.ledger import HOLDER_S, WAITING
from fsworkers.graceful.ledger import Ledger as Line

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.graceful.ledger import Ticket


class OrderCheck:
    """Counts tickets served, and those served while one that came before them waited."""

    def __init__(self) -> None:
        self.served = 0
        self.overtaken = 0
        # Each in the order of arrival:
        self._newcomers: dict[Ticket, None] = {}
        self._holders: dict[Ticket, None] = {}
        self._front: dict[Ticket, None] = {}  # refused by the kernel, so they go before all others
        self._rescued: set[Ticket] = set()  # to be served out of turn, to end a deadlock

    def came(self, ticket: Ticket) -> None:
        """A ticket joins the end of the line, or those who hold something already."""
        self._queue_of(ticket)[ticket] = None

    def refused(self, ticket: Ticket) -> None:
        """The kernel refused it what it had been lent."""
        self._front[ticket] = None

    def rescued(self, ticket: Ticket) -> None:
        """It is to be served because everybody holds and waits."""
        self._rescued.add(ticket)

    def granted(self, ticket: Ticket) -> None:
        """It is served."""
        self.served += 1
        queue = self._queue_of(ticket)
        if ticket not in self._rescued and ticket not in self._front:
            is_overdue = monotonic() - ticket.since_s >= HOLDER_S
            is_newcomer = queue is self._newcomers and not is_overdue
            self.overtaken += (
                _is_anyone_waiting(self._front)
                or _is_anyone_waiting(queue, before=ticket)
                or (is_newcomer and _is_anyone_waiting(self._holders))
            )
        self._rescued.discard(ticket)
        self._front.pop(ticket, None)
        queue.pop(ticket, None)

    def _queue_of(self, ticket: Ticket) -> dict[Ticket, None]:
        return self._holders if ticket.is_holder else self._newcomers


def watch_line(check: OrderCheck) -> None:
    """Let the line of this process's budget tell of what it does, by wrapping its steps."""

    def follow(name: str, note: Callable[[Ticket], None]) -> None:
        step = getattr(Line, name)

        def followed(line: Line, ticket: Ticket, *args: object, **kwargs: object) -> object:
            result = step(line, ticket, *args, **kwargs)
            if line is graceful.BUDGET.ledger:
                note(ticket)
            return result

        setattr(Line, name, followed)

    steps = {"arrive": check.came, "refuse": check.refused, "rescue": check.rescued}
    for name, note in {**steps, "grant": check.granted}.items():
        follow(name, note)


def _is_anyone_waiting(tickets: dict[Ticket, None], before: Ticket | None = None) -> bool:
    """Whether one of them waits, up to a certain one; those that do not any more are dropped."""
    while tickets:
        first = next(iter(tickets))
        if first is before:
            return False
        if first.state == WAITING:
            return True
        del tickets[first]
    return False
