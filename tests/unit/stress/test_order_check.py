"""The order of the line, checked from beside it."""

from __future__ import annotations

from time import monotonic

from fsworkers.graceful.ledger import GRANTED, HOLDER_S, WAITING, Ticket
from fsworkers.stress.order_check import OrderCheck


def tickets(check: OrderCheck, count: int) -> list[Ticket]:
    """Tickets that have come, in order, and wait."""
    line = [Ticket(1, number, None, lambda: None) for number in range(count)]
    for ticket in line:
        ticket.state = WAITING
        ticket.since_s = monotonic()
        check.came(ticket)
    return line


def holder(check: OrderCheck) -> Ticket:
    """One that held something when it came, and waits."""
    ticket = Ticket(1, 99, None, lambda: None, is_holder=True)
    ticket.state = WAITING
    ticket.since_s = monotonic()
    check.came(ticket)
    return ticket


def serve(check: OrderCheck, ticket: Ticket) -> None:
    """Grant a ticket, whoever waits."""
    ticket.state = GRANTED
    check.granted(ticket)


def test_serving_in_order_overtakes_nobody() -> None:
    """First come, first served."""
    check = OrderCheck()
    for ticket in tickets(check, 5):
        serve(check, ticket)
    assert (check.served, check.overtaken) == (5, 0)


def test_serving_out_of_order_is_noticed() -> None:
    """Whoever is served before one who came earlier has overtaken; leaving the line has not."""
    check = OrderCheck()
    first, gone, third, fourth = tickets(check, 4)
    gone.state = GRANTED  # withdrawn: no longer waiting
    serve(check, third)
    serve(check, first)
    serve(check, fourth)
    assert (check.served, check.overtaken) == (3, 1)


def test_refused_by_the_kernel_means_first_in_line() -> None:
    """A refused ticket may go before all, and nobody may go before it."""
    check = OrderCheck()
    first, second, third = tickets(check, 3)
    serve(check, first)
    first.state = WAITING
    check.refused(first)
    serve(check, second)
    assert check.overtaken == 1
    serve(check, first)
    serve(check, third)
    assert check.overtaken == 1


def test_holders_go_before_newcomers_by_right() -> None:
    """The other way round it is overtaking, unless the newcomer was overtaken for long."""
    check = OrderCheck()
    first, second, third = tickets(check, 3)
    holders = [holder(check) for _ in range(2)]
    serve(check, holders[0])
    assert check.overtaken == 0
    serve(check, first)
    assert check.overtaken == 1
    second.since_s -= HOLDER_S
    serve(check, second)
    serve(check, holders[1])
    serve(check, third)
    assert (check.served, check.overtaken) == (5, 1)


def test_ending_a_deadlock_is_no_overtaking() -> None:
    """A holder served from the reserve goes out of turn by right."""
    check = OrderCheck()
    first, second = tickets(check, 2)
    check.rescued(second)
    serve(check, second)
    serve(check, first)
    assert check.overtaken == 0
