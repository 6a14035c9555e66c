"""The master's thread: the shell around the dispatcher. Owns sockets, processes and the clock.

One loop: wait until something happens, turn it into events, carry out the actions. Nothing here
decides anything: what goes where is ``pool.dispatcher``'s, what a call does with what comes is its
own. On the happy path it does nothing for a single item.
"""

from __future__ import annotations

import logging
import os
import selectors
import threading
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

from fsworkers.broken import WorkerStartError
from fsworkers.errors import FsworkersError, PoolClosed, TaskLoadError
from fsworkers.pool import actions, wire
from fsworkers.pool.call_state import Traits
from fsworkers.pool.dispatcher import Dispatcher
from fsworkers.pool.master.fleet import Fleet, unstartable
from fsworkers.pool.master.links import Links
from fsworkers.pool.master.machine import look_at_machine
from fsworkers.pool.master.prespawn import take_surroundings
from fsworkers.pool.master.socket_directory import remove_stale_directories
from fsworkers.pool.master.wakeup import Wakeup
from fsworkers.pool.retry import delay_s
from fsworkers.pool.room import Room
from fsworkers.pool.rules import Rules
from fsworkers.pool.statistics import Figures, PoolStatistics

if TYPE_CHECKING:
    from fsworkers.pool.master.call import Call
    from fsworkers.pool.settings import PoolSettings
    from fsworkers.pool.story import StoryEvent

LOGGER = logging.getLogger("fsworkers")

OVERSLEPT_S = 0.5
"""A wait that ends so much too late tells of a stopped process or a suspended machine."""

MOST_REPORTS = 64
"""How many reports are taken before somebody else has a turn: a kill is obeyed at once."""

LOOK_AT_MACHINE_S = 0.2
"""How often it is looked whether there is room for more, where that was asked for."""

LOOK_AT_STOPPING_S = 0.25
"""How often it is looked whether workers that are to end can: nobody else would notice."""

_BACK, _WAKEUP = -1, -2


