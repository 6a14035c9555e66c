"""Which bare descriptor numbers hold a permit: those from ``os.open``, ``dup``, ``pipe``, sockets.

A number is only a number: its permit goes back when ``graceful.os.close`` closes it or a file
object adopts it and is closed. If it was closed behind our back, the permit comes back when the
kernel hands the number out again, or when ``sweep`` finds it closed.
"""

from __future__ import annotations

from fsworkers.graceful.budget import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fsworkers.graceful.budget.permits import HeldPermit

noted: dict[int, HeldPermit] = {}
"""The permits by number: for reading alone, outside of this module."""


def keep(number: int, lent: HeldPermit) -> None:
    """Note whose permit a number has."""
    stale = noted.pop(number, None)
    noted[number] = lent
    if stale is not None:
        stale.give_back()


def pop(number: int) -> HeldPermit | None:
    """Take a number's permit out of the table, for whoever closes the number from now on."""
    return noted.pop(number, None)


def release(number: int) -> None:
    """Give a number's permit back: it is closed, or was and is in use again without it."""
    lent = noted.pop(number, None)
    if lent is not None:
        lent.give_back()


def release_if(number: int, lent: HeldPermit) -> None:
    """As ``release``, unless the number has come to mean another descriptor since."""
    found = noted.pop(number, None)  # one step: it may come to mean another at any moment
    if found is lent:
        lent.give_back()
    elif found is not None:
        noted.setdefault(number, found)


def sweep() -> None:
    """Give back the permits of numbers that were closed by someone who does not know us."""
    for number, lent in list(noted.items()):
        if not kernel.is_open(number):
            release_if(number, lent)
