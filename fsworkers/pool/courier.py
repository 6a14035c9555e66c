"""A worker's courier: the thread that owns both sockets and carries messages in and out.

It pulls blocks into the backlog, gives jobs back when they are recalled, flushes finished reports
at least every ``flush_s``, sends heartbeats, and ends the process as soon as its master is gone.
The slots never wait for it: they append to a list, and it comes by.
"""

from __future__ import annotations

import shutil
import sys
import threading
from itertools import repeat
from math import ceil
from time import perf_counter
from typing import TYPE_CHECKING, NoReturn

import zmq

from fsworkers.pool import wire
from fsworkers.pool.actions import Failure
from fsworkers.pool.backlog import Backlog
from fsworkers.pool.functions import TaskFunction, load_task
from fsworkers.pool.lifeline import leave
from fsworkers.pool.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.pool.lifeline import Lifeline
    from fsworkers.pool.memory import Memory


class Courier(threading.Thread):
    """Carries orders to the backlog and reports to the master.

    Args:
        config: What the master told this worker.
        lifeline: Tells when the master is gone.
        descriptors: Gives the worker's descriptor figures.
        memory: Tells how much memory it has, if the master wants to know.
    """

    def __init__(
        self,
        config: wire.Config,
        lifeline: Lifeline,
        descriptors: Callable[[], wire.Descriptors],
        memory: Memory | None = None,
    ) -> None:
        super().__init__(name="fsworkers-courier", daemon=True)
        self._config = config
        self._lifeline = lifeline
        self._descriptors = descriptors
        self._memory = memory
        self._wakeup = Wakeup()
        self.backlog = Backlog(self._wakeup.set)
        self._tasks: dict[int, TaskFunction] = {}
        self._is_stopping = False
        self._slots_ended = False
        if not lifeline.may_go_on():
            self._leave()
        self._context = zmq.Context()
        self._lane = self._bind(zmq.PULL, wire.lane_address(config.directory))
        self._back = self._bind(zmq.PUSH, wire.back_address(config.directory))

    def _bind(self, kind: int, address: str) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.linger = -1
        socket.set_hwm(0)  # lanes are bounded by credit, not by messages
        socket.bind(address)
        return socket

    def finish(self) -> None:
        """Called when the slots have ended: send what is left, and end."""
        self._slots_ended = True
        self._wakeup.set()
        self.join()

    def run(self) -> None:
        """Carry until the slots have ended and everything they reported is sent."""
        self._meet()
        self._report(wire.Ready(self._config.worker))
        poller = zmq.Poller()
        poller.register(self._lane, zmq.POLLIN)
        poller.register(self._lifeline.fileno(), zmq.POLLIN)
        poller.register(self._wakeup.fileno(), zmq.POLLIN)
        next_heartbeat = perf_counter() + self._config.heartbeat_s
        while not (self._slots_ended and not self.backlog.finished):
            ready = dict(poller.poll(self._poll_ms(next_heartbeat)))
            if self._lifeline.fileno() in ready:
                leave()
            if self._wakeup.fileno() in ready:
                self._wakeup.clear()
            if self._lane in ready:
                self._pull()
            self._flush()
            if perf_counter() >= next_heartbeat:
                self._send_heartbeat()
                next_heartbeat = perf_counter() + self._config.heartbeat_s
        self._lane.close()
        self._back.close()
        self._context.term()

    def _meet(self) -> None:
        """Wait until the master has connected both sockets; or leave, when it is gone before.

        After that nothing of theirs is needed on disk. The lifeline is armed only then, because
        a worker that is killed can't remove its directory.
        """
        for socket, readiness in ((self._lane, zmq.POLLIN), (self._back, zmq.POLLOUT)):
            self._wait_or_leave(socket, readiness)
        shutil.rmtree(self._config.directory, ignore_errors=True)
        self._lifeline.arm()
        if self._lifeline.has_ended():
            leave()

    def _report(self, report: wire.Report) -> None:
        """Send a report. There is no high-water mark: it is refused only with nobody connected."""
        frame = wire.encode(report, self._config.secret)
        while True:
            try:
                self._back.send(frame, zmq.NOBLOCK)
            except zmq.Again:
                self._wait_or_leave(self._back, zmq.POLLOUT)
            else:
                return

    def _wait_or_leave(self, socket: zmq.Socket[bytes], readiness: int) -> None:
        """Wait for the master's end of a socket; leave when the master is gone."""
        poller = zmq.Poller()
        poller.register(self._lifeline.fileno(), zmq.POLLIN)
        poller.register(socket, readiness)
        if self._lifeline.fileno() in dict(poller.poll()):
            self._leave()

    def _leave(self) -> NoReturn:
        """Leave before the two have met, and nothing behind."""
        shutil.rmtree(self._config.directory, ignore_errors=True)
        leave()

    def _poll_ms(self, next_heartbeat: float) -> int:
        """Until the next heartbeat; no longer than the flush time while slots are at work."""
        until_heartbeat_s = next_heartbeat - perf_counter()
        is_idle = self.backlog.is_empty and not self.backlog.running
        wait_s = until_heartbeat_s if is_idle else min(until_heartbeat_s, self._config.flush_s)
        return max(0, ceil(1000 * wait_s))

    def _pull(self) -> None:
        while True:
            try:
                frame = self._lane.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            order = wire.decode(frame, self._config.secret)
            if order is None:
                print("fsworkers: dropped an order that is not the master's", file=sys.stderr)  # noqa: T201
            else:
                self._obey(order)

    def _obey(self, order: wire.Order) -> None:
        if isinstance(order, wire.Block):
            task = self._tasks.get(order.run)
            if task is not None:
                self.backlog.put_block(zip(order.job_ids, order.items, repeat(task)))
            else:
                unloaded = Failure("its task can't be loaded in the worker")
                self.backlog.finished.extend(
                    (job_id, None, unloaded, None, 0.0, None) for job_id in order.job_ids
                )
        elif isinstance(order, wire.Task):
            self._load(order)
        elif isinstance(order, wire.Forget):
            self._tasks.pop(order.run, None)
        elif isinstance(order, wire.GiveBack):
            given_back = self.backlog.give_back(order.most)
            self._report(wire.GivenBack(self._config.worker, given_back))
        elif isinstance(order, wire.Stop):
            self.backlog.close()

    def _load(self, order: wire.Task) -> None:
        import traceback  # noqa: PLC0415  (only when a task is loaded, once a run)

        try:
            self._tasks[order.run] = load_task(order)
        except BaseException as error:  # noqa: BLE001  (a module may raise anything, SystemExit too)
            text = f"{type(error).__name__}: {error}"
            broken = wire.TaskBroken(
                self._config.worker, order.run, text, "".join(traceback.format_exception(error))
            )
            self._report(broken)

    def _flush(self) -> None:
        worker = self._config.worker
        for rows in wire.messages_of(self.backlog.take_finished()):
            self._report(wire.Results(worker, rows, self._descriptors(), self._rss_bytes()))

    def _send_heartbeat(self) -> None:
        now = perf_counter()
        running = [(job, now - since) for job, since in list(self.backlog.running.values())]
        worker = self._config.worker
        self._report(wire.Heartbeat(worker, running, self._descriptors(), self._rss_bytes()))

    def _rss_bytes(self) -> int:
        return 0 if self._memory is None else self._memory.rss_bytes()
