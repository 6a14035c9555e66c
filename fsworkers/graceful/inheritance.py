"""What a forked child keeps of what its parent had lent.

The files are open in it too. The threads are not there, but for the one that forked: what they had
reserved, or were just opening or closing, belongs to nobody now.
"""

from __future__ import annotations

import gc
import sys
from threading import get_ident

from fsworkers.graceful import owners
from fsworkers.graceful.own_numbers import permits_in_use

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from fsworkers.graceful.counter import Permit


def abandoned(permits: list[Permit], free: list[Permit]) -> list[Permit]:
    """Those permits of a budget that were with threads that are not here.

    Permits that only others' reservations had are left to ``Counter.regain``.
    """
    at_hand = set(map(id, free))
    strange = [one for one in permits if id(one) not in at_hand and not _is_ours(one)]
    if not strange:
        return []
    _empty_reservations()
    if strange[0].budget is not _of_descriptors():
        return []  # of whatever else is lent nobody can tell who uses it
    in_use = permits_in_use()
    return [one for one in strange if id(one) not in in_use]


def _of_descriptors() -> Any:
    """The budget of this process, whose permits go with descriptors."""
    return getattr(sys.modules.get(f"{__package__}.budget"), "BUDGET", None)


def _is_ours(permit: Permit) -> bool:
    """Whether this thread, or a task on it, took it: its code goes on, here too."""
    return owners.thread_of(permit.owner) == get_ident()


def _empty_reservations() -> None:
    """Take their permits out of others' reservations, which a finalizer may still end."""
    module: Any = sys.modules.get(f"{__package__}.reservation")
    if module is None:
        return
    for one in gc.get_referrers(module.Reservation):
        if type(one) is module.Reservation:
            one.forget(_is_ours)
