"""Forks: nobody is at work on a budget while one happens; in the child each starts afresh."""

from __future__ import annotations

import os

# Straight from the interpreter: ``weakref`` itself costs as much as half of this package.
from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Forkable(Protocol):
        """What a fork asks of a budget; each may be asked for twice."""

        def before_fork(self) -> None:
            """Wait until nobody is at work, and let nobody begin."""

        def after_fork_parent(self) -> None:
            """Others may be at work again."""

        def after_fork_child(self) -> None:
            """Begin anew."""


_known: dict[int, ref[Forkable]] = {}


def register(budget: Forkable) -> None:
    """Have a budget take part in each fork, for as long as it exists."""
    place = id(budget)
    _known[place] = ref(budget, lambda _gone: _known.pop(place, None))


def _each(step: str) -> None:
    struck = None
    for known in list(_known.values()):  # other threads make budgets meanwhile
        budget = known()
        if budget is not None:
            try:
                getattr(budget, step)()
            except BaseException as error:  # noqa: BLE001 - Ctrl-C: the others have their turn first
                struck = error
                getattr(budget, step)()
    if struck is not None:
        raise struck


os.register_at_fork(
    before=lambda: _each("before_fork"),
    after_in_parent=lambda: _each("after_fork_parent"),
    after_in_child=lambda: _each("after_fork_child"),
)
