"""``graceful.reserve(n)``: several descriptors at once, for code that knows what it needs.

Asked for one by one, by many who each hold what they got, they deadlock; asked for at once they
cannot. Whatever is opened inside the block, in the same thread or task and in tasks started from
it, draws on the reservation first, and on one around it when that is used up.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Any

from fsworkers.graceful.budget import argument_checks
from fsworkers.graceful.budget.budget import BUDGET, Budget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from fsworkers.graceful.budget.permits import HeldPermit, Permit

_CURRENT: ContextVar[tuple[Reservation, ...]] = ContextVar("reservations", default=())
"""Those around the caller, the innermost first."""


class ReservedPermit:
    """What was drawn from a reservation, to which it returns while that lasts.

    Drawn by a reservation inside it, it returns first to that and then to this one.
    """

    __slots__ = ("_lent", "_reservation")

    def __init__(self, lent: HeldPermit, reservation: Reservation) -> None:
        self._lent = lent
        self._reservation = reservation

    def give_back(self) -> None:
        """Return it, exactly once."""
        self._reservation.put_back(self._lent)

    def real(self) -> Permit:
        """The permit itself, which leaves the reservation for good."""
        return self._lent.real()


class Reservation:
    """A block of descriptors; a context manager, blocking (``with``) or not (``async with``).

    Args:
        count: Descriptors needed at the same moment.
        budget: Where they come from.
        wait_s: Longest wait on entry in seconds; ``None`` for the budget's own.
        label: What they are for, as errors show it.

    Attributes:
        rest: What was not drawn when a block of what was given to it ended.
        is_open: Whether it is in force.

    Raises:
        BudgetTooSmall: On entry: the budget will never lend that many.
        BudgetTimeout: On entry: they did not come free in time.
    """

    def __init__(
        self,
        count: int,
        *,
        budget: Budget = BUDGET,
        wait_s: float | None = None,
        label: object = None,
    ) -> None:
        self.count = count = argument_checks.number("a reservation's count", count, least=1)
        self.budget = budget
        self.wait_s = argument_checks.seconds("wait_s", wait_s)
        self.label = f"a reservation of {count}" if label is None else label
        self.rest: list[HeldPermit] = []
        self._lent: list[HeldPermit] = []
        self._is_given = False
        self.is_open = False

    @classmethod
    def of(cls, lent: Sequence[HeldPermit]) -> Reservation:
        """A block of what is lent already; what is left of it at its end is its ``rest``."""
        reservation = cls(len(lent), budget=lent[0].real().budget)
        reservation._lent = [*lent]
        reservation._is_given = True
        return reservation

    def __repr__(self) -> str:
        state = f"{len(self._lent)} of {self.count} left" if self.is_open else "not entered"
        return f"<Reservation {state}>"

    def __enter__(self) -> Self:
        if not self._has_enough():
            self._lent = [*self.budget.take_many(self.count, self.label, wait_s=self.wait_s)]
        return self._begin()

    def __exit__(self, *_: object) -> None:
        self._end()

    async def __aenter__(self) -> Self:
        from fsworkers.graceful.budget.task_wait import take_many  # noqa: PLC0415 - draws in asyncio

        if not self._has_enough():
            self._lent = [
                *await take_many(self.count, self.label, wait_s=self.wait_s, budget=self.budget)
            ]
        return self._begin()

    async def __aexit__(self, *_: object) -> None:
        self._end()

    def take_reserved(self) -> ReservedPermit | None:
        """One of the descriptors, if any is left. What was lent before a fork is none any more."""
        while True:
            try:
                lent = self._lent.pop()
            except IndexError:
                return None
            if lent.real().budget is self.budget:
                return ReservedPermit(lent, self)

    def put_back(self, lent: HeldPermit) -> None:
        """Take back what was drawn, or pass it on to where it is from when the block is over."""
        self._lent.append(lent)
        if not self.is_open:
            self._drain()

    def _has_enough(self) -> bool:
        """Whether it was given them, or is a part of a block around it that has enough left."""
        if self.is_open:
            raise RuntimeError(f"{self!r} is in force already: a block within it needs its own")
        if not self._is_given:
            self._lent = self.budget.draw_many(self.count)
        return bool(self._lent)

    def _begin(self) -> Self:
        # Those that have ended are left out: tasks may outlive the blocks they were started in.
        _CURRENT.set((self, *(one for one in _CURRENT.get() if one.is_open)))
        self.is_open = True
        self.budget.take_reserved = take_reserved
        self.budget.add_reservation()
        return self

    def _end(self) -> None:
        # Not back to how it was before: of blocks in generators the first may end before the last,
        # and an abandoned one ends in the context of whoever finds it.
        _CURRENT.set(tuple(one for one in _CURRENT.get() if one is not self and one.is_open))
        if self._is_given:
            self.rest, self._lent = self._lent, []
        self.is_open = False
        self.budget.end_reservation()
        self._drain()

    def _drain(self) -> None:
        while self._lent:
            try:
                lent = self._lent.pop()
            except IndexError:
                return  # another was faster
            lent.give_back()


def take_reserved(budget: Budget) -> ReservedPermit | None:
    """A descriptor from the innermost reservation of the caller that has one of that budget."""
    for reservation in _CURRENT.get():
        if reservation.budget is budget and (drawn := reservation.take_reserved()) is not None:
            return drawn
    return None


def reserve(count: int, *, budget: Budget = BUDGET, wait_s: float | None = None) -> Reservation:
    """Reserve descriptors for a block, ``with`` or ``async with``: see ``Reservation``."""
    return Reservation(count, budget=budget, wait_s=wait_s)


def pair(label: object) -> AbstractContextManager[Any]:
    """A block with two descriptors, for what holds a folder open while it opens what is in it.

    Asked for one after the other, by many who each hold their first, they deadlock. A budget that
    has but one lends what it can, when it can.
    """
    return Reservation(2, label=label) if BUDGET.line.ceiling > 1 else nullcontext()
