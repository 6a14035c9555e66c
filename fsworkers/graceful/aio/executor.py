"""Threads that take calls off one queue, without a future for each as ``ThreadPoolExecutor`` has.

A hop into a thread is what an asynchronous file operation costs; half of the standard executor's
share of it goes into futures that nobody waits for here.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections import deque
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, TypeVar

from fsworkers.graceful.aio import result_batches

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

Result = TypeVar("Result")

_THREADS = min(32, (os.cpu_count() or 1) + 4)
_LAST_WORDS_S = 2.0


class DaemonThreadPool(Executor):
    """Up to so many daemon threads, begun as they are needed.

    At the interpreter's end they finish what was handed to them, for at most two seconds: one that
    is stuck (a FIFO nobody writes to) does not hold up the end. What an exit handler asks for after
    that is done where it is asked for.
    """

    def __init__(self, name: str, most: int = _THREADS) -> None:
        self._name = name
        self._most = most
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._idle: list[None] = []
        self._threads: list[Thread] = []
        self._beginning = Lock()
        self._is_ending = False
        atexit.register(self._end)
        os.register_at_fork(after_in_child=self._renew)

    def post(self, call: Callable[[], None]) -> None:
        """Have a call run, which deals with its own result and errors."""
        if self._is_ending:
            call()
            return
        self._calls.put(call)
        try:
            self._idle.pop()
        except IndexError:
            if len(self._threads) < self._most and not self._begin():
                self._do_without()

    def submit(  # type: ignore[override]  # positional arguments only
        self, fn: Callable[..., Result], /, *args: Any
    ) -> Future[Result]:
        """Have a call run whose result is wanted."""
        future: Future[Result] = Future()
        self.post(partial(run_into, future, fn, args))
        return future

    def _begin(self) -> bool:
        """Begin a thread, if there is to be another; whether there could be."""
        with self._beginning:
            if len(self._threads) < self._most and not self._is_ending:
                number = len(self._threads) + 1
                thread = Thread(target=self._work, name=f"{self._name}-{number}", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    return False
                self._threads.append(thread)
        return True

    def _do_without(self) -> None:
        """Do what waits here and now, if there is no thread for it.

        None can be begun for want of memory or processes, and from Python 3.12 on none in an exit
        handler.
        """
        with suppress(Empty):
            while not self._threads and (call := self._calls.get_nowait()) is not None:
                call()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except BaseException:  # noqa: BLE001 - told, and no reason to have a thread fewer
                threading.excepthook(
                    threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread()))
                )
            # What it holds (a file, a task's frame) must not live on until the next one comes.
            del call
            if self._calls.empty():  # else it takes the next, for which no thread may be on its way
                self._idle.append(None)

    def _renew(self) -> None:
        """In a forked child, which has none of the threads."""
        self._calls = SimpleQueue()
        self._idle = []
        self._threads = []
        self._beginning = Lock()

    def _end(self) -> None:
        self._is_ending = True
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join(_LAST_WORDS_S)


def run_into(future: Future[Any], fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """Run a call and put what comes of it into a future."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = fn(*args)
    except BaseException as error:  # noqa: BLE001 - it is the caller's, and goes there
        future.set_exception(error)
        # It holds this frame, and with it all that the frames above hold.
        del future
    else:
        future.set_result(result)


def hop(
    crew: DaemonThreadPool | SerialExecutor,
    loop: asyncio.AbstractEventLoop,
    call: Callable[[], Result],
) -> asyncio.Future[Result]:
    """Run a call on a thread; the future is the loop's own. A cancel in time leaves it undone."""
    future: asyncio.Future[Result] = loop.create_future()
    into = result_batches.of(loop)
    into.make_sure(loop)
    crew.post(partial(_deliver, into, loop, future, call))
    return future


def _deliver(
    into: result_batches.ResultBatches,
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[Any],
    call: Callable[[], Any],
) -> None:
    if future.cancelled():
        return
    result = error = None
    try:
        result = call()
    except BaseException as raised:  # noqa: BLE001 - it is the caller's, and goes there
        error = raised
    try:
        into.put(loop, (future, result, error))
    finally:
        # An error holds this frame, and with it all that the frames above hold.
        del error, future


class SerialExecutor(Executor):
    """One file's operations, one after another, on the threads of another executor.

    A read whose task was cancelled is still running when the file is closed: the close must come
    after it, and without a thread that waits.
    """

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._waiting: deque[Callable[[], None]] = deque()
        self._steps: list[None] = [None]

    def post(self, call: Callable[[], None]) -> None:
        """Have a call run after those handed over before."""
        self._waiting.append(call)
        self._start()

    def submit(  # type: ignore[override]  # positional arguments only
        self, fn: Callable[..., Result], /, *args: Any
    ) -> Future[Result]:
        """Have a call run whose result is wanted, after those handed over before."""
        future: Future[Result] = Future()
        self.post(partial(run_into, future, fn, args))
        return future

    def _start(self) -> None:
        """Send the next call to a thread, unless one of ours is there."""
        if not self._waiting:
            return
        try:
            self._steps.pop()
        except IndexError:
            return
        try:
            if isinstance(self._threads, DaemonThreadPool):
                self._threads.post(self._work)
            else:
                self._threads.submit(self._work)
        except BaseException:
            self._steps.append(None)
            raise

    def _work(self) -> None:
        try:
            while True:
                try:
                    call = self._waiting.popleft()
                except IndexError:
                    break
                call()
                del call
        finally:
            self._steps.append(None)
            # What was handed over after the last look and before the step was free again.
            self._start()


opens = DaemonThreadPool("graceful-open")
transfers = DaemonThreadPool("graceful-file")
