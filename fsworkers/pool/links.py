"""The master's sockets: one lane to each worker, one back channel from all of them.

The master only connects. A process that is out of descriptors when someone connects to it is
aborted by libzmq, and this one is the caller's; a ``connect`` is merely tried again.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from typing import Any

import zmq

from fsworkers.errors import PoolDoesNotFit
from fsworkers.pool import wire

CONTEXT_DESCRIPTORS = 12
"""For the context, its threads, the back channel. The first socket of a context needs 6 and
aborts the process with 2 to 4 (measured, libzmq 4.3.5), so they are counted before."""

LANE_DESCRIPTORS = 4
"""For a lane's socket and connection, the back channel's connection, the lifeline."""

START_DESCRIPTORS = LANE_DESCRIPTORS + 2
"""Starting a process takes the other end of its lifeline as well, for a moment."""

RECONNECT_MS = 5
"""A worker binds some 60 ms after its start: the connection is there as soon as it does."""


class Links:
    """The private directory, and the sockets in it.

    Raises:
        PoolDoesNotFit: There is no room for a ZeroMQ context.
    """

    def __init__(self) -> None:
        if not has_free_descriptors(CONTEXT_DESCRIPTORS):
            raise PoolDoesNotFit("a pool", CONTEXT_DESCRIPTORS, count_free(CONTEXT_DESCRIPTORS))
        # mkdtemp makes it 0700. An ipc address holds 107 bytes, whatever TMPDIR is set to.
        parent = tempfile.gettempdir()
        self.directory = tempfile.mkdtemp(
            prefix="fsw-",
            dir=parent if len(os.fsencode(parent)) < 70 else "/tmp",  # noqa: S108
        )
        self._context = zmq.Context()
        self._lanes: dict[int, zmq.Socket[bytes]] = {}
        self._known_runs: dict[int, set[int]] = {}
        self.back = self._make_socket(zmq.PULL)

    def _make_socket(self, kind: int) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.linger = 0
        socket.set_hwm(0)  # credit bounds what is under way, not the number of messages
        socket.reconnect_ivl = RECONNECT_MS
        return socket

    def connect(self, worker: int) -> None:
        """Open the lane to a worker that may not have bound yet.

        Raises:
            OSError: No descriptor is free for it (``zmq.ZMQError`` with EMFILE).
        """
        lane = self._make_socket(zmq.PUSH)
        lane.connect(wire.lane_address(self.directory, worker))
        self.back.connect(wire.back_address(self.directory, worker))
        self._lanes[worker] = lane
        self._known_runs[worker] = set()

    def send_block(self, worker: int, task: wire.Task, block: wire.Block) -> None:
        """Send a block, and before a run's first one its task."""
        known = self._known_runs[worker]
        if task.run not in known:
            self.send(worker, task)
            known.add(task.run)
        self.send(worker, block)

    def send(self, worker: int, order: wire.Order) -> None:
        """Send an order down a lane."""
        self._lanes[worker].send(wire.encode(order), zmq.NOBLOCK)

    def forget(self, run: int) -> None:
        """Tell the workers that know the run that it is over."""
        for worker, known in self._known_runs.items():
            if run in known:
                known.discard(run)
                self.send(worker, wire.Forget(run))

    def receive(self) -> Any | None:
        """The next report, ``None`` if there is none now."""
        try:
            return wire.decode(self.back.recv(zmq.NOBLOCK))
        except zmq.Again:
            return None

    def close_lane(self, worker: int) -> None:
        """Close the lane of a worker that has ended. Its reports can still be received."""
        lane = self._lanes.pop(worker, None)
        self._known_runs.pop(worker, None)
        if lane is not None:
            lane.close(linger=0)

    def disconnect(self, worker: int) -> None:
        """Stop listening to a worker that ended a while ago, and remove its socket files."""
        self.back.disconnect(wire.back_address(self.directory, worker))
        for address in (
            wire.lane_address(self.directory, worker), wire.back_address(self.directory, worker),
        ):  # fmt: skip
            with suppress(FileNotFoundError):  # it ended before it had bound
                os.unlink(address.removeprefix("ipc://"))

    def close(self) -> None:
        """Close everything and remove the directory."""
        for lane in self._lanes.values():
            lane.close(linger=0)
        self.back.close(linger=0)
        self._context.term()
        shutil.rmtree(self.directory, ignore_errors=True)


def has_free_descriptors(count: int) -> bool:
    """Whether ``count`` descriptors can be had right now."""
    return count_free(count) == count


def count_free(most: int) -> int:
    """How many descriptors can be had right now, counted up to ``most``."""
    taken: list[int] = []
    try:
        while len(taken) < most:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return len(taken)
    finally:
        for descriptor in taken:
            os.close(descriptor)
    return most
