"""The messages between master and worker: a pickled header, and frames that are passed on as is.

Down a lane go ``Hello``, ``Task``, ``Forget``, ``Work`` (with a block's items as a frame),
``GiveBack`` and ``Stop``, up the back channel ``Ready``, ``Answer`` (with columns as frames),
``GivenBack``, ``Heartbeat`` and ``TaskBroken``. All of them stay between the processes of one pool:
the sockets lie in a directory that no other user can enter, and each message begins with the pool's
secret, without which nothing is unpickled. The master copies and decodes headers alone.
"""

from __future__ import annotations

import pickle
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import zmq

from fsworkers.pool.failures import Failure  # noqa: TC001  (named tuples keep their annotations)

if TYPE_CHECKING:
    from collections.abc import Sequence


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


NO_DESCRIPTORS = Descriptors(0, 0, 0, 0, 0, 0, 0.0, 0)
"""Of a worker that has not counted any yet."""


class Hello(NamedTuple):
    """The first order down a lane: the master has connected."""


class Task(NamedTuple):
    """A call's task function: pickled, and how to run it.

    Attributes:
        call: The call it belongs to.
        function: The function, its retry rule and the encoder of its columns, pickled together.
        is_coroutine: Whether it runs in the event loop.
        slots: Items in progress at one time.
        wants_size: Whether answers tell the size of the file that the item names.
        wants_install: Whether ``open`` and the like are to wait for descriptors in this worker.
        wants_exceptions: Whether failures bring the pickled exception along.
        is_ordered: Whether each failure is answered for by itself, so that spans keep an order.
        timeout_s: After how long a coroutine is cancelled; ``None`` for never.
        authkey: The key of the master's ``multiprocessing``, for items and function; or empty.
        keeps_time: Whether the function ends its attempt itself after that time: it says so by an
            attribute of this name, and gets the time through ``with_settings``.
    """

    call: int
    function: bytes
    is_coroutine: bool
    slots: int
    wants_size: bool = False
    wants_install: bool = False
    wants_exceptions: bool = False
    is_ordered: bool = False
    timeout_s: float | None = None
    authkey: bytes = b""
    keeps_time: bool = False


class Forget(NamedTuple):
    """The call is over; its task function will not be needed again."""

    call: int


class Work(NamedTuple):
    """A block. Its items follow as a frame.

    Attributes:
        call: Whose items they are.
        number: Of the block, within its lane.
        first: Index of the first item in the call.
        attempts: Which attempt it is.
        kind: How the frame that follows holds the items (see ``pool.payload``).
    """

    call: int
    number: int
    first: int
    attempts: int
    kind: str


class GiveBack(NamedTuple):
    """Give back up to ``most`` items that have not been begun, the last ones first."""

    most: int


class Stop(NamedTuple):
    """Finish what runs, report it, and end."""


class Ready(NamedTuple):
    """The worker can run items."""

    worker: int


class Failed(NamedTuple):
    """An item that failed.

    Attributes:
        position: Index of the item in its call.
        failure: Why.
        duration_s: How long the attempt took.
        size: Bytes of the file, where they were asked for.
        mtime_ns: Its modification time before the attempt.
    """

    position: int
    failure: Failure
    duration_s: float
    size: int | None = None
    mtime_ns: int | None = None


class Answer(NamedTuple):
    """What became of a span of a block; columns of what was done in it follow as frames.

    Attributes:
        worker: Who answers.
        number: Of the block, within the lane.
        start: Index of the first item.
        stop: Index behind the last one.
        size_bytes: Bytes of the files that were done.
        busy_s: How long the items took, all together.
        failures: Those that failed.
        descriptors: The worker's figures.
        rss_bytes: Its memory, where that is wanted.
    """

    worker: int
    number: int
    start: int
    stop: int
    size_bytes: int
    busy_s: float
    failures: Sequence[Failed]
    descriptors: Descriptors
    rss_bytes: int = 0


class GivenBack(NamedTuple):
    """Items given back, perhaps none: number of the block, first index, the one behind the last."""

    worker: int
    spans: list[tuple[int, int, int]]


class Heartbeat(NamedTuple):
    """What each busy slot runs: number of the block, index, and for how many seconds."""

    worker: int
    running: list[tuple[int, int, float]]
    descriptors: Descriptors
    rss_bytes: int = 0


class TaskBroken(NamedTuple):
    """The task function can't be had in the worker: none of the call's items can be executed."""

    worker: int
    call: int
    error: str
    traceback: str


Order: TypeAlias = Hello | Task | Forget | Work | GiveBack | Stop
Report: TypeAlias = Ready | Answer | GivenBack | Heartbeat | TaskBroken


class Config(NamedTuple):
    """What a worker is told at its start, before any message.

    Attributes:
        worker: Its number.
        directory: Where it binds its two sockets; its own, removed once both are connected.
        secret: What each message begins with.
        sys_path: The master's import path, so that the same modules are found.
        max_open_files: Descriptors it may lend to file operations; ``None`` for what is free.
        flush_s: Longest time a finished result waits before it is sent.
        heartbeat_s: Time between heartbeats.
        page_line: Which line of the progress page is its own: there are no more than workers live.
        wants_memory: Whether reports are to tell how much memory the worker has.
        wants_install: Whether the initializer's file operations are to wait for descriptors.
        initializer: What is called before the first job, pickled with its arguments; or empty.
        authkey: The key of the master's ``multiprocessing``; or empty.
        nice: How much it lowers its priority.
        pythonpath: The caller's ``PYTHONPATH``, for what tasks start; ``None`` where it has none.
    """

    worker: int
    directory: str
    secret: bytes
    sys_path: list[str]
    max_open_files: int | None
    flush_s: float
    heartbeat_s: float
    page_line: int
    wants_memory: bool = False
    wants_install: bool = True
    initializer: bytes = b""
    authkey: bytes = b""
    nice: int = 0
    pythonpath: str | None = None


SECRET_BYTES = 16


def lane_address(directory: str) -> str:
    """Where a worker pulls its orders."""
    return f"ipc://{directory}/lane"


def back_address(directory: str) -> str:
    """Where a worker pushes its reports."""
    return f"ipc://{directory}/back"


INLINE_BYTES = 1 << 14
"""Frames up to here go within the header: a message in one part takes half the time."""


def encode(message: Order | Report, secret: bytes, frames: Sequence[bytes] = ()) -> list[bytes]:
    """Turn a message and the frames that follow it into the parts that are sent."""
    if sum(map(len, frames)) <= INLINE_BYTES:
        return [secret + pickle.dumps((message, frames), protocol=5)]
    return [secret + pickle.dumps((message, None), protocol=5), *frames]


def decode(parts: Sequence[bytes], secret: bytes) -> tuple[Any, Sequence[bytes]] | None:
    """Turn parts back into the message and its frames; ``None`` for what is not of this pool."""
    if not compare_digest(parts[0][:SECRET_BYTES], secret):
        return None
    message, frames = pickle.loads(memoryview(parts[0])[SECRET_BYTES:])
    return message, parts[1:] if frames is None else frames


def send(socket: zmq.Socket[bytes], parts: Sequence[bytes]) -> None:
    """Send a message: never waits, as nothing but credit bounds what is under way."""
    for part in parts[:-1]:
        socket.send(part, zmq.SNDMORE | zmq.NOBLOCK)
    socket.send(parts[-1], zmq.NOBLOCK)
