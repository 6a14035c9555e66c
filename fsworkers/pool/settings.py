"""A pool's settings, checked once and handed down."""

from __future__ import annotations

import os
from collections.abc import Callable  # noqa: TC003  (likewise)
from typing import Any, Literal

import msgspec

from fsworkers.errors import BadSetting, NotCallable
from fsworkers.pool.retry import RetryOn  # noqa: TC001  (a Struct keeps its annotations)
from fsworkers.pool.room import ANY_ROOM, Room

READY_S = 10.0
READY_S_PER_WORKER = 0.2
"""Workers start side by side on few cores: the more there are, the longer the last one takes."""


INITIALIZER_S = 300.0
"""More where there is an initializer, which may load much."""


class PoolSettings(msgspec.Struct, frozen=True):
    """What a caller can decide about a pool.

    Attributes:
        workers: Worker processes; ``None`` for one per usable processor.
        slots: Jobs in progress at one time in a worker; ``None`` for 1, and 64 with coroutines.
        max_open_files: Descriptors each worker may lend; ``None`` for what its limit leaves.
        timeout: Longest time of one attempt in seconds; ``None`` for no bound.
        retries: Further attempts after a transient failure or a time-out.
        retry_on: Which failures are worth that: exception classes, or a function that is given the
            exception in the worker; ``None`` for those that may pass (see ``pool.retry``).
        max_deaths: Deaths of a worker that make the job it ran ``crashed``.
        max_jobs_per_worker: Jobs after which a worker is replaced; ``None`` for never.
        max_rss_bytes: Resident memory above which a worker is replaced between two jobs.
        install: Whether other libraries' file operations in the workers wait for descriptors too.
        ready_timeout: Seconds in which a worker must get ready; ``None`` for 10 and a bit each,
            and 300 more where there is an initializer.
        grace: Seconds without a sign of life after which a worker counts as hung.
        first_workers: How many are started at once, the others when there is work for them;
            ``None`` for one per usable processor.
        prints_to: Where what tasks print goes; a function is given it in whole lines, one thread's.
        initializer: Called once in each worker before its first job.
        initargs: With these arguments.
        retry_pause: Seconds before a further attempt; ``None`` for a random time that grows.
        nice: How much lower than ours the workers' priority is, as nice(1) counts.
        room: What must be left on the machine for anything new to be begun.

    Raises:
        BadSetting: A value that can't be.
    """

    workers: int | None = None
    slots: int | None = None
    max_open_files: int | None = None
    timeout: float | None = None
    retries: int = 0
    retry_on: RetryOn | None = None
    max_deaths: int = 2
    max_jobs_per_worker: int | None = None
    max_rss_bytes: int | None = None
    install: bool = True
    ready_timeout: float | None = None
    grace: float = 30.0
    first_workers: int | None = None
    prints_to: Literal["stdout", "stderr"] | Callable[[bytes], object] = "stdout"
    initializer: Callable[..., object] | None = None
    initargs: tuple[Any, ...] = ()
    retry_pause: float | None = None
    nice: int = 0
    room: Room = ANY_ROOM

    def __post_init__(self) -> None:
        _check_count("workers", self.workers, least=1)
        _check_count("slots", self.slots, least=1)
        _check_count("max_open_files", self.max_open_files, least=1)
        _check_count("retries", self.retries, least=0)
        _check_count("max_deaths", self.max_deaths, least=1)
        _check_count("max_jobs_per_worker", self.max_jobs_per_worker, least=1)
        _check_count("max_rss_bytes", self.max_rss_bytes, least=1)
        _check_count("nice", self.nice, least=0)
        _check_classes(self.retry_on)
        _check_seconds("timeout", self.timeout)
        _check_seconds("ready_timeout", self.ready_timeout)
        _check_seconds("grace", self.grace)
        if not (self.initializer is None or callable(self.initializer)):
            raise NotCallable(self.initializer)
        if self.retry_pause != 0:
            _check_seconds("retry_pause", self.retry_pause)

    @property
    def worker_count(self) -> int:
        """The number of workers, decided."""
        return self.workers if self.workers is not None else usable_processors()

    @property
    def ready_s(self) -> float:
        """The ready timeout, decided."""
        if self.ready_timeout is not None:
            return self.ready_timeout
        initializer_s = 0.0 if self.initializer is None else INITIALIZER_S
        return READY_S + READY_S_PER_WORKER * self.worker_count + initializer_s


def usable_processors() -> int:
    """How many processors this process may use: its affinity, where the system has one."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def _check_count(setting: str, value: int | None, *, least: int) -> None:
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise BadSetting(setting, value, f"a whole number of at least {least}")


def _check_seconds(setting: str, value: float | None) -> None:
    if value is None:
        return
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not value > 0:
        raise BadSetting(setting, value, "a number of seconds above 0")


def _check_classes(retry_on: RetryOn | None) -> None:
    classes = retry_on if isinstance(retry_on, tuple) else (retry_on,)
    is_right = all(isinstance(one, type) and issubclass(one, BaseException) for one in classes)
    is_predicate = callable(retry_on) and not isinstance(retry_on, type)
    if not (retry_on is None or is_right or is_predicate):
        raise BadSetting("retry_on", retry_on, "exception classes, or a function of an exception")
