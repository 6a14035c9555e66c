"""The order of the line, watched from beside it."""

from __future__ import annotations

from time import monotonic

from fsworkers.graceful.budget.line import GRANTED, HOLDER_S, WAITING, Request, Waiter
from fsworkers.stress.witness import Witness


def tickets(witness: Witness, count: int) -> list[Waiter]:
    """Tickets that have come, in order, and wait."""
    line = [Waiter(Request(1, None, 0.0), number, lambda: None) for number in range(count)]
    for ticket in line:
        ticket.state = WAITING
        ticket.since_s = monotonic()
        witness.came(ticket)
    return line


def holder(witness: Witness) -> Waiter:
    """One that held something when it came, and waits."""
    ticket = Waiter(Request(1, None, 0.0), 99, lambda: None, is_holder=True)
    ticket.state = WAITING
    ticket.since_s = monotonic()
    witness.came(ticket)
    return ticket


def serve(witness: Witness, ticket: Waiter) -> None:
    """Grant a ticket, whoever waits."""
    ticket.state = GRANTED
    witness.granted(ticket)


def test_serving_in_order_overtakes_nobody() -> None:
    """First come, first served."""
    witness = Witness()
    for ticket in tickets(witness, 5):
        serve(witness, ticket)
    assert (witness.served, witness.overtaken) == (5, 0)


def test_serving_out_of_order_is_noticed() -> None:
    """Whoever is served before one who came earlier has overtaken; leaving the line has not."""
    witness = Witness()
    first, gone, third, fourth = tickets(witness, 4)
    gone.state = GRANTED  # withdrawn: no longer waiting
    serve(witness, third)
    serve(witness, first)
    serve(witness, fourth)
    assert (witness.served, witness.overtaken) == (3, 1)


def test_refused_by_the_kernel_means_first_in_line() -> None:
    """A refused ticket may go before all, and nobody may go before it."""
    witness = Witness()
    first, second, third = tickets(witness, 3)
    serve(witness, first)
    first.state = WAITING
    witness.refused(first)
    serve(witness, second)
    assert witness.overtaken == 1
    serve(witness, first)
    serve(witness, third)
    assert witness.overtaken == 1


def test_holders_go_before_newcomers_by_right() -> None:
    """The other way round it is overtaking, unless the newcomer was overtaken for long."""
    witness = Witness()
    first, second, third = tickets(witness, 3)
    holders = [holder(witness) for _ in range(2)]
    serve(witness, holders[0])
    assert witness.overtaken == 0
    serve(witness, first)
    assert witness.overtaken == 1
    second.since_s -= HOLDER_S
    serve(witness, second)
    serve(witness, holders[1])
    serve(witness, third)
    assert (witness.served, witness.overtaken) == (5, 1)


def test_ending_a_deadlock_is_no_overtaking() -> None:
    """A holder served from the reserve goes out of turn by right."""
    witness = Witness()
    first, second = tickets(witness, 2)
    witness.rescued(second)
    serve(witness, second)
    serve(witness, first)
    assert witness.overtaken == 0
