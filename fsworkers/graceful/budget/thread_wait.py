"""A thread's wait in the line."""

from __future__ import annotations

from functools import partial
from sys import is_finalizing
from threading import Lock, get_ident
from time import monotonic

from fsworkers.graceful.budget import owners
from fsworkers.graceful.budget.line import WAITING, Waiter
from fsworkers.graceful.budget.watchdog import LOOK_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from fsworkers.graceful.budget.line import Request
    from fsworkers.graceful.budget.permits import Permit


def stand_in_line(
    budget: Any,
    request: Request,
    enter: Callable[[Waiter], None],
) -> list[Permit]:
    """Wait on this thread until a request is met.

    Args:
        budget: Whose line it is.
        request: What is wanted.
        enter: Joins the line: one of the budget's two ways.
    """
    bell = Lock()
    bell.acquire()
    owner = owners.identify()
    waiter = Waiter(request, owner, partial(_ring, bell), get_ident())
    try:
        enter(waiter)
        if waiter.state == WAITING:
            _await(budget, bell, request)
    except BaseException:
        budget.abandon(waiter)
        raise
    return budget.outcome(waiter)  # type: ignore[no-any-return]


def _await(budget: Any, bell: Lock, request: Request) -> None:
    """Wait for a bell to ring, or for the end of a request's time."""
    while True:
        left_s = request.left_s(monotonic())
        if budget.is_watched and not is_finalizing():
            bell.acquire(timeout=-1.0 if left_s is None else left_s)
            return
        # No thread could be had to watch over the line: at the interpreter's end none runs.
        if bell.acquire(timeout=LOOK_S if left_s is None else min(LOOK_S, left_s)) or left_s == 0:
            return
        budget.look()


def _ring(bell: Lock) -> None:
    """Wake a thread; it may have been woken before."""
    try:
        bell.release()
    except RuntimeError:
        return
