"""Forks: in the child every budget starts afresh.

No lock is held meanwhile: who was at work, whatever he had done so far, is not in the child. Held,
it was waited for by those who had another lock that the fork waits for, ``logging``'s for one.
"""

from __future__ import annotations

import os

# Straight from the interpreter: ``weakref`` itself costs as much as half of this package.
from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Forkable(Protocol):
        """What a fork asks of a budget."""

        def after_fork_child(self) -> None:
            """Begin anew."""


_known: dict[int, ref[Forkable]] = {}


def register(budget: Forkable) -> None:
    """Have a budget start afresh in each forked child, for as long as it exists."""
    place = id(budget)
    _known[place] = ref(budget, lambda _gone: _known.pop(place, None))


def _start_afresh() -> None:
    for known in list(_known.values()):
        budget = known()
        if budget is not None:
            budget.after_fork_child()


os.register_at_fork(after_in_child=_start_afresh)
