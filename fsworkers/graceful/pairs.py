"""Two descriptors at once, for what holds a folder open while it opens what is in it.

Asked for one after the other, by many who each hold their first, they deadlock: thirty threads that
removed small trees with 16 descriptors were served from the reserve 800 times and took half a
minute.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from fsworkers.graceful.budget import BUDGET
from fsworkers.graceful.reservation import reserve


def pair() -> AbstractContextManager[Any]:
    """A block with two descriptors; a budget that has but one lends what it can, when it can."""
    return reserve(2) if BUDGET.ledger.ceiling > 1 else nullcontext()
