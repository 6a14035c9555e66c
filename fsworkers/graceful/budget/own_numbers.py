"""Which descriptor numbers are a budget's own: asked only when the limit has changed.

Noting each file's number as it is opened would cost every open; looking for all files that are
open costs some 20 ms in a process with a million objects, once for each change of the limit.
"""

from __future__ import annotations

import gc
import sys

from fsworkers.graceful.budget import descriptor_table
from fsworkers.graceful.budget.limit import Own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Protocol

    class Lender(Protocol):
        """A budget, as far as it is asked here."""

        @property
        def lent(self) -> int:
            """Descriptors lent at this moment."""


def own_numbers(budget: Lender) -> Own:
    """What a budget has lent now, and where that is."""
    numbers = {
        number for number, lent in descriptor_table.entries() if lent.real().budget is budget
    }
    unnumbered = 0
    for holder in _holders():
        lent = _permit_of(holder)
        if lent is None or lent.real().budget is not budget:
            continue
        number = _number_of(holder)
        if number is None:
            unnumbered += 1
        else:
            numbers.add(number)
    return Own(numbers=frozenset(numbers), unnumbered=unnumbered, lent=budget.lent)


def _holders() -> list[Any]:
    """All live objects of ours that hold a permit: files, listings, maps.

    An object refers to its class. To look through all objects instead would break other threads'
    code: a tuple that is still being made must not be held by anybody else. What is closed already,
    and just about to give its permit back, holds nothing.
    """
    kinds = frozenset(_kinds())
    return [
        one
        for one in gc.get_referrers(*kinds)
        if type(one) in kinds and not getattr(one, "closed", False)
    ]


def _kinds() -> Iterator[type[Any]]:
    for module, name in (
        ("opening.raw_file", "CountedFileIO"),
        ("opening.listing", "scandir"),
        ("mmap", "mmap"),
    ):
        loaded = sys.modules.get(f"fsworkers.graceful.{module}")
        kind = getattr(loaded, name, None)
        if isinstance(kind, type):  # or another thread is about to import it
            yield from _with_subclasses(kind)


def _with_subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    yield kind
    for derived in kind.__subclasses__():
        yield from _with_subclasses(derived)


def _permit_of(holder: Any) -> Any:
    """What a holder was lent, or ``None`` if it is closed or was never given any."""
    for name in ("permit", "_lent"):
        lent = getattr(getattr(holder, "_leash", holder), name, None)
        if lent is not None:
            return lent
    return None


def _number_of(holder: Any) -> int | None:
    try:
        return int(holder.fileno())
    except (AttributeError, ValueError):
        return None
