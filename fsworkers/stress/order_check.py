"""Checks from beside the descriptor line: are waiters served in the order in which they came?

By right goes first whom the kernel refused, who held something when it asked, and who is served
from the reserve because everybody holds and waits. What the layer tells in public are sums: who
overtakes whom is seen in the line only. All that is known of its insides is in the import of it and
in ``watch_line``.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from fsworkers import graceful
from fsworkers.graceful.budget.line import HOLDER_S, WAITING, Line

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.graceful.budget.line import Waiter


class OrderCheck:
    """Counts waiters served, and those served while one that came before them waited."""

    def __init__(self) -> None:
        self.served = 0
        self.overtaken = 0
        # Each in the order of arrival:
        self._newcomers: dict[Waiter, None] = {}
        self._holders: dict[Waiter, None] = {}
        # Refused by the kernel, they go before all others of their kind: newcomers, holders.
        self._front: tuple[dict[Waiter, None], dict[Waiter, None]] = ({}, {})
        self._rescued: set[Waiter] = set()  # to be served out of turn, to end a deadlock

    def came(self, waiter: Waiter) -> None:
        """One joins the end of the line, or those who hold something already."""
        self._queue_of(waiter)[waiter] = None

    def refused(self, waiter: Waiter) -> None:
        """The kernel refused it what it had been lent."""
        self._front[waiter.is_holder][waiter] = None

    def rescued(self, waiter: Waiter) -> None:
        """It is to be served because everybody holds and waits."""
        self._rescued.add(waiter)

    def granted(self, waiter: Waiter) -> None:
        """It is served."""
        self.served += 1
        queue, front = self._queue_of(waiter), self._front[waiter.is_holder]
        if waiter not in self._rescued and waiter not in front:
            is_newcomer = not waiter.is_holder and monotonic() - waiter.since_s < HOLDER_S
            self.overtaken += (
                _is_anyone_waiting(front)
                or _is_anyone_waiting(queue, before=waiter)
                or (
                    is_newcomer and any(map(_is_anyone_waiting, (self._holders, self._front[True])))
                )
            )
        self._rescued.discard(waiter)
        front.pop(waiter, None)
        queue.pop(waiter, None)

    def _queue_of(self, waiter: Waiter) -> dict[Waiter, None]:
        return self._holders if waiter.is_holder else self._newcomers


def watch_line(check: OrderCheck) -> None:
    """Let the line of this process's budget tell of what it does, by wrapping its steps."""

    def follow(name: str, note: Callable[[Waiter], None]) -> None:
        step = getattr(Line, name)

        def followed(line: Line, waiter: Waiter, *args: object, **kwargs: object) -> object:
            result = step(line, waiter, *args, **kwargs)
            if line is graceful.BUDGET.line:
                note(waiter)
            return result

        setattr(Line, name, followed)

    steps = {"arrive": check.came, "refuse": check.refused, "rescue": check.rescued}
    for name, note in {**steps, "grant": check.granted}.items():
        follow(name, note)


def _is_anyone_waiting(waiters: dict[Waiter, None], before: Waiter | None = None) -> bool:
    """Whether one of them waits, up to a certain one; those that do not any more are dropped."""
    while waiters:
        first = next(iter(waiters))
        if first is before:
            return False
        if first.state == WAITING:
            return True
        del waiters[first]
    return False
