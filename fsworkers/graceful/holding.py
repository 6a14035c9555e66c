"""Hold and wait: when can the line never move again, and who is to make way.

Pure: who waits, who holds how many, and which thread or task can do nothing while another waits.

The line is stuck when its head could not be served even if everyone who is not waiting gave back
all they hold. That is a proof for the moment it is looked at, not a guess from a time-out; the
caller looks twice, with nothing having moved in between, before it acts on it. Where it is only
presumed who waits (``reach``), it must have been quiet for longer.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fsworkers.graceful.ledger import Ticket


def blocked_owners(
    waiting: Sequence[Ticket], held: Mapping[int, int], thread_of: Callable[[int], int]
) -> frozenset[int]:
    """The holders that can give nothing back before somebody in the line is served.

    Args:
        waiting: The line.
        held: Descriptors by owner.
        thread_of: The ident of the thread that runs an owner: for a task its loop's, 0 if gone.
    """
    threads = {ticket.blocks for ticket in waiting if ticket.blocks}
    askers = {ticket.owner for ticket in waiting}
    # What a loop's thread holds beside its tasks (the loop's own sockets) outlives their waiting.
    loops = {thread_of(owner) for owner in askers if owner < 0} - {0}
    return frozenset(
        owner
        for owner in held
        if owner in askers
        or thread_of(owner) in threads
        or (owner > 0 and thread_of(owner) in loops)
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


def ring(
    waiting: Sequence[Ticket],
    blocked: frozenset[int],
    thread_of: Callable[[int], int],
    place_of: Callable[[int], int],
    above: Mapping[int, frozenset[int]],
) -> list[Ticket]:
    """Those in the line whose being served, or ended, lets a holder go on; oldest first.

    Args:
        waiting: The line.
        blocked: Holders that wait, as ``blocked_owners`` has them and those that await others.
        thread_of: As there.
        place_of: Where an owner is: for a thread its ident, for a task another number.
        above: For askers, the places of those that await them.

    Returns:
        Nobody, when what is held is held for good: by an event loop for itself.
    """
    threads = {thread_of(owner) for owner in blocked} - {0}
    places = {place_of(owner) for owner in blocked}
    return [
        ticket
        for ticket in waiting
        if ticket.owner in blocked
        or ticket.blocks in threads
        or not places.isdisjoint(above.get(ticket.owner, ()))
    ]


class Stall:
    """Two looks before the leap: has the line been stuck for a while with nothing moving?"""

    __slots__ = ("_acted_s", "_found_s", "_progress", "_since_s")

    CONFIRM_S = 0.3
    """How long nothing must have moved before the first step."""

    CONFIRM_REFUSED_S = 1.5
    """The same while the kernel refuses: other code may close something of its own meanwhile."""

    QUIET_S = 1.5
    """How long before a presumption is acted upon: that holders wait for one in the line."""

    AGAIN_S = 0.02
    """And before each further step of the same jam."""

    def __init__(self) -> None:
        self._progress: object = None
        self._since_s = 0.0
        self._acted_s = -1.0
        self._found_s = -1.0

    def has_moved(self, progress: object, now_s: float) -> bool:
        """Note a look; whether anything moved since the last one.

        Args:
            progress: Anything that changes whenever something moves.
            now_s: The time.
        """
        if progress == self._progress:
            return False
        self._progress = progress
        self._since_s = now_s
        return not self.is_jam(now_s)

    def is_confirmed(self, now_s: float, *, is_refused: bool = False) -> bool:
        """Report that the line is stuck, and learn whether to act now.

        Args:
            now_s: The time.
            is_refused: Whether it is the kernel that refuses, and not the budget.
        """
        confirm_s = self.CONFIRM_REFUSED_S if is_refused else self.CONFIRM_S
        return now_s - self._since_s >= (self.AGAIN_S if self.is_jam(now_s) else confirm_s)

    def is_still(self, now_s: float) -> bool:
        """Whether nothing has moved from one look in haste to the next."""
        return now_s - self._since_s >= self.AGAIN_S

    def is_quiet(self, now_s: float) -> bool:
        """Whether nothing has moved for so long that a presumption may be acted upon."""
        return now_s - self._since_s >= (self.AGAIN_S if self.is_jam(now_s) else self.QUIET_S)

    def is_long_quiet(self, now_s: float) -> bool:
        """The same without the haste of a jam."""
        return now_s - self._since_s >= self.QUIET_S

    def note_step(self, now_s: float, *, in_jam: bool = True) -> None:
        """Note that something was done about the line; in a jam more is likely needed soon."""
        if in_jam:
            self._acted_s = now_s
        self._since_s = now_s

    def is_jam(self, now_s: float) -> bool:
        """Whether a step was taken just now, so that the next is likely needed soon."""
        return now_s - self._acted_s < 1.0

    def note_find(self, now_s: float) -> None:
        """Note that there was garbage: whoever leaves some likely leaves more."""
        self._found_s = now_s

    def is_pressing(self, now_s: float) -> bool:
        """Whether the next look should come soon."""
        return self.is_jam(now_s) or now_s - self._found_s < 1.0
