"""Raising our own soft limit, and giving programs that we start the one that was before.

Programs that use ``select`` break with descriptors above 1,023, which is why the soft limit is low
and why it is raised only for ourselves.
"""

from __future__ import annotations

import resource
from contextlib import suppress

from fsworkers.graceful.budget.limit import soft_limit

RAISE_AT_MOST = 65_536
"""How far the soft limit is raised when asked to: some programs walk all numbers up to it."""

_raised: list[tuple[int, int]] = []
"""The soft limit before and after, once it was raised."""


def raise_soft_limit(at_most: int = RAISE_AT_MOST) -> tuple[int, int]:
    """Raise the soft limit towards the hard one, which is never touched.

    Returns:
        The soft limit before and after.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = at_most if hard == resource.RLIM_INFINITY else min(hard, at_most)
    if soft == resource.RLIM_INFINITY or soft >= target:
        return soft, soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
    except (OSError, ValueError):
        # macOS reports an unlimited hard limit and refuses more than kern.maxfilesperproc.
        return soft, soft
    _raised[:] = [(soft, target)]
    return soft, target


def restore_soft_limit_of(pid: int) -> None:
    """Give a program that was just started the limit from before, unless it has set one already.

    Linux only (prlimit(2)): it cannot be done before the exec without giving up ``vfork``.
    """
    prlimit = getattr(resource, "prlimit", None)
    if not _raised or prlimit is None:
        return
    before, after = _raised[0]
    # It may have ended already, or not be ours to limit.
    with suppress(OSError, ValueError):
        soft, hard = prlimit(pid, resource.RLIMIT_NOFILE)
        if soft == after == soft_limit():
            prlimit(pid, resource.RLIMIT_NOFILE, (before, hard))
