"""The messages between master and worker: one ZeroMQ frame each, a pickled named tuple.

Down a lane go ``Hello``, ``Task``, ``Forget``, ``Block``, ``GiveBack`` and ``Stop``, up the back
channel ``Ready``, ``Results``, ``GivenBack``, ``Heartbeat`` and ``TaskBroken``. All of them stay
between the processes of one pool: the sockets lie in a directory that no other user can enter, and
each frame begins with the pool's secret, without which nothing is unpickled.
"""

from __future__ import annotations

import pickle
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from fsworkers.pool.actions import Row  # noqa: TC001  (named tuples keep their annotations)
from fsworkers.pool.payload import size_of

if TYPE_CHECKING:
    from collections.abc import Iterator


class Descriptors(NamedTuple):
    """A worker's descriptor figures (see ``graceful.statistics``)."""

    limit: int
    budget: int
    lent: int
    waiting: int
    peak: int
    waits: int
    waited_s: float
    refused: int


class Hello(NamedTuple):
    """The first order down a lane: the master has connected."""


class Task(NamedTuple):
    """A run's task function: pickled, and how to run it.

    Attributes:
        run: The run it belongs to.
        function: The function and its retry rule, pickled together.
        is_coroutine: Whether it runs in the event loop.
        slots: Jobs in progress at one time.
        wants_size: Whether outcomes tell the size of the file that the item names.
        wants_install: Whether ``open`` and the like are to wait for descriptors in this worker.
        timeout_s: After how long a coroutine is cancelled; ``None`` for never.
    """

    run: int
    function: bytes
    is_coroutine: bool
    slots: int
    wants_size: bool = False
    wants_install: bool = False
    timeout_s: float | None = None


class Forget(NamedTuple):
    """The run is over; its task function will not be needed again."""

    run: int


class Block(NamedTuple):
    """Consecutive jobs of one run: their ids, and beside them their packed items."""

    run: int
    job_ids: list[int]
    items: list[Any]


class GiveBack(NamedTuple):
    """Give back up to ``most`` jobs that have not been started, the last ones first."""

    most: int


class Stop(NamedTuple):
    """Finish what runs, report it, and end."""


class Ready(NamedTuple):
    """The worker can run jobs."""

    worker: int


class Results(NamedTuple):
    """Reports of attempts, in the order in which they ended."""

    worker: int
    rows: list[Row]
    descriptors: Descriptors
    rss_bytes: int = 0


class GivenBack(NamedTuple):
    """The jobs given back, perhaps none."""

    worker: int
    job_ids: list[int]


class Heartbeat(NamedTuple):
    """What each busy slot runs, and for how many seconds."""

    worker: int
    running: list[tuple[int, float]]
    descriptors: Descriptors
    rss_bytes: int = 0


class TaskBroken(NamedTuple):
    """The task function can't be had in the worker: none of the run's jobs can be executed."""

    worker: int
    run: int
    error: str
    traceback: str


Order: TypeAlias = Hello | Task | Forget | Block | GiveBack | Stop
Report: TypeAlias = Ready | Results | GivenBack | Heartbeat | TaskBroken


class Config(NamedTuple):
    """What a worker is told at its start, before any message.

    Attributes:
        worker: Its number.
        directory: Where it binds its two sockets; its own, removed once both are connected.
        secret: What each frame begins with.
        sys_path: The master's import path, so that the same modules are found.
        max_open_files: Descriptors it may lend to file operations; ``None`` for what is free.
        flush_s: Longest time a finished result waits before it is sent.
        heartbeat_s: Time between heartbeats.
        wants_memory: Whether reports are to tell how much memory the worker has.
    """

    worker: int
    directory: str
    secret: bytes
    sys_path: list[str]
    max_open_files: int | None
    flush_s: float
    heartbeat_s: float
    wants_memory: bool = False


SECRET_BYTES = 16

MESSAGE_BYTES = 1 << 20
"""From here on a larger message gains nothing: its fixed cost is some 100 µs, packing and
unpacking take 400."""


def messages_of(rows: list[Row]) -> Iterator[list[Row]]:
    """Divide reports into messages, each closed as soon as its values reach ``MESSAGE_BYTES``.

    A message is in memory twice while it is unpacked; this bounds how much that can be.
    """
    first = size = 0
    for end, row in enumerate(rows, 1):
        size += size_of(row[1])
        if size >= MESSAGE_BYTES:
            yield rows[first:end]
            first, size = end, 0
    if first < len(rows):
        yield rows[first:]


def lane_address(directory: str) -> str:
    """Where a worker pulls its orders."""
    return f"ipc://{directory}/lane"


def back_address(directory: str) -> str:
    """Where a worker pushes its reports."""
    return f"ipc://{directory}/back"


def encode(message: Order | Report, secret: bytes) -> bytes:
    """Turn a message into a frame."""
    return secret + pickle.dumps(message, protocol=5)


def decode(frame: bytes, secret: bytes) -> Any:
    """Turn a frame back into its message; ``None`` for one that is not of this pool."""
    if not compare_digest(frame[:SECRET_BYTES], secret):
        return None
    return pickle.loads(memoryview(frame)[SECRET_BYTES:])
