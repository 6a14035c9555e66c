"""Operations that go on when the kernel says EMFILE or ENFILE although a permit was lent.

Other code takes descriptors too. The operation gives its permits back, keeps its place before all
others, and is tried again when one of ours comes back or, as foreign closes cannot be seen, after a
jittered pause. Every other error passes at once.
"""

from __future__ import annotations

from errno import EMFILE, ENFILE

from fsworkers.graceful.budget.budget import BUDGET
from fsworkers.graceful.errors import GracefulError
from fsworkers.graceful.opening.error_passthrough import escaping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeGuard, TypeVar

    from fsworkers.graceful.budget.permits import HeldPermit

    Result = TypeVar("Result")

EXHAUSTED = frozenset({EMFILE, ENFILE})


def is_refusal(error: BaseException) -> TypeGuard[OSError]:
    """Whether the kernel says that there is no descriptor."""
    return isinstance(error, OSError) and error.errno in EXHAUSTED


def run_with_permits(
    operation: Callable[[], Result],
    label: object = None,
    count: int = 1,
    *,
    refused: tuple[HeldPermit, OSError] | None = None,
    is_drawn_on: bool = False,
    lets_in: bool = False,
    wait_s: float | None = None,
) -> tuple[Result, list[HeldPermit]]:
    """Run an operation under permits, as often as the kernel refuses it.

    Args:
        operation: What takes ``count`` descriptors; must leave none behind when it fails.
        label: What it works on, as errors show it.
        count: Descriptors it takes.
        refused: A permit with which it was tried already, and how the kernel refused.
        is_drawn_on: Graceful operations inside it draw on its permits.
        lets_in: It is for a connection: see ``Request``.
        wait_s: Longest wait in seconds; ``None`` for the budget's own.

    Returns:
        Its result, and what was lent for it and not drawn: for the caller to give back.

    Raises:
        BudgetTimeout: The longest wait passed; it counts over all tries of this call.
        DescriptorDeadlock: Everyone who holds descriptors waits for more.
    """
    try:
        request = BUDGET.request(count, label, wait_s, lets_in=lets_in)
        was_refused = refused is not None
        if refused is None:
            lent = BUDGET.acquire(request)
        else:
            lent = BUDGET.acquire_again(request, [refused[0]], refused[1])
        while True:
            try:
                result = run_with_reserved(lent, operation) if is_drawn_on else operation()
            except BaseException as error:
                if not is_refusal(error):
                    give_back(lent)
                    raise
                lent = BUDGET.acquire_again(request, lent, error)
                was_refused = True
            else:
                if was_refused:
                    BUDGET.note_success()
                return result, lent
    except GracefulError as error:
        raise escaping(error)  # noqa: B904 - the same error


def run_with_reserved(lent: list[HeldPermit], operation: Callable[[], Result]) -> Result:
    """Run an operation whose own graceful operations draw on ``lent``, which keeps the rest."""
    from fsworkers.graceful.budget.reservation import Reservation  # noqa: PLC0415 - rare, loads more

    pot = Reservation.of(lent)
    lent.clear()
    try:
        with pot:
            return operation()
    finally:
        lent.extend(pot.rest)


def give_back(lent: list[HeldPermit]) -> None:
    """Return all of them."""
    while lent:
        lent.pop().give_back()
