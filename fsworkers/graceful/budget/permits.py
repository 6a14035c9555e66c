"""Permits: the right to one open descriptor, as an object that is lent and comes back."""

from __future__ import annotations

import os
import sys
from collections import deque
from operator import attrgetter

from fsworkers.graceful.budget import owners
from fsworkers.graceful.budget.snapshots import Holder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Protocol

    class HeldPermit(Protocol):
        """What was lent and can be given back: a permit, or one drawn from a reservation."""

        def give_back(self) -> None:
            """Return it, exactly once."""

        def real(self) -> Permit:
            """The permit itself."""


_OWN_FILES = os.path.dirname(os.path.dirname(__file__))
_owner_of = attrgetter("owner")


class Permit:
    """The right to one open descriptor, lent until ``give_back``.

    Attributes:
        budget: Where it belongs.
        owner: Who took it, as ``owners`` numbers threads and tasks, or 0 when it is free.
        trace: Where it was taken, while tracing is on.
    """

    __slots__ = ("budget", "owner", "trace")

    def __init__(self, budget: Any) -> None:
        self.budget = budget
        self.owner = 0
        self.trace: tuple[str, ...] = ()

    def give_back(self) -> None:
        """Return it, exactly once. Never blocks, so finalizers and signal handlers may."""
        self.owner = 0
        budget = self.budget
        budget.free.append(self)
        if not budget.no_waiters:
            budget.serve_returned()

    def real(self) -> Permit:
        """The permit itself: see ``HeldPermit``."""
        return self


class Nowhere:
    """Where permits of before a fork go back to: all that giving back needs of a budget."""

    no_waiters = True
    free: ClassVar[deque[Permit]] = deque(maxlen=0)


class Permits:
    """All permits of a budget, lent or not.

    They are looked through by way of a ``list``, which is made in one step; ``tuple`` is not.

    Attributes:
        free: Those that are not lent; always the same list.
        peak: The most there ever were, and so the most that were ever lent.
    """

    def __init__(self) -> None:
        self.free: list[Permit] = []
        self.peak = 0
        self._all: dict[int, Permit] = {}

    def __len__(self) -> int:
        return len(self._all)

    @property
    def lent(self) -> int:
        """How many are lent at this moment."""
        return max(0, len(self._all) - len(self.free))

    def make(self, budget: Any, owner: int) -> Permit:
        """One more, lent at once."""
        permit = Permit(budget)
        permit.owner = owner
        self._all[id(permit)] = permit
        self.peak = max(self.peak, len(self._all))
        return permit

    def take_back(self, permits: list[Permit]) -> None:
        """Take permits back, each once however often this is interrupted."""
        while permits:
            permits[-1].owner = 0
            self.free.append(permits.pop())

    def retire(self, most: int) -> None:
        """Have no more than so many, as far as they are free."""
        while len(self._all) > most and self.free:
            del self._all[id(self.free.pop())]

    def forget(self) -> None:
        """After a fork, in the child: nothing that comes back counts."""
        for permit in self._all.values():
            permit.budget = Nowhere
        self._all.clear()
        self.free.clear()
        self.peak = 0

    def owners(self) -> list[int]:
        """Who holds each of them; 0 where it is free."""
        return list(map(_owner_of, list(self._all.values())))

    def holders(self) -> tuple[Holder, ...]:
        """Who holds how many and, with tracing on, where each was taken; the largest first."""
        traces: dict[int, list[tuple[str, ...]]] = {}
        for permit in list(self._all.values()):
            if permit.owner:
                traces.setdefault(permit.owner, []).append(permit.trace)
        found = [
            Holder(name=owners.describe(owner), count=len(taken), traces=tuple(filter(None, taken)))
            for owner, taken in traces.items()
        ]
        return tuple(sorted(found, key=lambda holder: -holder.count))


def calls(depth: int = 8) -> tuple[str, ...]:
    """The innermost calls outside of this layer, as ``file:line function``."""
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to look without formatting
    found: list[str] = []
    while frame is not None and len(found) < depth:
        code = frame.f_code
        if not code.co_filename.startswith(_OWN_FILES):
            found.append(f"{code.co_filename}:{frame.f_lineno} {code.co_qualname}")
        frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
    return tuple(found)
