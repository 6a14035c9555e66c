"""The records that every part speaks in: what was asked, what came of it. No behaviour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    Item = TypeVar("Item", default=Any)
    Value = TypeVar("Value", default=Any)
else:
    from typing import TypeVar

    Item = TypeVar("Item")
    Value = TypeVar("Value")

Status: TypeAlias = Literal["done", "failed", "skipped", "timed_out", "crashed", "cancelled"]

STATUSES: tuple[Status, ...] = ("done", "failed", "skipped", "timed_out", "crashed", "cancelled")

FAILURES: tuple[Status, ...] = ("failed", "timed_out", "crashed")
"""Those that tell of a fault: of the file, the task or the machine."""


class Outcome(msgspec.Struct, Generic[Item, Value], frozen=True, gc=False):
    """A job's single final state; of a path and an int, ``Outcome[str, int]``.

    Attributes:
        path: The item the job was for, as it was given; for files found by a scan a ``str`` that
            ``os.fsencode`` turns into the exact name.
        status: One of ``STATUSES``.
        value: What the task returned; ``None`` unless ``status`` is ``done``, a command failed
            (then it is what that left), or the file was left out as unchanged (then it is what
            an earlier run had made of it).
        error: ``"Type: message"`` or the reason in words; ``None`` when ``status`` is ``done``.
        attempts: How often the job was executed; 0 when it never was. Where a worker died it is
            not known which of its jobs it had started, and all of them count.
        size: Bytes of the file, in runs over a tree; ``None`` where there is no such file, and from
            ``Pool.map``, whose items need not be files.
        duration_s: Seconds the last attempt took inside the worker.
        worker: Number of the worker that ran the last attempt; ``None`` when none did.
        traceback: The remote traceback's text when the task raised.
        mtime_ns: Modification time before the task ran, known wherever ``size`` is: a file that
            was altered meanwhile is then seen to be another one than what was processed.
    """

    path: Item
    status: Status
    value: Value | None = None
    error: str | None = None
    attempts: int = 0
    size: int | None = None
    duration_s: float = 0.0
    worker: int | None = None
    traceback: str | None = None
    mtime_ns: int | None = None

    @property
    def ok(self) -> bool:
        """Whether the job is done."""
        return self.status == "done"

    def result(self) -> Value:
        """What the task returned, or the error that the outcome is.

        Raises:
            RemoteError: The task failed, with its type, message and traceback as text.
            TookTooLong: It was ``timed_out``; a ``TimeoutError``.
            WorkerDied: It ``crashed``; a ``concurrent.futures.BrokenExecutor``.
            Skip: It was ``skipped``.
            CancelledError: It was ``cancelled``; that of ``concurrent.futures``.
        """
        if self.status != "done":
            from fsworkers.broken import error_of  # noqa: PLC0415  (12 ms that workers don't need)

            raise error_of(self.status, self.error, self.traceback)
        return self.value  # type: ignore[return-value]  # it may well be None


class Entry(msgspec.Struct, frozen=True, gc=False):
    """Something a scan found that is not to be run: its outcome is settled already.

    Attributes:
        path: The path as it was met.
        status: ``skipped`` (a FIFO, a link that is not followed…) or ``failed`` (unreadable).
        reason: Why, in words.
        size: Bytes of a file that was looked at to settle it.
        mtime_ns: Its modification time.
    """

    path: str
    status: Status
    reason: str
    size: int | None = None
    mtime_ns: int | None = None


class DescriptorUse(msgspec.Struct, frozen=True):
    """Descriptor figures of a run; counts add up over the workers, the rest is the largest one."""

    limit: int = 0
    budget: int = 0
    peak: int = 0
    waits: int = 0
    waited_s: float = 0.0
    refused: int = 0


class RunSummary(msgspec.Struct, frozen=True):
    """What a whole run came to. ``found`` equals the sum of the six outcomes, always.

    ``missing`` are files that were expected and not found: those that the task knows of, if it
    does; else with ``--changed`` those that the run before had done. ``reduced`` is what a task
    makes of all files together.
    """

    run: str
    found: int
    done: int
    failed: int
    skipped: int
    timed_out: int
    crashed: int
    cancelled: int
    bytes: int
    seconds: float
    files_per_s: float
    workers: int
    restarts: int
    retries: int
    descriptors: DescriptorUse
    missing: int = 0
    reduced: dict[str, Any] | None = None

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        from html import escape  # noqa: PLC0415  (only there)

        rows = "".join(
            f"<tr><th style='text-align:left'>{name}</th><td>{escape(f'{value}')}</td></tr>"
            for name in self.__struct_fields__
            if (value := getattr(self, name)) and name != "descriptors"
        )
        return f"<table>{rows}</table>"