class Master(threading.Thread):
    """Runs a pool until it is told to stop and all its calls are over.

    Args:
        settings: The pool's settings.
        worker_count: How many workers there may be.
        first_count: How many are started at once.
        initializer: What each worker calls before its first job, pickled.

    Raises:
        PoolDoesNotFit: There is no room for the sockets.
    """

    def __init__(
        self,
        settings: PoolSettings,
        worker_count: int,
        first_count: int,
        initializer: bytes = b"",
    ) -> None:
        super().__init__(name="fsworkers-master", daemon=True)
        self.worker_count = worker_count
        self.broken: FsworkersError | None = None
        self._first_count = first_count
        self._pid = os.getpid()
        rules = Rules(
            workers=worker_count,
            retries=settings.retries,
            timeout_s=settings.timeout,
            ready_s=settings.ready_s,
            grace_s=settings.grace,
            max_deaths=settings.max_deaths,
            max_lane_items=settings.max_jobs_per_worker,
            max_rss_bytes=settings.max_rss_bytes,
        )
        pause_s = settings.retry_pause
        self._dispatcher = Dispatcher(rules, delay_s if pause_s is None else lambda _: pause_s)
        self._links = Links()
        self._wakeup = Wakeup()
        try:
            self._surroundings = take_surroundings(settings.prints_to)
        except OSError as error:
            self._links.close()
            self._wakeup.close()
            raise unstartable(error) from error
        self._output = self._surroundings.output
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._links.back.fileno(), selectors.EVENT_READ, _BACK)
        self._selector.register(self._wakeup.fileno(), selectors.EVENT_READ, _WAKEUP)
        self._fleet = Fleet(settings, self._links, self._surroundings, self._selector, initializer)
        self._requests: deque[tuple[str, Call | None]] = deque()
        self._request_lock = threading.RLock()  # a signal handler may cancel in the midst of it
        self._calls: dict[int, Call] = {}
        self._is_over = False
        self._is_stopping = False
        self._is_killing = False
        self._grace_s = settings.grace
        self._told_to_stop: dict[int, float] = {}
        self._room = settings.room
        self._look_at_machine_at: float | None = None
        self._figures = Figures()

    # From other threads

    def wake(self) -> None:
        """Make the loop look around."""
        self._wakeup.set()

    def begin(self, call: Call) -> None:
        """Take a call on."""
        self._request("begin", call)

    def cancel(self, call: Call) -> None:
        """Drop the items of a call that have not been begun."""
        self._request("cancel", call)

    def abort(self, call: Call) -> None:
        """Drop all items of a call, and kill the workers that may be running one."""
        self._request("abort", call)

    def stop(self) -> None:
        """End once all calls are over."""
        self._request("stop", None)

    def stop_and_join(self) -> None:
        """End once all calls are over, and wait for it. Nothing to do in a forked child."""
        if os.getpid() == self._pid and self.is_alive():
            self.stop()
            self.join()

    def kill(self) -> None:
        """End now: workers are killed, calls fail."""
        self._is_killing = True
        self._request("kill", None)

    def _request(self, what: str, call: Call | None) -> None:
        with self._request_lock:
            is_too_late = self._is_over
            if not is_too_late:
                self._requests.append((what, call))
        if is_too_late and call is not None and what == "begin":
            call.fail(self.broken or PoolClosed("the pool has been shut down"))
        self.wake()

    def story(self) -> list[StoryEvent]:
        """The last events, in order."""
        return self._dispatcher.story.events()

    def statistics(self) -> PoolStatistics:
        """The figures of this moment; read without a lock, so each is right for itself."""
        dispatcher = self._dispatcher
        return self._figures.snapshot(
            workers=len(self._fleet),
            queued=dispatcher.queued + sum(call.ready for call in list(self._calls.values())),
            in_flight=dispatcher.in_flight,
            restarts=dispatcher.restarts,
            recycled=dispatcher.recycled,
            retries=dispatcher.retries,
            at_work=dispatcher.at_work(monotonic()),
        )

    # The loop

    def run(self) -> None:
        """Serve until stopped."""
        try:
            self._output.start()
            self._perform(self._dispatcher.open(monotonic(), self._first_count))
            remove_stale_directories()
            while not self._has_ended():
                self._turn()
        except BaseException as error:
            self._break(WorkerStartError(f"the pool's master failed: {error!r}", ""))
            raise
        finally:
            self._clean_up()

    def _turn(self) -> None:
        happened = self._wait()
        dispatcher = self._dispatcher
        if _WAKEUP in happened:
            self._wakeup.clear()
            self._take_requests()
            self._perform(dispatcher.supplied(monotonic()))
        if _BACK in happened:
            self._take_reports()
        for number in happened:
            if number >= 0:
                self._reap(number)
        now = monotonic()
        at = dispatcher.next_tick(now)
        if at is not None and at <= now:
            self._perform(dispatcher.tick(now))
            self._look_at_silent_workers(now)
        for number in self._fleet.due():
            self._start(number)
        if self._told_to_stop:
            self._look_at_stopping_workers(now)
        self._end_calls()
        self._look_at_machine()

    def _wait(self) -> list[int]:
        """Wait until something happens; and notice when the whole machine stood still."""
        now = monotonic()
        look_at = now + LOOK_AT_STOPPING_S if self._told_to_stop else None
        every = (
            self._dispatcher.next_tick(now), self._fleet.next_time(), look_at,
            self._look_at_machine_at,
        )  # fmt: skip
        times = [at for at in every if at]
        wait_s = max(0.0, min(times) - now) if times else None
        happened: list[int] = [key.data for key, _ in self._selector.select(wait_s)]
        if wait_s is not None:
            late_s = monotonic() - now - wait_s
            if late_s > OVERSLEPT_S:
                self._dispatcher.overslept(late_s)
        return happened

    def _look_at_machine(self) -> None:
        """Hold back while the machine lacks room; whatever waits while nothing else happens."""
        if self._room == Room() or not self._calls:
            self._look_at_machine_at = None
            return
        now = monotonic()
        if self._look_at_machine_at is None or now >= self._look_at_machine_at:
            self._look_at_machine_at = now + LOOK_AT_MACHINE_S
            self._perform(self._dispatcher.hold_back(self._room.lack(look_at_machine()), now))

    def _look_at_silent_workers(self, now: float) -> None:
        for number in self._dispatcher.silent_lanes(now):
            if self._fleet.is_stopped(number):
                self._perform(self._dispatcher.stopped(number, now))

    def _look_at_stopping_workers(self, now: float) -> None:
        """Kill who was told to end and can't, or does not within the grace period."""
        for number, told_s in self._told_to_stop.items():
            if now - told_s > self._grace_s or self._fleet.is_stopped(number):
                self._fleet.kill(number)

    def _take_requests(self) -> None:
        while self._requests:
            what, call = self._requests.popleft()
            if what == "kill":
                self._break(PoolClosed("the pool was killed"))
            elif what == "stop":
                self._is_stopping = True
            elif call is not None and what == "begin":
                self._begin(call)
            elif call is not None and call.task.call in self._calls:
                drop = self._dispatcher.abort if what == "abort" else self._dispatcher.cancel
                self._perform(drop(call.task.call, monotonic()))

    def _begin(self, call: Call) -> None:
        if self.broken is not None:
            call.fail(self.broken)
            return
        task = call.task
        self._calls[task.call] = call
        self._look_at_machine()
        traits = Traits(
            task.slots, task.timeout_s is not None and (task.is_coroutine or task.keeps_time)
        )
        self._perform(self._dispatcher.add_call(task.call, call, traits, monotonic()))

    def _end_calls(self) -> None:
        for number, call in list(self._calls.items()):
            if call.is_over and not call.is_lasting and self._dispatcher.drop_call(number):
                del self._calls[number]
                self._links.forget(number)

    def _take_reports(self) -> None:
        # The back channel's descriptor tells of changes only: it is read until nothing is left.
        count = 0
        while not self._is_killing and (received := self._links.receive()) is not None:
            report, frames = received
            now = monotonic()
            dispatcher = self._dispatcher
            if isinstance(report, wire.Answer):
                self._figures.note(report.worker, report.descriptors)
                if report.rss_bytes:
                    dispatcher.weighed(report.worker, report.rss_bytes)
                self._perform(dispatcher.answered(report.worker, report, frames, now))
            elif isinstance(report, wire.Heartbeat):
                self._figures.note(report.worker, report.descriptors)
                dispatcher.weighed(report.worker, report.rss_bytes)
                self._perform(dispatcher.heard(report.worker, report.running, now))
            elif isinstance(report, wire.GivenBack):
                self._perform(dispatcher.returned(report.worker, report.spans, now))
            elif isinstance(report, wire.Ready):
                self._output.hold_back_no_longer()
                self._perform(dispatcher.ready(report.worker, now))
            else:
                self._fail_call(report)
            count += 1
            if count % MOST_REPORTS == 0:
                self._take_requests()

    def _fail_call(self, report: wire.TaskBroken) -> None:
        call = self._calls.get(report.call)
        if call is not None:
            call.fail(TaskLoadError(report.error, report.traceback))
            self._perform(self._dispatcher.cancel(report.call, monotonic()))

    # Actions

    def _perform(self, todo: list[actions.Action]) -> None:
        settled: dict[int, list[actions.Record | actions.Conclude]] = {}
        for action in todo:
            if isinstance(action, actions.Send):
                block = action.block
                task = self._calls[block.call].task
                self._links.send_block(action.lane, task, action.number, block)
            elif isinstance(action, (actions.Record, actions.Conclude)):
                settled.setdefault(action.block.call, []).append(action)
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
        for number, entries in settled.items():
            self._calls[number].deliver(entries)

    def _start(self, number: int) -> None:
        try:
            if not self._fleet.start(number):
                self._dispatcher.starts_later(number, monotonic())
        except FsworkersError as error:
            self._break(error)

    def _kill_lane(self, number: int) -> None:
        if not self._fleet.kill(number):
            reason = "no descriptor free for it"
            self._perform(self._dispatcher.died(number, reason, None, monotonic()))

    def _reap(self, number: int) -> None:
        """A worker has ended: take its last reports, and leave of it."""
        worker = self._fleet.end(number)
        if worker is None:
            return
        self._take_reports()
        cause, begun = self._fleet.forget(number, worker)
        self._figures.retire(number)
        if not (self._is_stopping and number in self._told_to_stop):
            self._perform(self._dispatcher.died(number, cause, begun, monotonic()))

    def _break(self, error: FsworkersError) -> None:
        self.broken = self.broken or error
        self._is_killing = self._is_stopping = True
        for call in self._calls.values():
            call.fail(self.broken)

    # The end

    def _has_ended(self) -> bool:
        if self._is_killing:
            return True
        if not self._is_stopping or any(not call.is_over for call in self._calls.values()):
            return False
        for number in self._fleet.numbers():
            if number in self._told_to_stop:
                continue
            self._told_to_stop[number] = monotonic()
            if self._dispatcher.is_ready(number):
                self._links.send(number, wire.Stop())
            else:
                self._fleet.kill(number)
        return not len(self._fleet)

    def _clean_up(self) -> None:
        if self._is_killing and self.broken is None:
            self.broken = PoolClosed("the pool was killed")
        self._fleet.close()
        with self._request_lock:
            self._is_over = True
            unheard = [call for what, call in self._requests if call and what == "begin"]
        closed = self.broken or PoolClosed("the pool was shut down")
        for call in [*self._calls.values(), *unheard]:
            call.fail(closed)
        self._selector.close()
        self._links.close()
        self._surroundings.close()
        self._wakeup.close()
