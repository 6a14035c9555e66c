"""Permits: the right to one open descriptor, as an object that is lent and comes back."""

from __future__ import annotations

from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Protocol

    class HeldPermit(Protocol):
        """What was lent and can be given back: a permit, or one drawn from a reservation."""

        def give_back(self) -> None:
            """Return it, exactly once."""

        def real(self) -> Permit:
            """The permit itself."""


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
