"""Raising our own soft limit, and giving children the one that was before.

Programs that use ``select`` break with descriptors above 1,023, which is why the soft limit is low
and why it is raised only for ourselves. Whoever sets a limit later has the last word: a
``preexec_fn``, the child itself, or this process when it changes its limit again.
"""

from __future__ import annotations

import os
import resource

from fsworkers.graceful.system import open_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

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


def original_soft_limit() -> int | None:
    """What the soft limit was, if it still is what we raised it to."""
    if _raised and resource.getrlimit(resource.RLIMIT_NOFILE)[0] == _raised[0][1]:
        return _raised[0][0]
    return None


def restore_soft_limit_of(pid: int) -> None:
    """Give a program that was just started the original limit, unless it has set one already.

    Linux only (prlimit(2)): it cannot be done before the exec without giving up ``vfork``.
    """
    original = original_soft_limit()
    prlimit = getattr(resource, "prlimit", None)
    if original is None or prlimit is None:
        return
    # It may have ended already, or not be ours to limit.
    try:
        soft, hard = prlimit(pid, resource.RLIMIT_NOFILE)
        if soft == _raised[0][1]:
            prlimit(pid, resource.RLIMIT_NOFILE, (original, hard))
    except (OSError, ValueError):
        return


def restoring_first(preexec_fn: Callable[[], object]) -> Callable[[], object]:
    """A ``preexec_fn`` that finds the original limit in place, and may set its own."""
    original = original_soft_limit()
    if original is None:
        return preexec_fn

    def restore_and_call() -> object:
        _restore(original)
        return preexec_fn()

    return restore_and_call


def _restore(soft: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    _raised.clear()


def _after_fork_in_child() -> None:
    """Restore it here too, unless the numbers below it are taken by what was inherited."""
    original = original_soft_limit()
    if original is None:
        return
    inherited = open_numbers()
    if inherited is not None and all(number < original for number in inherited):
        _restore(original)


os.register_at_fork(after_in_child=_after_fork_in_child)
