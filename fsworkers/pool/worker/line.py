"""A worker's line to its master: both sockets, and whoever has time serves them.

The idle main thread waits on the lane itself, runs the block that comes and answers, without a hop
to another thread. While it runs short items it looks around between two of them, every few
milliseconds. A second thread looks in only while one item keeps the main thread for longer: it
sends heartbeats and partial answers, and gives back what is recalled. A lock says whose turn it is:
sockets may go from thread to thread, but not be used by two at once.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, NoReturn

import zmq

from fsworkers.pool import wire
from fsworkers.pool.failures import Failure
from fsworkers.pool.payload import PACKED_LIST, unpack_items
from fsworkers.pool.run_block import LARGE_BYTES, BlockRun
from fsworkers.pool.task_function import TaskFunction, load_task
from fsworkers.pool.worker.lifeline import leave

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fsworkers.pool.progress import ProgressLine
    from fsworkers.pool.run_block import Span
    from fsworkers.pool.worker.lifeline import Lifeline
    from fsworkers.pool.worker.memory import Memory

LOOK_S = 0.005
"""How often the main thread looks around between two items."""

SHORT_S, FRESH_S = 0.001, 0.02
"""After so short a work the descriptor figures of so long ago will do."""


class Line:
    """The worker's end of the lane and of the back channel.

    Args:
        config: What the master told this worker.
        lifeline: Tells when the master is gone.
        progress: Where is noted what is begun.
        descriptors: Gives the worker's descriptor figures.
        memory: Tells how much memory it has, if the master wants to know.

    Attributes:
        pending: Blocks that have come and are not being run.
        current: Blocks that are being run.
        is_closed: No block will come any more.
        flushed_at: When answers were sent last.
        when_busy: Called by whoever takes blocks off the lane while the main thread is at work.
    """

    def __init__(
        self,
        config: wire.Config,
        lifeline: Lifeline,
        progress: ProgressLine,
        descriptors: Callable[[], wire.Descriptors],
        memory: Memory | None = None,
    ) -> None:
        self.pending: deque[BlockRun] = deque()
        self.current: list[BlockRun] = []
        self.is_closed = False
        self.progress = progress
        self.when_busy: Callable[[], None] | None = None
        self.flush_others: Callable[[], Iterable[tuple[int, Span]]] | None = None
        self.running_others: Callable[[float], list[tuple[int, int, float]]] | None = None
        self._config = config
        self._lifeline = lifeline
        self._descriptors = descriptors
        self._memory = memory
        self._tasks: dict[int, TaskFunction] = {}
        self._turn = threading.Lock()
        self._wake = threading.Event()
        self._is_dozing = False
        self._is_busy = False
        self._looked_at = self.flushed_at = self._beat_at = perf_counter()
        self._counted, self._counted_at = wire.NO_DESCRIPTORS, 0.0
        if not lifeline.may_go_on():
            self._leave()
        self._context = zmq.Context()
        self.lane = self._bind(zmq.PULL, wire.lane_address(config.directory))
        self._back = self._bind(zmq.PUSH, wire.back_address(config.directory))

    def _bind(self, kind: int, address: str) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.linger = -1
        socket.set_hwm(0)  # lanes are bounded by credit, not by messages
        socket.bind(address)
        return socket

    def meet(self) -> None:
        """Wait until the master has connected both sockets; or leave, when it is gone before.

        After that nothing of theirs is needed on disk. The lifeline is armed only then, because
        a worker that is killed can't remove its directory.
        """
        for socket, readiness in ((self.lane, zmq.POLLIN), (self._back, zmq.POLLOUT)):
            poller = zmq.Poller()
            poller.register(self._lifeline.fileno(), zmq.POLLIN)
            poller.register(socket, readiness)
            if self._lifeline.fileno() in dict(poller.poll()):
                self._leave()
        self._remove_directory()
        self._lifeline.arm()
        if self._lifeline.has_ended():
            leave()

    def report_ready(self) -> None:
        """Ask for blocks."""
        self._report(wire.Ready(self._config.worker))
        threading.Thread(target=self._look_in, name="fsworkers-line", daemon=True).start()

    def _leave(self) -> NoReturn:
        """Leave before the two have met, and nothing behind."""
        self._remove_directory()
        leave()

    def _remove_directory(self) -> None:
        """Remove what was bound; by hand, as loading ``shutil`` takes 2 ms of each start."""
        directory = self._config.directory
        with suppress(OSError):
            for address in (wire.lane_address(directory), wire.back_address(directory)):
                with suppress(FileNotFoundError):
                    os.unlink(address.removeprefix("ipc://"))
            os.rmdir(directory)

    # The main thread's side

    def next_block(self) -> BlockRun | None:
        """The next block, waiting for one; ``None`` when none will come any more."""
        while not self.pending:
            if self.is_closed:
                return None
            self._is_busy = False
            with self._turn:
                if not self.pending and not self.is_closed:
                    self._obey(self.lane.recv_multipart())
        self._begin_work()
        return self.pending.popleft()

    def _begin_work(self) -> None:
        self._looked_at = perf_counter()
        self._is_busy = True
        if self._is_dozing:
            self._is_dozing = False
            self._wake.set()

    def run(self, block: BlockRun) -> None:
        """Run a block's items one after another, and answer for them."""
        self.current.append(block)
        block.run(self.progress.of_block(block.number), self._look_around)
        with self._turn:
            self._answer(block)
            self.current.remove(block)

    def _look_around(self, now: float) -> None:
        """Between two items: see to what is due."""
        if now - self._looked_at < LOOK_S and self.current[0].kept_bytes < LARGE_BYTES:
            return
        with self._turn:
            self.pull()
            self.see_to_it(now)
        for block in self.current:
            block.restart_clock()

    def finish(self) -> None:
        """Send what is left, and end."""
        with self._turn:
            self.lane.close()
            self._back.close()
            self._context.term()

    # The second thread's side

    def _look_in(self) -> None:
        """Serve the line while one item keeps the main thread."""
        pause_s = min(self._config.flush_s, self._config.heartbeat_s)
        while not self.is_closed or self._is_busy:
            if not self._is_busy:
                self._is_dozing = True
                if not self._is_busy:
                    self._wake.wait()
                self._wake.clear()
                self._is_dozing = False
            self._wake.wait(pause_s)
            now = perf_counter()
            if self._is_busy and now - self._looked_at >= pause_s / 2:
                with self._turn:
                    if self._is_busy and not self.lane.closed:
                        self.pull()
                        self.see_to_it(now)

    # With the turn

    def pull(self) -> None:
        """Take everything that has come off the lane."""
        while True:
            try:
                parts = self.lane.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._obey(parts)

    def see_to_it(self, now: float) -> None:
        """Send the partial answers and the heartbeat that are due."""
        self._looked_at = now
        is_large = any(block.kept_bytes >= LARGE_BYTES for block in self.current)
        if is_large or now - self.flushed_at >= self._config.flush_s:
            for block in self.current:
                self._answer(block)
            self.flush(now)
        if now - self._beat_at >= self._config.heartbeat_s:
            self._beat(now)

    def flush(self, now: float) -> None:
        """Answer for what was finished side by side."""
        self.flushed_at = now
        if self.flush_others is not None:
            for number, span in self.flush_others():
                self._send(number, span)

    def turn(self) -> threading.Lock:
        """Held by whoever uses the sockets."""
        return self._turn

    def _answer(self, block: BlockRun) -> None:
        self.flushed_at = perf_counter()
        for span in block.take():
            self._send(block.number, span)

    def _send(self, number: int, span: Span) -> None:
        answer = wire.Answer(
            self._config.worker, number, span.start, span.stop, span.size_bytes, span.busy_s,
            span.failures, self._figures(span), self._rss_bytes(),
        )  # fmt: skip
        self._beat_at = self.flushed_at
        self._report(answer, span.frames)

    def _figures(self, span: Span) -> wire.Descriptors:
        """The descriptor figures; of just now, unless next to nothing has happened since."""
        if span.failures or span.busy_s > SHORT_S or self.flushed_at - self._counted_at > FRESH_S:
            self._counted, self._counted_at = self._descriptors(), self.flushed_at
        return self._counted

    def _beat(self, now: float) -> None:
        self._beat_at = now
        running = [one for block in self.current if (one := block.running(now)) is not None]
        if self.running_others is not None:
            running += self.running_others(now)
        self._report(
            wire.Heartbeat(self._config.worker, running, self._descriptors(), self._rss_bytes())
        )

    def _report(self, report: wire.Report, frames: Sequence[bytes] = ()) -> None:
        wire.send(self._back, wire.encode(report, self._config.secret, frames))

    def _rss_bytes(self) -> int:
        return 0 if self._memory is None else self._memory.rss_bytes()

    def _obey(self, parts: list[bytes]) -> None:
        received = wire.decode(parts, self._config.secret)
        if received is None:
            print("fsworkers: dropped an order that is not the master's", file=sys.stderr)  # noqa: T201
            return
        order, frames = received
        if isinstance(order, wire.Work):
            self._take_work(order, frames[0])
        elif isinstance(order, wire.Task):
            self._load(order)
        elif isinstance(order, wire.Forget):
            self._tasks.pop(order.call, None)
        elif isinstance(order, wire.GiveBack):
            self._give_back(order.most)
        elif isinstance(order, wire.Stop):
            self.is_closed = True
        if self.when_busy is not None:
            self.when_busy()

    def _take_work(self, order: wire.Work, frame: bytes) -> None:
        items = unpack_items(order.kind, frame)
        task = self._tasks.get(order.call)
        if task is None:
            unloaded = Failure("its task can't be loaded in the worker")
            failures = [wire.Failed(order.first + at, unloaded, 0.0) for at in range(len(items))]
            self._report(
                wire.Answer(
                    self._config.worker,
                    order.number,
                    order.first,
                    order.first + len(items),
                    0,
                    0.0,
                    failures,
                    self._descriptors(),
                )
            )
            return
        self.pending.append(
            BlockRun(
                task,
                order.number,
                order.first,
                items,
                is_packed=order.kind == PACKED_LIST,
                attempts=order.attempts,
                worker=self._config.worker,
                seat=self._config.page_line,
            )
        )

    def _give_back(self, most: int) -> None:
        spans: list[tuple[int, int, int]] = []
        for block in [*reversed(self.pending), *reversed(self.current)]:
            if most > 0 and (span := block.give_back(most)) is not None:
                spans.append(span)
                most -= span[2] - span[1]
        self._report(wire.GivenBack(self._config.worker, spans[::-1]))

    def _load(self, order: wire.Task) -> None:
        import traceback  # noqa: PLC0415  (only when a task is loaded, once a call)

        try:
            self._tasks[order.call] = load_task(order)
        except BaseException as error:  # noqa: BLE001  (a module may raise anything, SystemExit too)
            text = f"{type(error).__name__}: {error}"
            trace = "".join(traceback.format_exception(error))
            self._report(wire.TaskBroken(self._config.worker, order.call, text, trace))
