"""Room for one connection at a time that is let in though nothing is free.

The holders of all the rest may be at its other end, in this very process, waiting for just that,
and nobody can see it.
"""

from __future__ import annotations

from time import monotonic

from fsworkers.graceful.budget.budget import Budget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fsworkers.graceful.budget.permits import HeldPermit

PATIENCE_S = 1.5
"""How long one stands in the line before a connection is let in on the doorstep."""

AGAIN_S = 0.02
"""The same soon after that was of use."""


class Doorstep:
    """Where one at a time may stand."""

    def __init__(self) -> None:
        self._budget = Budget(1)
        self._taken_s = -PATIENCE_S

    def pause_s(self) -> float:
        """How long to wait before trying."""
        return AGAIN_S if monotonic() - self._taken_s < PATIENCE_S else PATIENCE_S

    def take(self) -> HeldPermit | None:
        """The permit, unless another connection has it."""
        permit = self._budget.take_if_free()
        if permit is not None:
            self._taken_s = monotonic()
        return permit


DOORSTEP = Doorstep()
