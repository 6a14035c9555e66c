"""What the dispatcher asks its shell to do, and the rows in which workers report. Plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from fsworkers.model import Job, Outcome


class Failure(NamedTuple):
    """Why an attempt did not succeed.

    Attributes:
        error: ``"Type: message"``.
        traceback: The remote traceback's text.
        is_transient: The same attempt may well succeed later (see ``pool.retry``).
        is_dubious: It is worth one further attempt, and no more.
        is_overdue: The attempt was cancelled because it took too long.
        retry_s: The task itself asks to be tried again after so many seconds.
        is_starved: A descriptor ran out below the descriptor layer: no fault of the job.
        is_skip: The task itself declined the file.
        exception: The pickled exception, for callers that want it raised; ``None`` if unpicklable.
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


Row: TypeAlias = tuple[int, Any, Failure | None, int | None, float, int | None]
"""One attempt's report: job id, packed value, failure, size in bytes, duration in seconds, and the
file's modification time before it."""


Settled: TypeAlias = "tuple[Job, Outcome, Failure | None]"
"""A job, its outcome (the value still packed), and why when it is not ``done``."""


class Start(NamedTuple):
    """Start a worker process and open a lane to it under this number."""

    lane: int


class Send(NamedTuple):
    """Send one block: consecutive jobs of one task."""

    lane: int
    jobs: list[Job]


class Recall(NamedTuple):
    """Ask a worker to give back up to ``most`` jobs that it has not started."""

    lane: int
    most: int


class Kill(NamedTuple):
    """Kill a worker; its death is reported back as ``died``."""

    lane: int
    reason: str


class Retire(NamedTuple):
    """Let a worker that holds no job end; its end is reported back as ``died``."""

    lane: int


class Record(NamedTuple):
    """Jobs of one run that came to their outcome."""

    run: int
    settled: list[Settled]


class Warn(NamedTuple):
    """Something the user should know, though the run goes on."""

    message: str


class GiveUp(NamedTuple):
    """No worker can be had: the pool is broken for this reason."""

    reason: str


Action: TypeAlias = Start | Send | Recall | Kill | Retire | Record | Warn | GiveUp
