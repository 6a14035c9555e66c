"""A pool's settings, checked once and handed down."""

from __future__ import annotations

import os

import msgspec

from fsworkers.errors import BadSetting

READY_S = 10.0
READY_S_PER_WORKER = 0.2
"""Workers start side by side on few cores: the more there are, the longer the last one takes."""


class PoolSettings(msgspec.Struct, frozen=True):
    """What a caller can decide about a pool.

    Attributes:
        workers: Worker processes; ``None`` for one per usable processor.
        slots: Jobs in progress at one time in a worker; ``None`` for 1, and 64 with coroutines.
        max_open_files: Descriptors each worker may lend; ``None`` for what its limit leaves.
        timeout: Longest time of one attempt in seconds; ``None`` for no bound.
        retries: Further attempts after a transient failure or a time-out.
        install: Whether other libraries' file operations in the workers wait for descriptors too.
        ready_timeout: Seconds in which a worker must get ready; ``None`` for 10 and a bit each.
        grace: Seconds without a sign of life after which a worker counts as hung.

    Raises:
        BadSetting: A value that can't be.
    """

    workers: int | None = None
    slots: int | None = None
    max_open_files: int | None = None
    timeout: float | None = None
    retries: int = 0
    install: bool = True
    ready_timeout: float | None = None
    grace: float = 30.0

    def __post_init__(self) -> None:
        _check_count("workers", self.workers, least=1)
        _check_count("slots", self.slots, least=1)
        _check_count("max_open_files", self.max_open_files, least=1)
        _check_count("retries", self.retries, least=0)
        _check_seconds("timeout", self.timeout)
        _check_seconds("ready_timeout", self.ready_timeout)
        _check_seconds("grace", self.grace)

    @property
    def worker_count(self) -> int:
        """The number of workers, decided."""
        return self.workers if self.workers is not None else usable_processors()

    @property
    def ready_s(self) -> float:
        """The ready timeout, decided."""
        if self.ready_timeout is not None:
            return self.ready_timeout
        return READY_S + READY_S_PER_WORKER * self.worker_count


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
