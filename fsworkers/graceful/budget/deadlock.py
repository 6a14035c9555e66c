"""The backstop of a line that stands still, over plain data: what is to be done, and when.

The rules of the line (``line``) see to those who hold and wait. What is left are waits that it
cannot see: a thread that holds and waits for another one that asks, more at once than the rules
provide for, or somebody who simply keeps what he has.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fsworkers.graceful.budget.line import Waiter

NOTHING, COLLECT, RESCUE, GIVE_UP = range(4)
"""What to do: look for garbage; serve the head from the reserve; end one, or say who holds."""


def all_wait(
    waiting: Sequence[Waiter], holders: Iterable[int], thread_of: Callable[[int], int]
) -> bool:
    """Whether nobody who holds anything could give it back before somebody in the line is served.

    Args:
        waiting: The line.
        holders: Owners of what is lent.
        thread_of: The ident of the thread that runs an owner: for a task its loop's, 0 if gone.
    """
    threads = {waiter.blocks for waiter in waiting if waiter.blocks}
    askers = {waiter.owner for waiter in waiting}
    # What a loop's thread holds beside its tasks (the loop's own sockets) outlives their waiting.
    loops = {thread_of(owner) for owner in askers if owner < 0} - {0}
    return all(
        owner in askers or thread_of(owner) in threads or (owner > 0 and thread_of(owner) in loops)
        for owner in holders
    )


class StallClock:
    """Tells for how long nothing has moved, and so what is to be done next.

    Attributes:
        given_up_times: How often the line was given up since anything moved.
        has_been_told: Somebody was told who holds, and nothing has moved since.
    """

    COLLECT_S = 0.3
    """How long nothing must have moved before garbage is looked for."""

    RESCUE_S = 1.5
    """How long before, and between, two who are served from the reserve."""

    GIVE_UP_AGAIN_S = 0.5
    """Between two looks whether a line that is given up is a knot by now."""

    COLLECT_AGAIN_S = 0.02
    RESCUE_AGAIN_S = 0.1
    """The same while that was of use just now: whoever leaves garbage likely leaves more."""

    def __init__(self) -> None:
        self._moved: object = None
        self._since_s = 0.0
        self._tried_s = 0.0
        self._found_s = self._helped_s = -self.RESCUE_S
        self._returns_when_tried = -1
        self._arrivals = 0
        self.given_up_times = 0
        self.has_been_told = False

    def next_step(
        self,
        served: object,
        returns: int,
        arrivals: int,
        now_s: float,
        give_up_after_s: float | None,
    ) -> int:
        """Note a look.

        Args:
            served: Anything that changes whenever the line moves.
            returns: How often something came back.
            arrivals: How many have come so far: while they come, whoever lets them may be too
                busy to give back, as a loop is that has ten thousand tasks to begin.
            now_s: The time.
            give_up_after_s: How long before the line is given up; ``None`` for never.
        """
        if (served, returns) != self._moved:
            self._moved = served, returns
            if self._returns_when_tried not in (-1, returns):
                self._helped_s, self._returns_when_tried = now_s, -1
            self.begin_anew(now_s)
            return NOTHING
        quiet_s = now_s - self._since_s
        if give_up_after_s is not None:
            until_s = give_up_after_s + self.given_up_times * self.GIVE_UP_AGAIN_S
            if quiet_s >= until_s:
                self.given_up_times += 1
                return GIVE_UP
        was_anyone_coming = arrivals != self._arrivals and quiet_s < 3 * self.RESCUE_S
        self._arrivals = arrivals
        if was_anyone_coming:
            return NOTHING
        was_helped = now_s - self._helped_s < self.RESCUE_S
        if now_s - self._tried_s >= (self.RESCUE_AGAIN_S if was_helped else self.RESCUE_S):
            self._tried_s, self._returns_when_tried = now_s, returns
            return RESCUE
        has_found = now_s - self._found_s < self.RESCUE_S
        collect_s = self.COLLECT_AGAIN_S if has_found else self.COLLECT_S
        return COLLECT if quiet_s >= collect_s else NOTHING

    def begin_anew(self, now_s: float) -> None:
        """Note that something moved, or that one was ended: the others have as much time again."""
        self._since_s = self._tried_s = now_s
        self.given_up_times = 0
        self.has_been_told = False

    def note_find(self, now_s: float) -> None:
        """Note that there was garbage."""
        self._found_s = now_s

    def is_pressing(self, now_s: float) -> bool:
        """Whether the next look should come soon."""
        return now_s - max(self._found_s, self._helped_s) < self.RESCUE_S
