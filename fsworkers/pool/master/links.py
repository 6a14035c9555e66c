"""The master's sockets: one lane to each worker, one back channel from all of them.

The master only connects. A process that is out of descriptors when someone connects to it is
aborted by libzmq, and this one is the caller's; a ``connect`` is merely tried again.

The two meet in a private directory that each worker has for itself. It is there only until both
sockets are connected: after that there is nothing left that anybody could connect to, or that a
killed master could leave behind.
"""

from __future__ import annotations

import logging
import os
import resource
import select
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import zmq

from fsworkers.errors import PoolDoesNotFit
from fsworkers.pool import wire
from fsworkers.pool.master.socket_directory import SocketDirectory
from fsworkers.pool.payload import pack_items

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsworkers.pool.blocks import Block

LOGGER = logging.getLogger("fsworkers")

CONTEXT_DESCRIPTORS = 12
"""For the context, its threads, the back channel. The first socket of a context needs 6 and
aborts the process with 2 to 4 (measured, libzmq 4.3.5), so they are counted before."""

LANE_DESCRIPTORS = 4
"""For a lane's socket and connection, the back channel's connection, the lifeline."""

START_DESCRIPTORS = LANE_DESCRIPTORS + 2
"""For a moment the other end of the lifeline as well, or the directory of the sockets."""

RECONNECT_MS = 5
"""A worker binds some 60 ms after its start: the connection is there as soon as it does."""


NUMBERS_AT_ONCE = 256
"""How many descriptor numbers are looked at in one call."""


class Links:
    """The master's end of everything that connects it to its workers.

    Raises:
        PoolDoesNotFit: There is no room for a ZeroMQ context.
    """

    def __init__(self) -> None:
        if not has_free_descriptors(CONTEXT_DESCRIPTORS):
            raise PoolDoesNotFit("a pool", CONTEXT_DESCRIPTORS, count_free(CONTEXT_DESCRIPTORS))
        self.secret = os.urandom(wire.SECRET_BYTES)
        self._context = zmq.Context()
        self._directories: dict[int, SocketDirectory] = {}
        self._lanes: dict[int, zmq.Socket[bytes]] = {}
        self._known_calls: dict[int, set[int]] = {}
        self.back = self._make_socket(zmq.PULL)

    def _make_socket(self, kind: int) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.linger = 0
        socket.set_hwm(0)  # credit bounds what is under way, not the number of messages
        socket.reconnect_ivl = RECONNECT_MS
        return socket

    def socket_directory(self, worker: int) -> str:
        """Name the directory in which a worker is to bind its sockets.

        It is made only when the worker, which may outlive us, knows of it.

        Raises:
            OSError: There is no temporary directory.
        """
        directory = self._directories[worker] = SocketDirectory()
        return directory.path

    def make_socket_directory(self, worker: int) -> None:
        """Make that directory.

        Raises:
            DirectoryNotPrivate: Others could enter what was made.
            OSError: It can't be made.
        """
        self._directories[worker].make()

    def connect(self, worker: int) -> None:
        """Open the lane to a worker that may not have bound yet.

        Raises:
            OSError: No descriptor is free for it (``zmq.ZMQError`` with EMFILE).
        """
        directory = self._directories[worker].path
        lane = self._make_socket(zmq.PUSH)
        lane.connect(wire.lane_address(directory))
        self.back.connect(wire.back_address(directory))
        self._lanes[worker] = lane
        self._known_calls[worker] = set()
        self.send(worker, wire.Hello())

    def send_block(self, worker: int, task: wire.Task, number: int, block: Block) -> None:
        """Send a block under its number, and before a call's first one its task."""
        known = self._known_calls[worker]
        if task.call not in known:
            self.send(worker, task)
            known.add(task.call)
        packed = block.packed or pack_items(block.items, sys.maxsize)
        work = wire.Work(block.call, number, block.first, block.history.attempt, packed.kind)
        wire.send(self._lanes[worker], wire.encode(work, self.secret, [packed.frame]))

    def send(self, worker: int, order: wire.Order) -> None:
        """Send an order down a lane."""
        wire.send(self._lanes[worker], wire.encode(order, self.secret))

    def forget(self, call: int) -> None:
        """Tell the workers that know the call that it is over."""
        for worker, known in self._known_calls.items():
            if call in known:
                known.discard(call)
                self.send(worker, wire.Forget(call))

    def receive(self) -> tuple[Any, Sequence[bytes]] | None:
        """The next report and the frames that follow it, ``None`` if there is none now."""
        while True:
            try:
                parts = self.back.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return None
            received = wire.decode(parts, self.secret)
            if received is not None:
                return received
            LOGGER.warning("dropped a message that is not from a worker of this pool")

    def remove_socket_directory(self, worker: int) -> None:
        """Remove it, if the worker has not done so: before it is killed, as we may be next."""
        self._directories[worker].remove()

    def close_lane(self, worker: int) -> None:
        """Close the lane of a worker that has ended. Its reports can still be received."""
        lane = self._lanes.pop(worker, None)
        self._known_calls.pop(worker, None)
        if lane is not None:
            lane.close(linger=0)

    def disconnect(self, worker: int) -> None:
        """Stop listening to a worker that ended a while ago, or has never been connected."""
        if worker not in self._directories:
            return
        self.remove_socket_directory(worker)  # there only if it ended before it was ready
        with suppress(zmq.ZMQError):  # it had not come so far
            self.back.disconnect(wire.back_address(self._directories.pop(worker).path))

    def close(self) -> None:
        """Close everything."""
        for lane in self._lanes.values():
            lane.close(linger=0)
        self.back.close(linger=0)
        self._context.term()
        for worker in self._directories:
            self.remove_socket_directory(worker)


def has_free_descriptors(count: int) -> bool:
    """Whether ``count`` descriptors can be had right now."""
    return count_free(count) == count


def count_free(most: int) -> int:
    """How many descriptors can be had right now, counted up to ``most``.

    By looking which numbers below the limit are in use; none is opened, not even for a moment, so
    that no other thread of the caller is refused one meanwhile.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return most
    free = 0
    for first in range(0, limit, NUMBERS_AT_ONCE):
        poll = select.poll()
        for number in range(first, min(first + NUMBERS_AT_ONCE, limit)):
            poll.register(number, 0)
        free += sum(1 for _, event in poll.poll(0) if event & select.POLLNVAL)
        if free >= most:
            return most
    return free
