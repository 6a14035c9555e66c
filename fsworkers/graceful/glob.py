"""``glob`` that is never silently short.

A folder that cannot be opened for want of a descriptor is waited for; the standard one takes it
for empty.
"""

from __future__ import annotations

import glob as _glob
from typing import Any

from fsworkers.graceful.twins import twin

_twin: Any = twin(_glob)

glob = _twin.glob
iglob = _twin.iglob
escape = _twin.escape
has_magic = _twin.has_magic


def __getattr__(name: str) -> Any:
    return getattr(_twin, name)
