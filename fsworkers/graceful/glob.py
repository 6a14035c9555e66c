"""``glob`` that is never silently short.

A folder that cannot be opened for want of a descriptor is waited for, and when that ends with an
error the caller gets it; the standard one takes the folder for empty.
"""

from __future__ import annotations

import glob as _glob
from typing import Any

from fsworkers.graceful.opening.error_passthrough import let_through
from fsworkers.graceful.opening.listing import listing_with
from fsworkers.graceful.rebound_modules import twin

_twin: Any = twin(_glob, __name__)
_twin._listdir = listing_with(_twin._listdir)  # noqa: SLF001 - the twin is ours
_twin.iglob = let_through(_twin.iglob)


def __getattr__(name: str) -> Any:
    return getattr(_twin, name)
