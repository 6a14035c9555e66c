"""Watches the descriptor line from beside it: are waiters served in the order in which they came?

It keeps a list of its own of who came when, and at each grant looks whether somebody who came
before still waits. Two kinds may go first, and are no overtaking: an operation that the kernel
refused keeps its place at the head, and a holder is served from the reserve to end a deadlock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsworkers import graceful
from fsworkers.graceful.ledger import WAITING, Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.graceful.ledger import Ticket


class Witness:
    """Counts waiters served and waiters overtaken.

    Attributes:
        served: Tickets served.
        overtaken: Tickets served while one that came before them waited.
    """

    def __init__(self) -> None:
        self.served = 0
        self.overtaken = 0
        self._line: dict[Ticket, None] = {}  # in the order of arrival
        self._front: dict[Ticket, None] = {}  # refused by the kernel
        self._rescued: set[Ticket] = set()

    def watch(self) -> None:
        """Begin with this process's budget: its ledger does what it did, and tells of it."""
        self._follow("arrive", self.came)
        self._follow("refuse", self.refused)
        self._follow("rescue", self.rescued)
        self._follow("grant", self.granted)

    def _follow(self, name: str, note: Callable[[Ticket], None]) -> None:
        step = getattr(Ledger, name)

        def followed(ledger: Ledger, ticket: Ticket, *args: object, **kwargs: object) -> object:
            result = step(ledger, ticket, *args, **kwargs)
            if ledger is graceful.BUDGET.ledger:
                note(ticket)
            return result

        setattr(Ledger, name, followed)

    def came(self, ticket: Ticket) -> None:
        """A ticket joins the end of the line."""
        self._line[ticket] = None

    def refused(self, ticket: Ticket) -> None:
        """The kernel refused it what it had been lent: it goes before all others."""
        self._front[ticket] = None

    def rescued(self, ticket: Ticket) -> None:
        """It is to be served out of turn, to end a deadlock."""
        self._rescued.add(ticket)

    def granted(self, ticket: Ticket) -> None:
        """It is served."""
        self.served += 1
        is_rescued = ticket in self._rescued
        is_front = ticket in self._front
        self._rescued.discard(ticket)
        self._front.pop(ticket, None)
        if is_rescued or is_front:
            self._line.pop(ticket, None)
            return
        self.overtaken += _is_anyone_waiting(self._front)
        while self._line:
            first = next(iter(self._line))
            if first is ticket or first.state != WAITING:
                del self._line[first]
                if first is ticket:
                    return
                continue
            self.overtaken += 1
            self._line.pop(ticket, None)
            return


def _is_anyone_waiting(tickets: dict[Ticket, None]) -> bool:
    """Whether one of them waits; those that do not any more are dropped."""
    for ticket in [one for one in tickets if one.state != WAITING]:
        del tickets[ticket]
    return bool(tickets)
