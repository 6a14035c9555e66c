"""Watches the descriptor line from beside it: are waiters served in the order in which they came?

It keeps lists of its own of who came when, and at each grant looks whether somebody who came
before still waits. By right goes first whom the kernel refused, who held something when it asked,
and who is served from the reserve because everybody holds and waits.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from fsworkers import graceful
from fsworkers.graceful.budget.line import HOLDER_S, WAITING, Line

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.graceful.budget.line import Waiter


class Witness:
    """Counts waiters served and waiters overtaken.

    Attributes:
        served: Tickets served.
        overtaken: Tickets served while one that came before them waited.
    """

    def __init__(self) -> None:
        self.served = 0
        self.overtaken = 0
        self._newcomers: dict[Waiter, None] = {}  # in the order of arrival
        self._holders: dict[Waiter, None] = {}  # likewise
        self._front: dict[Waiter, None] = {}  # refused by the kernel
        self._rescued: set[Waiter] = set()

    def watch(self) -> None:
        """Begin with this process's budget: its ledger does what it did, and tells of it."""
        self._follow("arrive", self.came)
        self._follow("refuse", self.refused)
        self._follow("rescue", self.rescued)
        self._follow("grant", self.granted)

    def _follow(self, name: str, note: Callable[[Waiter], None]) -> None:
        step = getattr(Line, name)

        def followed(ledger: Line, ticket: Waiter, *args: object, **kwargs: object) -> object:
            result = step(ledger, ticket, *args, **kwargs)
            if ledger is graceful.BUDGET.line:
                note(ticket)
            return result

        setattr(Line, name, followed)

    def came(self, ticket: Waiter) -> None:
        """A ticket joins the end of the line, or those who hold something already."""
        self._line_of(ticket)[ticket] = None

    def _line_of(self, ticket: Waiter) -> dict[Waiter, None]:
        return self._holders if ticket.is_holder else self._newcomers

    def refused(self, ticket: Waiter) -> None:
        """The kernel refused it what it had been lent: it goes before all others."""
        self._front[ticket] = None

    def rescued(self, ticket: Waiter) -> None:
        """It is to be served out of turn, to end a deadlock."""
        self._rescued.add(ticket)

    def granted(self, ticket: Waiter) -> None:
        """It is served."""
        self.served += 1
        is_rescued = ticket in self._rescued
        is_front = ticket in self._front
        self._rescued.discard(ticket)
        self._front.pop(ticket, None)
        line = self._line_of(ticket)
        if not (is_rescued or is_front):
            is_overdue = monotonic() - ticket.since_s >= HOLDER_S
            self.overtaken += (
                _is_anyone_waiting(self._front)
                or _is_anyone_waiting(line, before=ticket)
                or (
                    line is self._newcomers and not is_overdue and _is_anyone_waiting(self._holders)
                )
            )
        line.pop(ticket, None)


def _is_anyone_waiting(tickets: dict[Waiter, None], before: Waiter | None = None) -> bool:
    """Whether one of them waits, up to a certain one; those that do not any more are dropped."""
    while tickets:
        first = next(iter(tickets))
        if first is before:
            return False
        if first.state == WAITING:
            return True
        del tickets[first]
    return False
