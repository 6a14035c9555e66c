"""Operations that go on when the kernel says EMFILE or ENFILE although a permit was lent.

Other code takes descriptors too. The operation gives its permits back, keeps its place before all
others, and is tried again when one of ours comes back or, as foreign closes cannot be seen, after a
jittered pause. Every other error passes at once.
"""

from __future__ import annotations

from errno import EMFILE, ENFILE
from time import monotonic

from fsworkers.graceful.budget.budget import BUDGET
from fsworkers.graceful.budget.line import QueuePosition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from fsworkers.graceful.budget.budget import Budget
    from fsworkers.graceful.budget.permits import HeldPermit

    Result = TypeVar("Result")

EXHAUSTED = frozenset({EMFILE, ENFILE})


def run_with_permits(
    operation: Callable[[], Result],
    label: object = None,
    count: int = 1,
    *,
    budget: Budget = BUDGET,
    refused: tuple[HeldPermit, OSError] | None = None,
    is_drawn_on: bool = False,
    wait_s: float | None = None,
) -> tuple[Result, list[HeldPermit]]:
    """Run an operation under permits, as often as the kernel refuses it.

    Args:
        operation: What takes ``count`` descriptors; must leave none behind when it fails.
        label: What it works on, as errors show it.
        count: Descriptors it takes.
        budget: Where they come from.
        refused: A permit with which it was tried already, and how the kernel refused.
        is_drawn_on: Graceful operations inside it draw on its permits.
        wait_s: Longest wait in seconds; ``None`` for the budget's own.

    Returns:
        Its result, and what was lent for it and not drawn: for the caller to give back.

    Raises:
        BudgetTimeout: The budget's longest wait passed; it counts over all tries of this call.
        DescriptorDeadlock: Everyone who holds descriptors waits for more.
    """
    longest_s = budget.wait_s if wait_s is None else wait_s
    until_s = None if longest_s is None else monotonic() + longest_s
    place = QueuePosition()
    if refused is None:
        lent = lend(count, label, budget, longest_s)
    else:
        lent = again([refused[0]], label, place, refused[1], until_s, longest_s, budget)
    was_refused = refused is not None
    while True:
        try:
            result = run_with_reserved(lent, operation) if is_drawn_on else operation()
        except OSError as error:
            if error.errno not in EXHAUSTED:
                give_back(lent)
                raise
            lent = again(lent, label, place, error, until_s, longest_s, budget)
            was_refused = True
        except BaseException:
            give_back(lent)
            raise
        else:
            if was_refused:
                budget.note_success()
            return result, lent


def run_with_reserved(lent: list[HeldPermit], operation: Callable[[], Result]) -> Result:
    """Run an operation whose own graceful operations draw on ``lent``, which keeps the rest."""
    from fsworkers.graceful.budget.reservation import Reservation  # noqa: PLC0415 - rare, and loads more

    pot = Reservation.of(lent)
    lent.clear()
    try:
        with pot:
            return operation()
    finally:
        lent.extend(pot.rest)


def lend(
    count: int, label: object = None, budget: Budget = BUDGET, wait_s: float | None = None
) -> list[HeldPermit]:
    """Lend permits on this thread, from a reservation if one is at hand and holds enough."""
    if count == 1:
        return [budget.take(label, wait_s=wait_s)]
    return budget.draw_many(count) or [*budget.take_many(count, label, wait_s=wait_s)]


def again(
    lent: list[HeldPermit],
    label: object,
    place: QueuePosition,
    error: OSError,
    until_s: float | None,
    longest_s: float | None,
    budget: Budget,
) -> list[HeldPermit]:
    """Return what the kernel did not honour and wait before all others."""
    permits = [one.real() for one in lent]
    machine_wide = error.errno == ENFILE
    return [
        *budget.take_again(
            permits, label, place, until_s=until_s, longest_s=longest_s, machine_wide=machine_wide
        )
    ]


def give_back(lent: list[HeldPermit]) -> None:
    """Return all of them."""
    for one in lent:
        one.give_back()
