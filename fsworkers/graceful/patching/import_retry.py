"""Imports that go on when the kernel refuses them a descriptor.

The import system never waits for a permit: it holds import locks that the holder of a permit may
need, so it lives on the reserve. Where other code has taken even that, or the limit sank, it is
tried again right here, for a while. Higher up is too late: a module whose import failed is missing,
without a word of descriptors, to every thread that had been waiting for it.

Source:
    ``import_ensure_initialized`` in CPython's import.c, which does not look whether it came about.
"""

from __future__ import annotations

import os
from errno import EMFILE, ENFILE
from functools import wraps
from time import monotonic, sleep  # noqa: TID251 - what others close is not to be seen

from fsworkers.graceful.budget.budget import BUDGET
from fsworkers.graceful.budget.watchdog import backoff_s
from fsworkers.graceful.errors import GracefulError
from fsworkers.graceful.opening.retry import is_refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PATIENCE_S = 5.0
"""Longest time of one step of an import: whoever has the descriptors may be waiting for it."""


def insistent(method: Callable[..., Any]) -> Callable[..., Any]:
    """A step of an import, done as often as the kernel refuses it and for at most ``PATIENCE_S``.

    Permits that come back meanwhile are not all lent again. What it fails with in the end is its
    own error.
    """

    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        until_s = None
        streak = 0
        while True:
            try:
                return method(*args, **kwargs)
            except (OSError, ImportError) as error:
                number = refusal(error)
                now_s = monotonic()
                until_s = now_s + PATIENCE_S if until_s is None else until_s
                if not number or now_s >= until_s:
                    raise
                is_machine_wide = number == ENFILE
            BUDGET.shrink(machine_wide=is_machine_wide)
            sleep(backoff_s(streak, machine_wide=is_machine_wide))
            streak += 1

    return call


def refusal(error: BaseException) -> int:
    """With which errno the kernel refused a descriptor to code below this layer, or 0.

    The error itself says it, or the one that a library names as its cause.
    """
    for one in (error, error.__cause__):
        if isinstance(one, GracefulError):
            return 0
        if one is not None and is_refusal(one):
            return one.errno or 0
        if isinstance(one, ImportError):
            # Of a shared library: the dynamic linker has only words for it.
            told = str(one)
            for number in (EMFILE, ENFILE):
                if os.strerror(number) in told:
                    return number
    return 0
