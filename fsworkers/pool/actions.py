"""What the dispatcher asks its shell to do. Plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from fsworkers.model import Status
    from fsworkers.pool.blocks import Block
    from fsworkers.pool.failures import Failure
    from fsworkers.pool.wire import Answer


class Start(NamedTuple):
    """Start a worker process and open a lane to it under this number."""

    lane: int


class Send(NamedTuple):
    """Send a block down a lane, where it has this number."""

    lane: int
    number: int
    block: Block


class Recall(NamedTuple):
    """Ask a worker to give back up to ``most`` items that it has not begun."""

    lane: int
    most: int


class Kill(NamedTuple):
    """Kill a worker; its death is reported back as ``died``."""

    lane: int
    reason: str


class Retire(NamedTuple):
    """Let a worker that has nothing to do end; its end is reported back as ``died``."""

    lane: int


class Record(NamedTuple):
    """The items of a span were done, but for those among ``answer.failures``.

    Attributes:
        block: The block they belong to.
        answer: Says which span of it, and what it came to.
        columns: What the worker made of them, as it came.
    """

    block: Block
    answer: Answer
    columns: Any


class Conclude(NamedTuple):
    """All items of a block came to this outcome, which is not ``done``.

    Attributes:
        block: The items.
        status: Of all of them.
        failure: Why.
        worker: Which ran the last attempt; ``None`` if none did.
        attempts: How often each was run.
        duration_s: How long the last attempt took.
        size: Bytes of the file, where they are known.
        mtime_ns: Its modification time.
    """

    block: Block
    status: Status
    failure: Failure
    worker: int | None = None
    attempts: int = 0
    duration_s: float = 0.0
    size: int | None = None
    mtime_ns: int | None = None


class Warn(NamedTuple):
    """Something the user should know, though the pool goes on."""

    message: str


class GiveUp(NamedTuple):
    """No worker can be had: the pool is broken for this reason."""

    reason: str


Action: TypeAlias = Start | Send | Recall | Kill | Retire | Record | Conclude | Warn | GiveUp
