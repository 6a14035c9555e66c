"""Hold and wait: when can the line never move again, and who is to make way.

Pure: who waits, who holds how many, and which thread or task can do nothing while another waits.

The line is stuck when its head could not be served even if everyone who is not waiting gave back
all they hold. That is a proof for the moment it is looked at, not a guess from a time-out; the
caller looks twice, with nothing having moved in between, before it acts on it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fsworkers.graceful.ledger import Ticket


def blocked_owners(
    waiting: Sequence[Ticket],
    held: Mapping[int, int],
    thread_of: Callable[[int], int],
    awaits: Callable[[int, frozenset[int]], bool],
) -> frozenset[int]:
    """The holders that can give nothing back before somebody in the line is served.

    Args:
        waiting: The line.
        held: Descriptors by owner.
        thread_of: The thread that runs an owner: its own ident for a thread, the loop's for a task.
        awaits: Whether an owner awaits, through other tasks, one of a set of owners.
    """
    threads = {ticket.blocks for ticket in waiting if ticket.blocks}
    askers = frozenset(ticket.owner for ticket in waiting)
    return frozenset(
        owner
        for owner in held
        if owner in askers or thread_of(owner) in threads or awaits(owner, askers)
    )


def is_stuck(
    waiting: Sequence[Ticket], held: Mapping[int, int], blocked: frozenset[int], spare: int
) -> bool:
    """Whether the head of the line can never be served as things are.

    Args:
        waiting: The line, its head first.
        held: Descriptors by owner.
        blocked: Those of them that can give nothing back.
        spare: Descriptors that could be lent now.
    """
    if not waiting:
        return False
    to_come = sum(count for owner, count in held.items() if owner not in blocked)
    return spare + to_come < waiting[0].count and bool(blocked)


def victim(
    waiting: Sequence[Ticket], held: Mapping[int, int], thread_of: Callable[[int], int]
) -> Ticket | None:
    """The youngest in the line whose end would free something."""
    holding_threads = {thread_of(owner) for owner in held}
    for ticket in reversed(waiting):
        if ticket.owner in held or ticket.blocks in holding_threads:
            return ticket
    return waiting[-1] if waiting else None


class Stall:
    """Two looks before the leap: has the line been stuck for a while with nothing moving?"""

    __slots__ = ("_acted_s", "_progress", "_since_s")

    CONFIRM_S = 0.3
    """How long it must have been stuck, unmoved, before the first step."""

    AGAIN_S = 0.04
    """And before each further step of the same jam."""

    def __init__(self) -> None:
        self._progress: object = None
        self._since_s = 0.0
        self._acted_s = -1.0

    def is_confirmed(self, progress: object, now_s: float) -> bool:
        """Report that the line is stuck, and learn whether to act now.

        Args:
            progress: Anything that changes whenever something moves.
            now_s: The time.
        """
        in_a_jam = now_s - self._acted_s < 1.0
        if progress != self._progress:
            self._progress = progress
            self._since_s = now_s
        if now_s - self._since_s < (self.AGAIN_S if in_a_jam else self.CONFIRM_S):
            return False
        self._acted_s = now_s
        self._progress = None
        self._since_s = now_s
        return True

    def clear(self) -> None:
        """Report that the line is not stuck."""
        self._progress = None
