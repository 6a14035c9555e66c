"""What becomes of an item whose attempt did not simply succeed. Pure.

``verdict`` is asked by the dispatcher, the inline engine and every other executor alike: settle
with a status, or run again, after a while, with a history. ``after_death`` and ``after_overrun``
decide where there is no failure to look at, because the worker is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.model import Status
    from fsworkers.pool.blocks import History
    from fsworkers.pool.rules import Rules

MAX_STARVATIONS = 6
"""An item that lacked descriptors so often, alone in its worker, needs more than there are."""

MAX_DEFERRALS = 100
"""A task that puts its file off so often waits for something that does not happen."""


class Failure(NamedTuple):
    """Why an attempt did not succeed.

    Attributes:
        error: ``"Type: message"``.
        traceback: The remote traceback's text.
        is_transient: The same attempt may well succeed later (see ``pool.retry``).
        is_dubious: It is worth one further attempt, and no more.
        is_overdue: The attempt was cancelled because it took too long.
        retry_s: The task itself asks to be tried again after so many seconds.
        is_starved: A descriptor ran out below the descriptor layer: no fault of the item.
        is_skip: The task itself declined the file.
        exception: The pickled exception, for callers that want it raised; ``None`` if unpicklable.
        value: What the attempt left all the same, as ``payload.pack`` left it.
    """

    error: str
    traceback: str | None = None
    is_transient: bool = False
    is_dubious: bool = False
    is_overdue: bool = False
    retry_s: float | None = None
    is_starved: bool = False
    is_skip: bool = False
    exception: bytes | None = None
    value: Any = None


CANCELLED = Failure("cancelled before it ran")
ABORTED = Failure("cancelled while it ran")


class Again(NamedTuple):
    """Run the item again: ``history`` says how often it was tried, ``delay_s`` when."""

    history: History
    delay_s: float = 0.0


class Settle(NamedTuple):
    """The item has come to its outcome."""

    status: Status
    failure: Failure


Verdict: TypeAlias = Again | Settle

DelayRule: TypeAlias = "Callable[[int], float]"
"""Seconds to wait after a failed attempt, given how many failed before."""


def verdict(history: History, failure: Failure, rules: Rules, delay_s: DelayRule) -> Verdict:
    """Decide about an attempt that its worker reports as failed."""
    if failure.is_overdue:
        return after_overrun(history, rules, delay_s, failure)
    if failure.is_starved and history.starvations < MAX_STARVATIONS:
        starvations = history.starvations + 1
        return Again(history._replace(starvations=starvations), delay_s(starvations))
    if failure.retry_s is not None and history.deferrals < MAX_DEFERRALS:
        deferred = history._replace(attempt=history.attempt + 1, deferrals=history.deferrals + 1)
        return Again(deferred, failure.retry_s)
    if failure.is_transient and not (failure.is_dubious and history.retried):
        return _retry(history, "failed", failure, rules, delay_s)
    return Settle("skipped" if failure.is_skip else "failed", failure)


def after_overrun(
    history: History, rules: Rules, delay_s: DelayRule, told: Failure | None = None
) -> Verdict:
    """Decide about an attempt that took longer than it may, and perhaps left something."""
    failure = Failure(f"TimeoutError: took longer than {rules.timeout_s or 0.0:g} s")
    if told is not None:
        failure = failure._replace(traceback=told.traceback, value=told.value)
    return _retry(history, "timed_out", failure, rules, delay_s)


def after_death(
    history: History, reason: str, rules: Rules, *, is_certain: bool, is_hung: bool
) -> Verdict:
    """Decide about an item that its worker had begun when it died.

    Args:
        history: The item's.
        reason: How the worker ended, in words.
        rules: The settings.
        is_certain: No other item can have been the cause.
        is_hung: The worker was killed because it gave no sign of life.
    """
    deaths = history.deaths + 1
    if is_certain and deaths >= rules.max_deaths:
        failure = Failure(
            f"its worker died {deaths} times: {reason}"
            if deaths > 1
            else f"its worker died: {reason}"
        )
        return Settle("timed_out" if is_hung else "crashed", failure)
    return Again(history._replace(attempt=history.attempt + 1, deaths=deaths))


def as_suspect(history: History) -> History:
    """Of an item that, or one beside it, held its worker up: it runs alone, which shows which."""
    return history._replace(attempt=history.attempt + 1, is_suspect=True)


def _retry(
    history: History, status: Status, failure: Failure, rules: Rules, delay_s: DelayRule
) -> Verdict:
    """Run it again, if any of its retries is left."""
    if history.retried >= rules.retries:
        return Settle(status, failure)
    retried = history.retried + 1
    return Again(history._replace(attempt=history.attempt + 1, retried=retried), delay_s(retried))
