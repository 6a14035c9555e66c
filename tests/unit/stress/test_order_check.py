"""The order of the line, checked from beside it."""

from __future__ import annotations

from time import monotonic

from fsworkers.graceful.budget.line import GRANTED, HOLDER_S, WAITING, Request, Waiter
from fsworkers.stress.order_check import OrderCheck


def waiters(check: OrderCheck, count: int) -> list[Waiter]:
    """Waiters that have come, in order, and wait."""
    line = [Waiter(Request(1, None, 0.0), number, lambda: None) for number in range(count)]
    for waiter in line:
        waiter.state = WAITING
        waiter.since_s = monotonic()
        check.came(waiter)
    return line


def holder(check: OrderCheck) -> Waiter:
    """One that held something when it came, and waits."""
    waiter = Waiter(Request(1, None, 0.0), 99, lambda: None, is_holder=True)
    waiter.state = WAITING
    waiter.since_s = monotonic()
    check.came(waiter)
    return waiter


def serve(check: OrderCheck, waiter: Waiter) -> None:
    """Grant a waiter, whoever waits."""
    waiter.state = GRANTED
    check.granted(waiter)


def test_serving_in_order_overtakes_nobody() -> None:
    """First come, first served."""
    check = OrderCheck()
    for waiter in waiters(check, 5):
        serve(check, waiter)
    assert (check.served, check.overtaken) == (5, 0)


def test_serving_out_of_order_is_noticed() -> None:
    """Whoever is served before one who came earlier has overtaken; leaving the line has not."""
    check = OrderCheck()
    first, gone, third, fourth = waiters(check, 4)
    gone.state = GRANTED  # withdrawn: no longer waiting
    serve(check, third)
    serve(check, first)
    serve(check, fourth)
    assert (check.served, check.overtaken) == (3, 1)


def test_refused_by_the_kernel_means_first_in_line() -> None:
    """A refused waiter may go before all of its kind, and none of them before it."""
    check = OrderCheck()
    first, second, third = waiters(check, 3)
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
    first, second, third = waiters(check, 3)
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
    first, second = waiters(check, 2)
    check.rescued(second)
    serve(check, second)
    serve(check, first)
    assert check.overtaken == 0
