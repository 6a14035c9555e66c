"""Errors of workers that are gone for good: each is a ``concurrent.futures.BrokenExecutor``.

Apart from all others, because that class takes 12 ms to load, which no worker needs.
"""

from __future__ import annotations

from concurrent.futures import BrokenExecutor, CancelledError

from fsworkers.errors import FsworkersError, RemoteError, Skip, TookTooLong

__all__ = ["WorkerDied", "WorkerStartError", "error_of"]


class WorkerStartError(FsworkersError, BrokenExecutor):
    """No worker can be had: the whole pool is broken."""

    def __init__(self, reason: str, output: str) -> None:
        self.reason = reason
        self.output = output
        said = f"; the workers said:\n{output}" if output else ""
        super().__init__(f"{reason}{said}")


class WorkerDied(RemoteError, BrokenExecutor):
    """A job's worker died each time that it ran. The pool and all other jobs go on."""


def error_of(status: str, error: str | None, traceback: str | None) -> Exception:
    """What is raised for a job that is not ``done``, where its own exception is not to be had."""
    words = error or status
    if status == "skipped":
        return Skip(words)
    if status == "cancelled":
        return CancelledError(words)
    kinds = {"crashed": WorkerDied, "timed_out": TookTooLong}
    return kinds.get(status, RemoteError)(words, traceback or "")
