"""``configure`` and ``limits``: the settings of this process's budget, and what they come to."""

from __future__ import annotations

import resource

from fsworkers.graceful.budget import argument_checks, limit
from fsworkers.graceful.budget.budget import BUDGET, DEADLOCK_AFTER_S
from fsworkers.graceful.budget.kernel import count_open_below, machine_files
from fsworkers.graceful.budget.raise_limit import raise_soft_limit
from fsworkers.graceful.budget.snapshots import Limits


def configure(
    max_open_files: int | None = None,
    *,
    reserve: int | None = None,
    wait_s: float | None = None,
    deadlock_after_s: float | None = DEADLOCK_AFTER_S,
    raise_limit: bool = False,
) -> None:
    """Set up this process's budget; may be called again at any time, also while it is in use.

    Args:
        max_open_files: The most to lend. ``None``: what the limit leaves, and then a limit that
            changes is followed.
        reserve: Descriptors to keep free when measuring. ``None``: an eighth of the limit, 4 to 32.
        wait_s: Longest wait of one operation in seconds; ``None`` waits for ever.
        deadlock_after_s: After how long without any movement one who waits is ended with
            ``DescriptorDeadlock``, if all who hold descriptors wait as well; ``None`` for never.
        raise_limit: Raise the soft limit towards the hard one first (at most to 65,536); children
            get it as it was.

    Raises:
        TooFewDescriptors: The limit leaves less than the minimum to lend, whatever others have.
        TypeError: A count is no integer, or a time no number; nothing was changed.
        ValueError: ``max_open_files`` is below 1, or another below 0; nothing was changed.
    """
    most = argument_checks.count("max_open_files", max_open_files, least=1)
    kept = argument_checks.count("reserve", reserve, least=0)
    longest_s = argument_checks.seconds("wait_s", wait_s)
    patience_s = argument_checks.seconds("deadlock_after_s", deadlock_after_s)
    if raise_limit:
        raise_soft_limit()
    BUDGET.configure(most, kept, longest_s, patience_s)


def limits() -> Limits:
    """What the system allows this process and what the budget makes of it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    machine_in_use, machine_limit = machine_files()
    return Limits(
        soft_limit=None if soft == resource.RLIM_INFINITY else soft,
        hard_limit=None if hard == resource.RLIM_INFINITY else hard,
        in_use=count_open_below(limit.soft_limit()),
        reserve=BUDGET.reserve,
        budget=BUDGET.line.ceiling,
        machine_in_use=machine_in_use,
        machine_limit=machine_limit,
    )
