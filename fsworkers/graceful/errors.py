"""Errors of the descriptor layer, and the root of all errors of this package.

The root lives here because the layer imports nothing else of fsworkers; ``fsworkers.errors``
shows the whole hierarchy.
"""

from __future__ import annotations

from errno import EDEADLK, EMFILE, ETIMEDOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class FsworkersError(Exception):
    """The root: everything that fsworkers raises on purpose derives from it."""

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild from the typed fields, which ``__init__`` takes in order of definition."""
        fields = dict(self.__dict__)
        notes = fields.pop("__notes__", None)
        state = None if notes is None else {"__notes__": notes}
        return type(self), tuple(fields.values()), state


class GracefulError(FsworkersError):
    """Whatever the descriptor layer itself has to say; the kernel's errors pass as they are."""


class BudgetTooSmall(GracefulError, ValueError):
    """More descriptors were asked for at one moment than the budget will ever lend.

    Attributes:
        needed: Descriptors asked for.
        budget: The most that can be lent.
        once: The most that could be lent before.
    """

    def __init__(self, needed: int, budget: int, once: int = 0) -> None:
        self.needed = needed
        self.budget = budget
        self.once = once
        why = f"it was {once} once" if self.may_pass else "no wait could help"
        super().__init__(
            f"needs {needed}, budget {budget}: {why}; "
            "raise the limit (ulimit -n) or max_open_files, or open fewer files at once"
        )

    @property
    def may_pass(self) -> bool:
        """Whether it would have been possible before, and so may be again."""
        return self.needed <= self.once


class BudgetTimeout(GracefulError, TimeoutError):
    """No descriptor came free within the longest wait that was allowed; nothing was lent.

    Attributes:
        path: What was to be opened, or ``None``.
        waited_s: How long the operation waited.
        budget: Descriptors the budget lends at most at that moment.
        holders: The largest holders, one line each.
    """

    def __init__(
        self, path: object, waited_s: float, budget: int, holders: Sequence[str] = ()
    ) -> None:
        self.path = path
        self.waited_s = waited_s
        self.budget = budget
        self.holders = tuple(holders)
        held = f"; held by {', '.join(self.holders)}" if self.holders else ""
        OSError.__init__(
            self,
            ETIMEDOUT,
            f"no descriptor came free in {waited_s:.3f} s with a budget of {budget}{held}",
            *(() if path is None else (path,)),
        )


class DescriptorDeadlock(GracefulError, OSError):
    """Everyone who holds descriptors waits for more: this operation was ended to free the others.

    Close what is held and try again, or ask for all at once with ``graceful.reserve``.

    Attributes:
        path: What was to be opened, or ``None``.
        budget: Descriptors the budget lends at most.
        holders: Who holds how many, one line each.
        waiters: Who waits for what, one line each.
    """

    def __init__(
        self, path: object, budget: int, holders: Sequence[str] = (), waiters: Sequence[str] = ()
    ) -> None:
        self.path = path
        self.budget = budget
        self.holders = tuple(holders)
        self.waiters = tuple(waiters)
        OSError.__init__(
            self,
            EDEADLK,
            f"all who hold the {budget} descriptors wait for more "
            f"(holding: {'; '.join(self.holders) or 'nobody'}. "
            f"waiting: {'; '.join(self.waiters) or 'nobody'}); "
            "ask for all at once with graceful.reserve()",
            *(() if path is None else (path,)),
        )


class TooFewDescriptors(GracefulError, OSError):
    """So few descriptors are free that the layer refuses to start.

    Attributes:
        limit: The soft limit.
        in_use: Descriptor numbers already taken below it.
        reserve: Descriptors to be kept free.
        minimum: The least that the budget must have.
    """

    def __init__(self, limit: int, in_use: int, reserve: int, minimum: int) -> None:
        self.limit = limit
        self.in_use = in_use
        self.reserve = reserve
        self.minimum = minimum
        OSError.__init__(
            self,
            EMFILE,
            f"the limit of {limit} descriptors leaves {limit - in_use - reserve} to lend "
            f"({in_use} in use, {reserve} in reserve), {minimum} is the minimum: "
            "raise the limit (ulimit -n) or close some",
        )
