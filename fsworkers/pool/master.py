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
from typing import TYPE_CHECKING, Any

import zmq

from fsworkers.errors import FsworkersError, PoolClosed, TaskLoadError, WorkerStartError
from fsworkers.pool import actions, wire
from fsworkers.pool.dispatcher import Dispatcher, RunTraits
from fsworkers.pool.figures import Figures, PoolStatistics
from fsworkers.pool.links import START_DESCRIPTORS, Links, has_free_descriptors
from fsworkers.pool.output import WorkerOutput
from fsworkers.pool.retry import delay_s
from fsworkers.pool.rules import Rules
from fsworkers.pool.supervision import WorkerProcess
from fsworkers.pool.wakeup import Wakeup

if TYPE_CHECKING:
    from fsworkers.pool.runs import Run
    from fsworkers.pool.settings import PoolSettings

LOGGER = logging.getLogger("fsworkers")

FLUSH_S = 0.05
HEARTBEAT_S = 0.5
RETRY_START_S = 0.05
OVERSLEPT_S = 0.5
"""A wait that ends so much too late tells of a stopped process or a suspended machine."""

RESULT_BYTES_FADE = 0.95
"""What is left of the largest result's weight with each further message."""

LATE_RESULTS_S = 0.5
"""How long results of an ended worker are still awaited: they lie in the kernel already."""


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
            max_deaths=settings.max_deaths,
            max_lane_jobs=settings.max_jobs_per_worker,
            max_rss_bytes=settings.max_rss_bytes,
        )
        self._dispatcher = Dispatcher(rules, delay_s)
        self._heartbeat_s = HEARTBEAT_S
        if settings.timeout is not None:
            self._heartbeat_s = min(HEARTBEAT_S, max(0.01, settings.timeout / 8))
        self._links = Links()
        self._wakeup = Wakeup()
        self._output = WorkerOutput()
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
        self._result_bytes = 0.0
        self._figures = Figures()
        self.broken: FsworkersError | None = None
        self._poller = zmq.Poller()
        self._poller.register(self._links.back, zmq.POLLIN)
        self._poller.register(self._wakeup.fileno(), zmq.POLLIN)
        self._poller.register(self._output.fileno(), zmq.POLLIN)

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

    def abort(self, run: Run) -> None:
        """Drop all jobs of a run, and kill the workers that may be running one."""
        self._request("abort", run)

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
            run.fail(self.broken or PoolClosed("the pool has been shut down"))
        self.wake()

    def statistics(self) -> PoolStatistics:
        """The figures of this moment; read without a lock, so each is right for itself."""
        dispatcher = self._dispatcher
        return self._figures.snapshot(
            workers=len(self._workers),
            queued=dispatcher.queued,
            in_flight=dispatcher.in_flight,
            restarts=dispatcher.restarts,
            recycled=dispatcher.recycled,
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
        ready = self._wait()
        self._set_hunger(is_hungry=False)
        if self._wakeup.fileno() in ready:
            self._wakeup.clear()
        if self._output.fileno() in ready:
            self._output.pass_on()
        self._take_reports()
        self._take_requests()
        for number in [n for n, worker in self._workers.items() if worker.fileno() in ready]:
            self._take_reports()
            self._bury(number)
        self._perform(dispatcher.tick(monotonic()))
        self._look_at_silent_workers()
        self._retry_starts()
        self._close_ended()
        self._end_runs()

    def _wait(self) -> dict[Any, int]:
        """Wait until something happens; and notice when the whole machine stood still."""
        wait_ms = self._poll_ms()
        before = monotonic()
        ready = dict(self._poller.poll(wait_ms))
        late_s = monotonic() - before - wait_ms / 1000
        if late_s > OVERSLEPT_S:
            self._dispatcher.overslept(late_s)
        return ready

    def _look_at_silent_workers(self) -> None:
        now = monotonic()
        for number in self._dispatcher.silent_lanes(now):
            worker = self._workers.get(number)
            if worker is not None and worker.is_stopped():
                self._perform(self._dispatcher.stopped(number, now))

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
                drop = self._dispatcher.abort if what == "abort" else self._dispatcher.cancel
                self._perform(drop(run.task.run, monotonic()))

    def _begin(self, run: Run) -> None:
        if self.broken is not None:
            run.fail(self.broken)
            return
        self._runs[run.task.run] = run
        task = run.task
        is_cancellable = task.is_coroutine and task.timeout_s is not None
        self._dispatcher.add_run(task.run, RunTraits(task.slots, is_cancellable))
        run.resize(self._dispatcher.block_jobs, self._result_bytes)

    def _end_runs(self) -> None:
        for number, run in list(self._runs.items()):
            if run.is_over and not run.has_more and not run.is_lasting:
                del self._runs[number]
                self._dispatcher.drop_run(number)
                self._links.forget(number)

    def _take_reports(self) -> None:
        while (received := self._links.receive()) is not None:
            report, frame_bytes = received
            now = monotonic()
            dispatcher = self._dispatcher
            if isinstance(report, wire.Results):
                self._figures.note(report.worker, report.descriptors)
                dispatcher.weighed(report.worker, report.rss_bytes)
                self._perform(dispatcher.results(report.worker, report.rows, now))
                # The largest of late, which fades: memory is bounded by what is to be feared.
                row_bytes = frame_bytes / len(report.rows)
                self._result_bytes = max(row_bytes, RESULT_BYTES_FADE * self._result_bytes)
                self._resize_runs()
            elif isinstance(report, wire.Heartbeat):
                self._figures.note(report.worker, report.descriptors)
                dispatcher.weighed(report.worker, report.rss_bytes)
                self._perform(dispatcher.heard(report.worker, report.running, now))
            elif isinstance(report, wire.GivenBack):
                self._perform(dispatcher.returned(report.worker, report.job_ids, now))
            elif isinstance(report, wire.Ready):
                self._output.hold_back_no_longer()
                self._perform(dispatcher.ready(report.worker, now))
                self._resize_runs()
            else:
                self._fail_run(report)

    def _resize_runs(self) -> None:
        block_jobs = self._dispatcher.block_jobs
        for run in self._runs.values():
            run.resize(block_jobs, self._result_bytes)

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
            elif isinstance(action, actions.Retire):
                self._links.send(action.lane, wire.Stop())
            elif isinstance(action, actions.Warn):
                LOGGER.warning("%s", action.message)
            else:
                self._break(WorkerStartError(action.reason, self._output.last_words()))

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
        if not has_free_descriptors(START_DESCRIPTORS):
            self._start_later(number)
            return
        try:
            worker = WorkerProcess(self._config(number), self._output.write_end)
            self._workers[number] = worker
            self._poller.register(worker.fileno(), zmq.POLLIN)
            self._links.make_meeting_place(number)
            worker.let_go_on()
            self._links.connect(number)
        except OSError as error:
            if error.errno not in {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM}:
                self._break(error if isinstance(error, FsworkersError) else unstartable(error))
            elif number in self._workers:
                self._bury(number)
            else:
                self._links.disconnect(number)
                self._start_later(number)

    def _config(self, number: int) -> wire.Config:
        return wire.Config(
            worker=number,
            directory=self._links.meeting_place(number),
            secret=self._links.secret,
            sys_path=list(sys.path),
            max_open_files=self._settings.max_open_files,
            flush_s=FLUSH_S,
            heartbeat_s=self._heartbeat_s,
            wants_memory=self._settings.max_rss_bytes is not None,
        )

    def _start_later(self, number: int) -> None:
        now = monotonic()
        self._dispatcher.starts_later(number, now)
        self._unstarted.append((now + RETRY_START_S, number))

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
            return
        unstarted = [entry for entry in self._unstarted if entry[1] != number]
        if len(unstarted) < len(self._unstarted):
            self._unstarted = unstarted
            self._perform(self._dispatcher.died(number, "no descriptor free for it", monotonic()))

    def _bury(self, number: int) -> None:
        """A worker's lifeline is closed: take leave of it, and of what its tasks had started."""
        worker = self._workers.pop(number)
        self._poller.unregister(worker.fileno())
        worker.kill()
        worker.wait()
        self._take_reports()
        self._output.pass_on()
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
        self._output.close()
        with self._request_lock:
            self._is_over = True
            unheard = [run for what, run in self._requests if run is not None and what == "begin"]
        closed = self.broken or PoolClosed("the pool was shut down")
        for run in [*self._runs.values(), *unheard]:
            run.fail(closed)
        self._links.close()
        self._wakeup.close()


def unstartable(error: OSError) -> WorkerStartError:
    """The error of a pool in whose surroundings no worker can be started."""
    return WorkerStartError(f"a worker can't be started: {error}", "")
