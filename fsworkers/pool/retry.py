"""Which failures are worth another attempt, and how long to wait for it. Pure."""

from __future__ import annotations

import errno
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from fsworkers.errors import CommandFailed
from fsworkers.graceful.errors import BudgetTooSmall, DescriptorDeadlock, TooFewDescriptors
from fsworkers.graceful.patching.import_retry import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

LASTING_ERRNOS = frozenset({
    errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG,
    errno.ELOOP, errno.EROFS, errno.EEXIST, errno.ENOTEMPTY, errno.EINVAL, errno.ENOSYS,
    errno.EFBIG, errno.ENOSPC, errno.EDQUOT,
})  # fmt: skip
"""Errors of the operating system that the same call meets again; see errno(3)."""

LASTING_ERRORS = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError,
    NotImplementedError, RecursionError, SyntaxError, TypeError, ValueError,
)  # fmt: skip
"""Errors of a program or of a file's content: trying again changes nothing."""

DUBIOUS_ERRNOS = frozenset({errno.EIO})
"""A disk that could not read twice will not the third time, and each try may take it long."""


def is_starved(error: BaseException) -> bool:
    """Whether descriptors ran out, or jobs waited for each other's: no fault of the job."""
    if isinstance(error, TooFewDescriptors):
        return False  # the layer itself can't work under this limit
    if isinstance(error, BudgetTooSmall):
        return error.may_pass
    return isinstance(error, DescriptorDeadlock) or refusal(error) != 0


RetryOn: TypeAlias = (
    "type[BaseException] | tuple[type[BaseException], ...] | Callable[[BaseException], bool]"
)
"""Which failures are worth another attempt: classes, or a predicate."""


def is_worth_retrying(error: BaseException, retry_on: RetryOn | None) -> bool:
    """Whether another attempt may succeed, by the caller's rule or by ours.

    Raises:
        Exception: Whatever the caller's predicate raises.
    """
    if retry_on is None:
        return is_transient(error)
    if isinstance(retry_on, (type, tuple)):
        return isinstance(error, retry_on)
    return bool(retry_on(error))


def is_dubious(error: BaseException) -> bool:
    """Whether one further attempt is enough."""
    return isinstance(error, OSError) and error.errno in DUBIOUS_ERRNOS


def is_transient(error: BaseException) -> bool:
    """Whether another attempt may succeed: not when the file or the program is at fault."""
    if isinstance(error, CommandFailed):
        return error.may_pass
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno not in LASTING_ERRNOS
    return not isinstance(error, LASTING_ERRORS)


@cache
def _backoff() -> Callable[[int], float]:
    from tenacity import (  # noqa: PLC0415  (30 ms; few runs retry)
        RetryCallState,
        Retrying,
        wait_random_exponential,
    )

    retrying = Retrying(wait=wait_random_exponential(multiplier=0.1, max=10.0))

    def pause_s(attempt: int) -> float:
        state = RetryCallState(retrying, None, (), {})
        state.attempt_number = attempt
        return retrying.wait(state)

    return pause_s


def delay_s(attempt: int) -> float:
    """Seconds to wait after the failed ``attempt``: at random up to 0.1 s, 0.2 s, 0.4 s … 10 s."""
    return _backoff()(attempt)
