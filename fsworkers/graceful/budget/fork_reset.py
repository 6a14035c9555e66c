"""Forks: every budget is held still before one, and in order on both sides after it.

In the child it starts afresh.
"""

from __future__ import annotations

import os

# Straight from the interpreter: ``weakref`` itself costs as much as half of this package.
from _weakref import ref
from threading import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Forkable(Protocol):
        """What a fork asks of a budget."""

        def before_fork(self) -> None:
            """Wait until nobody is at work, and let nobody begin."""

        def after_fork_parent(self) -> None:
            """In the parent: others may be at work again."""

        def catch_up(self) -> None:
            """Do what was posted meanwhile."""

        def after_fork_child(self) -> None:
            """In the child: begin anew."""


_known: dict[int, ref[Forkable]] = {}
_held: dict[int, list[Forkable]] = {}


def register(budget: Forkable) -> None:
    """Have a budget held still and let go at each fork, for as long as it exists."""
    place = id(budget)
    _known[place] = ref(budget, lambda _gone: _known.pop(place, None))


def _all() -> list[Forkable]:
    # One step: other threads make budgets meanwhile.
    references = tuple(_known.values())
    return [budget for budget in (one() for one in references) if budget is not None]


def _hold_still() -> None:
    held = _held[get_ident()] = []
    for budget in _all():
        held.append(budget)  # first: Ctrl-C may strike once it is held
        budget.before_fork()


def _go_on() -> None:
    # Those that were held, and no other: more may have been made since.
    held = _held.pop(get_ident(), [])
    _each(held, lambda budget: budget.after_fork_parent())
    _each(held, lambda budget: budget.catch_up())


def _start_over() -> None:
    _held.clear()
    _each(_all(), lambda budget: budget.after_fork_child())


def _each(budgets: list[Forkable], step: Callable[[Forkable], object]) -> None:
    """Take a step with all of them, whatever goes wrong with one; after Ctrl-C with that again."""
    done = 0
    try:
        while done < len(budgets):
            step(budgets[done])
            done += 1
    except BaseException as error:
        _each(budgets[done + isinstance(error, Exception) :], step)
        raise


os.register_at_fork(before=_hold_still, after_in_parent=_go_on, after_in_child=_start_over)
