"""Which bare descriptor numbers hold a permit: those from ``os.open``, ``dup``, ``pipe``, sockets.

A number is only a number: its permit goes back when ``graceful.os.close`` closes it or a file
object adopts it and is closed. If it was closed behind our back, the permit comes back when the
kernel hands the number out again, or when ``sweep`` finds it closed.
"""

from __future__ import annotations

from fsworkers.graceful import system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fsworkers.graceful.counter import Lent

_lent: dict[int, Lent] = {}


def keep(number: int, lent: Lent) -> None:
    """Note whose permit a number has."""
    stale = _lent.pop(number, None)
    _lent[number] = lent
    if stale is not None:
        stale.give_back()


def entries() -> list[tuple[int, Lent]]:
    """All numbers noted, with their permits."""
    return list(_lent.items())


def pop(number: int) -> Lent | None:
    """Take a number's permit out of the table, for whoever closes the number from now on."""
    return _lent.pop(number, None)


def release(number: int) -> None:
    """Give a number's permit back: it is closed."""
    lent = _lent.pop(number, None)
    if lent is not None:
        lent.give_back()


def release_if(number: int, lent: Lent) -> None:
    """As ``release``, unless the number has come to mean another descriptor since."""
    if _lent.get(number) is lent:
        release(number)


def sweep() -> None:
    """Give back the permits of numbers that were closed by someone who does not know us."""
    for number, lent in tuple(_lent.items()):
        if not system.is_open(number):
            release_if(number, lent)
