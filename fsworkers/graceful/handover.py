"""Whether what those in the line have taken may be given back by others, who are awake.

A permit belongs to whoever took it, but a file may have been handed on: to a thread that reads what
another opened, to a task that closes it when it is done. That who took it waits is then no sign of
a deadlock. So before anybody is ended it is followed what those refer to who are neither in the
line nor behind it: the locals of their frames, and what can be reached from there.

Nothing here runs foreign code, as in ``reach``.
"""

from __future__ import annotations

import gc
import sys
from collections import deque
from sys import getrefcount
from types import CoroutineType, FunctionType

from fsworkers.graceful import owners, table
from fsworkers.graceful.counter import Permit
from fsworkers.graceful.reach import closed_kinds
from fsworkers.graceful.stacks import Standstill, thread_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType
    from typing import Any

    from fsworkers.graceful.ledger import Ticket

SEARCH_AT_MOST = 5_000
"""Objects looked through for each thread and task, the nearest first."""

_OPTIMIZED = 1
"""CO_OPTIMIZED: the locals of such code are no dictionary. Without ``inspect``, which is slow."""


def are_in_other_hands(
    scene: Standstill,
    waiting: Sequence[Ticket],
    behind: frozenset[int],
    holders: frozenset[int],
    enough: int,
) -> bool:
    """Whether so many permits are within reach of somebody who is awake.

    Args:
        scene: What all wait for.
        waiting: The line.
        behind: The places of those who can only go on after the line.
        holders: Whose permits: owners in the line or behind it.
        enough: How many.
    """
    above = owners.awaiting(ticket.owner for ticket in waiting).values()
    asleep = behind.union(*above, (ticket.blocks for ticket in waiting))
    asleep |= {owners.place_of(ticket.owner) for ticket in waiting}
    closed = closed_kinds()
    search = _Search(holders)
    for task in scene.tasks(asleep):
        if -id(task) not in asleep and search.finds(enough, [task.get_coro()], closed):
            return True
    # A thread's frames may know the coroutines of tasks that are asleep.
    closed = (*closed, CoroutineType)
    return any(
        search.finds(enough, _seen_by(ident, top), closed) for ident, top in scene.awake(asleep)
    )


def _seen_by(ident: int, top: FrameType) -> list[Any]:
    """What a thread has in its frames, the innermost first, and as an object."""
    seen: list[Any] = []
    frame: FrameType | None = top
    while frame is not None:
        seen += _locals_of(frame)
        frame = frame.f_back
    return seen + gc.get_referents(thread_object(ident))


def _locals_of(frame: FrameType) -> list[Any]:
    """The values of a frame's locals.

    Before Python 3.13 they are copied into a dictionary that the frame keeps, and with it all that
    is in there. It is emptied again, unless somebody else has it: a debugger, or a ``locals()``.
    """
    names = frame.f_locals
    values = list(names.values())
    if (
        type(names) is dict
        and frame.f_code.co_flags & _OPTIMIZED
        and frame.f_trace is None
        and getrefcount(names) <= _UNSHARED
    ):
        names.clear()
    return values


def _count_unshared() -> int:
    """The references to a dictionary of locals that nobody else has."""
    names = sys._getframe().f_locals  # noqa: SLF001 - the documented way
    return getrefcount(names)


_UNSHARED = _count_unshared()


class _Search:
    """Follows references, the nearest first, and notes the permits that it meets."""

    def __init__(self, holders: frozenset[int]) -> None:
        self._found: set[int] = set()
        self._holders = holders
        self._numbers = dict(table.entries())
        self._socket = getattr(sys.modules.get("_socket"), "socket", None)
        modules = tuple(sys.modules.values())
        self._seen = {id(getattr(module, "__dict__", None)) for module in modules}

    def finds(self, enough: int, roots: list[Any], closed: tuple[type[Any], ...]) -> bool:
        """Look at roots, and at whatever they lead to but by way of what is closed.

        Returns:
            Whether enough has been found by now.
        """
        pending = deque(roots)
        left = SEARCH_AT_MOST
        while pending and left > 0 and len(self._found) < enough:
            one = pending.popleft()
            if id(one) in self._seen or not gc.is_tracked(one):
                continue
            self._seen.add(id(one))
            left -= 1
            self._note(one)
            if type(one) is FunctionType:
                pending += [one.__closure__, one.__defaults__, one.__kwdefaults__]
            elif not issubclass(type(one), closed):
                pending += gc.get_referents(one)
        return len(self._found) >= enough

    def _note(self, one: Any) -> None:
        permit = one if type(one) is Permit else self._permit_of_socket(one)
        if permit is not None and permit.owner in self._holders:
            self._found.add(id(permit))

    def _permit_of_socket(self, one: Any) -> Permit | None:
        if self._socket is None or not issubclass(type(one), self._socket):
            return None
        lent = self._numbers.get(self._socket.fileno(one))
        return None if lent is None else lent.real()
