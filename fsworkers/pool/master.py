"""The master's thread: the shell around the dispatcher. Owns sockets, processes and the clock.

One loop: wait until something happens, turn it into events, carry out the actions. Nothing here
decides anything; what goes where is ``pool.dispatcher``'s, what a run does with its outcomes is
``pool.map_run``'s and ``pool.call_run``'s.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import threading
from collections import deque
from math import ceil
from time import monotonic
from typing import TYPE_CHECKING

import zmq

from fsworkers.errors import FsworkersError, PoolClosed, TaskLoadError, WorkerStartError
from fsworkers.pool import actions, wire
from fsworkers.pool.dispatcher import Dispatcher, Rules
from fsworkers.pool.figures import Figures, PoolStatistics
from fsworkers.pool.links import START_DESCRIPTORS, Links, has_free_descriptors
from fsworkers.pool.retry import delay_s
from fsworkers.pool.supervision import WorkerProcess
from fsworkers.pool.wakeup import Wakeup

if TYPE_CHECKING:
    from fsworkers.pool.runs import Run
    from fsworkers.pool.settings import PoolSettings

LOGGER = logging.getLogger("fsworkers")

FLUSH_S = 0.05
HEARTBEAT_S = 0.5
RETRY_START_S = 0.05
LATE_RESULTS_S = 0.5
"""How long results of an ended worker are still awaited: they lie in the kernel already."""

OUTPUT_KEPT_BYTES = 16_384


class Master(threading.Thread):
    """Runs a pool until it is told to stop and all its runs are over.

    Args:
        settings: The pool's settings.
        worker_count: How many workers to keep.

    Raises:
        PoolDoesNotFit: There is no room for the sockets.
    """

    def __init__(self, settings: PoolSettings, worker_count: int) -> None:
        super().__init__(name="fsworkers-master", daemon=True)
        self.worker_count = worker_count
        self._pid = os.getpid()
        self._settings = settings
        rules = Rules(
            workers=worker_count,
            retries=settings.retries,
            timeout_s=settings.timeout,
            ready_s=settings.ready_s,
            grace_s=settings.grace,
        )
        self._dispatcher = Dispatcher(rules, delay_s)
        self._heartbeat_s = HEARTBEAT_S
        if settings.timeout is not None:
            self._heartbeat_s = min(HEARTBEAT_S, max(0.01, settings.timeout / 8))
        self._links = Links()
        self._wakeup = Wakeup()
        self._output_read, self._output_write = os.pipe()
        os.set_blocking(self._output_read, False)
        self._output = b""
        self._requests: deque[tuple[str, Run | None]] = deque()
        self._request_lock = threading.RLock()  # a signal handler may cancel in the midst of it
        self._is_over = False
        self._runs: dict[int, Run] = {}
        self._workers: dict[int, WorkerProcess] = {}
        self._unstarted: list[tuple[float, int]] = []
        self._ended: list[tuple[float, int]] = []
        self._is_stopping = False
        self._is_killing = False
        self._is_told_to_stop: set[int] = set()
        self._figures = Figures()
        self.broken: FsworkersError | None = None
        self._poller = zmq.Poller()
        self._poller.register(self._links.back, zmq.POLLIN)
        self._poller.register(self._wakeup.fileno(), zmq.POLLIN)
        self._poller.register(self._output_read, zmq.POLLIN)

    # From other threads

    def wake(self) -> None:
        """Make the loop look around."""
        self._wakeup.set()

    def begin(self, run: Run) -> None:
        """Take a run on."""
        self._request("begin", run)

    def cancel(self, run: Run) -> None:
        """Drop the jobs of a run that have not been started."""
        self._request("cancel", run)

    def stop(self) -> None:
        """End once all runs are over."""
        self._request("stop", None)

    def stop_and_join(self) -> None:
        """End once all runs are over, and wait for it. Nothing to do in a forked child."""
        if os.getpid() == self._pid and self.is_alive():
            self.stop()
            self.join()

    def kill(self) -> None:
        """End now: workers are killed, runs fail."""
        self._request("kill", None)

    def _request(self, what: str, run: Run | None) -> None:
        with self._request_lock:
            is_too_late = self._is_over
            if not is_too_late:
                self._requests.append((what, run))
        if is_too_late and run is not None and what == "begin":
            run.fail(PoolClosed("the pool has been shut down"))
        self.wake()

    def statistics(self) -> PoolStatistics:
        """The figures of this moment; read without a lock, so each is right for itself."""
        dispatcher = self._dispatcher
        return self._figures.snapshot(
            workers=len(self._workers),
            queued=dispatcher.queued,
            in_flight=dispatcher.in_flight,
            restarts=dispatcher.restarts,
            retries=dispatcher.retries,
        )

    # The loop

    def run(self) -> None:
        """Serve until stopped."""
        try:
            self._perform(self._dispatcher.open(monotonic()))
            while not self._has_ended():
                self._turn()
        except BaseException as error:
            self._break(WorkerStartError(f"the pool's master failed: {error!r}", ""))
            raise
        finally:
            self._clean_up()

    def _turn(self) -> None:
        dispatcher = self._dispatcher
        self._set_hunger(is_hungry=dispatcher.demand > 0)
        self._take_jobs()
        ready = dict(self._poller.poll(self._poll_ms()))
        self._set_hunger(is_hungry=False)
        if self._wakeup.fileno() in ready:
            self._wakeup.clear()
        if self._output_read in ready:
            self._pass_output_on()
        self._take_reports()
        self._take_requests()
        for number in [n for n, worker in self._workers.items() if worker.fileno() in ready]:
            self._take_reports()
            self._bury(number)
        self._perform(dispatcher.tick(monotonic()))
        self._retry_starts()
        self._close_ended()
        self._end_runs()

    def _set_hunger(self, *, is_hungry: bool) -> None:
        for run in self._runs.values():
            run.is_hungry = is_hungry

    def _take_jobs(self) -> None:
        dispatcher = self._dispatcher
        is_more = False
        for run in self._runs.values():
            jobs = run.take_jobs(dispatcher.demand)
            is_more = is_more or run.has_more
            dispatcher.more_may_come = is_more
            if jobs:
                self._perform(dispatcher.add(jobs, monotonic()))
        dispatcher.more_may_come = is_more

    def _poll_ms(self) -> int:
        now = monotonic()
        times = [at for at, _ in self._unstarted] + [at for at, _ in self._ended]
        tick = self._dispatcher.next_tick(now)
        if tick is not None:
            times.append(tick)
        return max(0, ceil(1000 * (min(times, default=now + 1.0) - now)))

    def _take_requests(self) -> None:
        while self._requests:
            what, run = self._requests.popleft()
            if what == "kill":
                self._is_killing = self._is_stopping = True
                self._break(PoolClosed("the pool was killed"))
            elif what == "stop":
                self._is_stopping = True
            elif run is not None and what == "begin":
                self._begin(run)
            elif run is not None and run.task.run in self._runs:
                self._perform(self._dispatcher.cancel(run.task.run, monotonic()))

    def _begin(self, run: Run) -> None:
        if self.broken is not None:
            run.fail(self.broken)
            return
        self._runs[run.task.run] = run
        self._dispatcher.add_run(run.task.run, run.task.slots)
        run.resize(self._dispatcher.block_jobs)

    def _end_runs(self) -> None:
        for number, run in list(self._runs.items()):
            if run.is_over and not run.has_more and not run.is_lasting:
                del self._runs[number]
                self._dispatcher.drop_run(number)
                self._links.forget(number)

    def _take_reports(self) -> None:
        while (report := self._links.receive()) is not None:
            now = monotonic()
            dispatcher = self._dispatcher
            if isinstance(report, wire.Results):
                self._figures.note(report.worker, report.descriptors)
                self._perform(dispatcher.results(report.worker, report.rows, now))
                self._resize_runs()
            elif isinstance(report, wire.Heartbeat):
                self._figures.note(report.worker, report.descriptors)
                self._perform(dispatcher.heard(report.worker, report.running, now))
            elif isinstance(report, wire.GivenBack):
                self._perform(dispatcher.returned(report.worker, report.job_ids, now))
            elif isinstance(report, wire.Ready):
                self._perform(dispatcher.ready(report.worker, now))
                self._resize_runs()
            else:
                self._fail_run(report)

    def _resize_runs(self) -> None:
        block_jobs = self._dispatcher.block_jobs
        for run in self._runs.values():
            run.resize(block_jobs)

    def _fail_run(self, report: wire.TaskBroken) -> None:
        run = self._runs.get(report.run)
        if run is not None:
            run.fail(TaskLoadError(report.error, report.traceback))
            self._perform(self._dispatcher.cancel(report.run, monotonic()))

    # Actions

    def _perform(self, todo: list[actions.Action]) -> None:
        for action in todo:
            if isinstance(action, actions.Send):
                self._send(action)
            elif isinstance(action, actions.Record):
                self._record(action)
            elif isinstance(action, actions.Recall):
                self._links.send(action.lane, wire.GiveBack(action.most))
            elif isinstance(action, actions.Start):
                self._start(action.lane)
            elif isinstance(action, actions.Kill):
                self._kill_lane(action.lane)
            elif isinstance(action, actions.Warn):
                LOGGER.warning("%s", action.message)
            else:
                self._break(WorkerStartError(action.reason, self._last_output()))

    def _send(self, action: actions.Send) -> None:
        jobs = action.jobs
        number = jobs[0].run
        block = wire.Block(number, [job.id for job in jobs], [job.item for job in jobs])
        self._links.send_block(action.lane, self._runs[number].task, block)

    def _record(self, action: actions.Record) -> None:
        run = self._runs.get(action.run)
        if run is not None:
            run.deliver(action.settled)

    def _start(self, number: int) -> None:
        config = wire.Config(
            worker=number,
            directory=self._links.directory,
            sys_path=list(sys.path),
            max_open_files=self._settings.max_open_files,
            flush_s=FLUSH_S,
            heartbeat_s=self._heartbeat_s,
        )
        if not has_free_descriptors(START_DESCRIPTORS):
            self._unstarted.append((monotonic() + RETRY_START_S, number))
            return
        try:
            worker = WorkerProcess(config, self._output_write)
            self._workers[number] = worker
            self._links.connect(number)
        except OSError as error:
            if error.errno not in {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM}:
                raise
            if number in self._workers:
                self._bury(number)
            else:
                self._unstarted.append((monotonic() + RETRY_START_S, number))
        else:
            self._poller.register(worker.fileno(), zmq.POLLIN)

    def _retry_starts(self) -> None:
        now = monotonic()
        due = [number for at, number in self._unstarted if at <= now]
        self._unstarted = [entry for entry in self._unstarted if entry[0] > now]
        for number in due:
            self._start(number)

    def _kill_lane(self, number: int) -> None:
        worker = self._workers.get(number)
        if worker is not None:
            worker.kill()

    def _bury(self, number: int) -> None:
        """A worker's lifeline is closed: take leave of it, and of what its tasks had started."""
        worker = self._workers.pop(number)
        self._poller.unregister(worker.fileno())
        worker.kill()
        worker.wait()
        self._take_reports()
        self._pass_output_on()
        cause = worker.cause_of_death()
        worker.close()
        self._links.close_lane(number)
        self._ended.append((monotonic() + LATE_RESULTS_S, number))
        self._figures.retire(number)
        if not (self._is_stopping and number in self._is_told_to_stop):
            self._perform(self._dispatcher.died(number, cause, monotonic()))

    def _close_ended(self) -> None:
        now = monotonic()
        for _, number in [entry for entry in self._ended if entry[0] <= now]:
            self._links.disconnect(number)
        self._ended = [entry for entry in self._ended if entry[0] > now]

    def _break(self, error: FsworkersError) -> None:
        self.broken = self.broken or error
        self._is_killing = self._is_stopping = True
        for run in self._runs.values():
            run.fail(self.broken)

    # What workers print

    def _pass_output_on(self) -> None:
        while True:
            try:
                chunk = os.read(self._output_read, 65_536)
            except BlockingIOError:
                return
            self._output = (self._output + chunk)[-OUTPUT_KEPT_BYTES:]
            if sys.stderr is not None:
                sys.stderr.write(chunk.decode(errors="replace"))
                sys.stderr.flush()

    def _last_output(self) -> str:
        self._pass_output_on()
        return self._output.decode(errors="replace").strip()

    # The end

    def _has_ended(self) -> bool:
        if self._is_killing:
            return True
        if not self._is_stopping or any(not run.is_over for run in self._runs.values()):
            return False
        for number, worker in self._workers.items():
            if number in self._is_told_to_stop:
                continue
            self._is_told_to_stop.add(number)
            if self._dispatcher.is_ready(number):
                self._links.send(number, wire.Stop())
            else:
                worker.kill()
        return not self._workers

    def _clean_up(self) -> None:
        for worker in self._workers.values():
            worker.kill()
        for worker in self._workers.values():
            worker.wait()
            worker.close()
        self._workers.clear()
        self._pass_output_on()
        os.close(self._output_read)
        os.close(self._output_write)
        with self._request_lock:
            self._is_over = True
            unheard = [run for what, run in self._requests if run is not None and what == "begin"]
        closed = self.broken or PoolClosed("the pool was shut down")
        for run in [*self._runs.values(), *unheard]:
            run.fail(closed)
        self._links.close()
        self._wakeup.close()
