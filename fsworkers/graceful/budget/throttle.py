"""How often something costly may be done again."""

from __future__ import annotations


class Throttle:
    """Keeps what was of no use to a thousandth of the time; what was of use may be done again.

    Args:
        longest_s: The longest pause.
    """

    __slots__ = ("_longest_s", "_next_s")

    TIMES = 1000

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._next_s = 0.0

    def is_due(self, now_s: float) -> bool:
        """Whether it may be done now."""
        return now_s >= self._next_s

    def note(self, now_s: float, cost_s: float, *, was_of_use: bool) -> None:
        """Note that it was done, and what it took."""
        pause_s = 0.0 if was_of_use else min(self._longest_s, self.TIMES * cost_s)
        self._next_s = now_s + pause_s
