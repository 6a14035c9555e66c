"""``graceful.reserve(n)``: several descriptors at once, for code that knows what it needs.

Asked for one by one, by many who each hold what they got, they deadlock; asked for at once they
cannot. Whatever is opened inside the block, in the same thread or task and in tasks started from
it, draws on the reservation first.
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar

from fsworkers.graceful.budget import BUDGET, Budget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token
    from types import TracebackType
    from typing import Self

    from fsworkers.graceful.counter import Permit

_CURRENT: ContextVar[Reservation | None] = ContextVar("reservation", default=None)


class Drawn:
    """A permit drawn from a reservation, to which it returns while that lasts."""

    __slots__ = ("_permit", "_reservation")

    def __init__(self, permit: Permit, reservation: Reservation) -> None:
        self._permit = permit
        self._reservation = reservation

    def give_back(self) -> None:
        """Return it, exactly once."""
        self._reservation.put_back(self._permit)

    def real(self) -> Permit:
        """The permit itself, which leaves the reservation for good."""
        return self._permit


class Reservation:
    """A block of descriptors; a context manager, blocking (``with``) or not (``async with``).

    Args:
        count: Descriptors needed at the same moment.
        budget: Where they come from.
        wait_s: Longest wait on entry in seconds; ``None`` for the budget's own.
        label: What they are for, as errors show it.

    Attributes:
        rest: Permits not drawn when a block of given permits ended.

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
        if count < 1:
            raise ValueError(f"a reservation is of at least 1 descriptor, not {count}")
        self.count = count
        self.budget = budget
        self.wait_s = wait_s
        self.label = f"a reservation of {count}" if label is None else label
        self.rest: list[Permit] = []
        self._permits: list[Permit] = []
        self._is_given = False
        self._source: Reservation | None = None
        self._outer: Token[Reservation | None] | None = None
        self._is_open = False

    @classmethod
    def of(cls, permits: list[Permit]) -> Reservation:
        """A block of permits that are lent already; what is left at its end is its ``rest``."""
        reservation = cls(len(permits), budget=permits[0].budget)
        reservation._permits = permits
        reservation._is_given = True
        return reservation

    def __repr__(self) -> str:
        state = f"{len(self._permits)} of {self.count} left" if self._is_open else "not entered"
        return f"<Reservation {state}>"

    def __enter__(self) -> Self:
        self._refuse_twice()
        if self._is_given or self._draw_on_outer():
            return self._begin(self._permits)
        return self._begin(self.budget.take_many(self.count, self.label, wait_s=self.wait_s))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    async def __aenter__(self) -> Self:
        from fsworkers.graceful.aio.lending import take_many  # noqa: PLC0415 - draws in asyncio

        self._refuse_twice()
        if self._draw_on_outer():
            return self._begin(self._permits)
        return self._begin(
            await take_many(self.count, self.label, wait_s=self.wait_s, budget=self.budget)
        )

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def draw(self) -> Drawn | None:
        """One of the descriptors, if any is left."""
        try:
            return Drawn(self._permits.pop(), self)
        except IndexError:
            return None

    def put_back(self, permit: Permit) -> None:
        """Take a drawn permit back, or pass it on to the budget when the block is over."""
        self._permits.append(permit)
        if not self._is_open:
            self._drain()

    def forget(self, is_kept: Callable[[Permit], bool]) -> None:
        """Let go of permits without giving them back: after a fork, for whoever does that."""
        self._permits = [permit for permit in self._permits if is_kept(permit)]

    def _refuse_twice(self) -> None:
        if self._is_open:
            raise RuntimeError(f"{self!r} is in force already: a block within it needs its own")

    def _draw_on_outer(self) -> bool:
        """Inside another block that has enough left, this one is a part of it."""
        outer = _CURRENT.get()
        if outer is None or outer.budget is not self.budget:
            return False
        drawn: list[Permit] = []
        while len(drawn) < self.count and (one := outer.draw()) is not None:
            drawn.append(one.real())
        if len(drawn) < self.count:
            for permit in drawn:
                outer.put_back(permit)
            return False
        self._permits = drawn
        self._source = outer
        return True

    def _begin(self, permits: list[Permit]) -> Self:
        self._permits = permits
        self._is_open = True
        self._outer = _CURRENT.set(self)
        self.budget.draw = draw
        self.budget.add_pot()
        return self

    def _end(self) -> None:
        if self._outer is not None:
            # An abandoned generator is ended in the context of whoever finds it.
            with suppress(ValueError):
                _CURRENT.reset(self._outer)
            self._outer = None
        if self._is_given:
            self.rest = self._permits
            self._permits = []
        self._is_open = False
        self.budget.end_pot()
        self._drain()

    def _drain(self) -> None:
        while self._permits:
            try:
                permit = self._permits.pop()
            except IndexError:
                return
            if self._source is None:
                permit.give_back()
            else:
                self._source.put_back(permit)


def draw(budget: Budget) -> Drawn | None:
    """A descriptor from the innermost reservation of the caller on that budget."""
    reservation = _CURRENT.get()
    if reservation is None or reservation.budget is not budget:
        return None
    return reservation.draw()


def reserve(count: int, *, budget: Budget = BUDGET, wait_s: float | None = None) -> Reservation:
    """Reserve descriptors for a block, ``with`` or ``async with``: see ``Reservation``."""
    return Reservation(count, budget=budget, wait_s=wait_s)
