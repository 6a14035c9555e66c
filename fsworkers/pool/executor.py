"""``Pool``: what callers hold. Everything happens in the master's thread and the workers.

    with Pool() as pool:
        for outcome in pool.map(function, paths):
            ...

A pool starts its workers when it is entered or first used, and is a
``concurrent.futures.Executor``, so that whatever takes an executor takes a pool.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from concurrent.futures import Executor, Future
from functools import partial
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload

from msgspec.structs import asdict

from fsworkers.errors import BadSetting, NotCallable, PoolClosed, UnpicklableValue
from fsworkers.pool import wire
from fsworkers.pool.authkey import own_authkey
from fsworkers.pool.map_call import MapCall
from fsworkers.pool.master.loop import Master
from fsworkers.pool.master.worker_limit import fitting_workers
from fsworkers.pool.payload import pack
from fsworkers.pool.room import ANY_ROOM, Room
from fsworkers.pool.run_block import encode_bare_values, encode_values
from fsworkers.pool.settings import PoolSettings, usable_processors
from fsworkers.pool.statistics import PoolStatistics
from fsworkers.pool.strict import StrictExecutor
from fsworkers.pool.submissions import Submissions
from fsworkers.pool.task_function import (
    call,
    call_coroutine,
    is_coroutine_function,
    pickle_function,
    pickle_initializer,
    slots_of,
)

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterable,
        Callable,
        Coroutine,
        Iterable,
        Iterator,
    )
    from types import TracebackType

    from fsworkers.model import Outcome
    from fsworkers.pool.retry import RetryOn
    from fsworkers.pool.story import StoryEvent
    from fsworkers.pool.task_function import Encoder

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")

LOGGER = logging.getLogger("fsworkers")


class Pool(Executor):
    """Worker processes that run functions over files.

    Args:
        workers: Worker processes; by default one per usable processor. Capped, with a warning,
            where the descriptor limit of this process can't carry so many.
        max_workers: The same, as the standard library's executors call it.
        slots: Jobs in progress at one time in each worker; by default 1, and 64 when the function
            is a coroutine function. Plain functions run in threads when it is above 1.
        max_open_files: Descriptors that each worker may lend to file operations; by default what
            its limit leaves.
        timeout: Longest time of one attempt in seconds. An attempt that takes longer is ended
            together with its worker, and its outcome is ``timed_out``; no other job is touched.
        retries: Further attempts of a job after a time-out or a failure that may pass, each after
            a random pause that grows from 0.1 to 10 s and holds no slot.
        retry_on: Which failures those are: an exception class, a tuple of them, or a function that
            is given the exception in the worker. By default operating system errors that may pass
            (EBUSY, EAGAIN, ESTALE…; EIO once), and no error of a program or of a file's content.
        max_deaths: Deaths of a worker that make the job it ran ``crashed``.
        max_jobs_per_worker: Jobs after which a worker is replaced by a fresh one.
        max_rss_bytes: Resident memory above which a worker is replaced, between two jobs.
        install: Whether ``open``, ``tempfile``, ``subprocess``, ``socket`` and the like
            wait for descriptors in the workers, so that third-party code is graceful as well.
        ready_timeout: Seconds in which a worker must get ready.
        grace: Seconds without a sign of life after which a worker counts as hung.
        initializer: Called once in each worker, a replaced one too, before its first job. It may
            take as long as ``ready_timeout``, by default then five minutes. What it raises is the
            end of the pool, as with the standard library's.
        initargs: Its arguments.
        retry_pause: Seconds before a further attempt, instead of a random pause.
        nice: How much lower than ours the workers' priority is, as nice(1) counts.
        room: What must be left on the machine for anything new to be begun.

    Raises:
        BadSetting: A value that can't be.
        NotCallable: The initializer is no function.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        max_workers: int | None = None,
        slots: int | None = None,
        max_open_files: int | None = None,
        timeout: float | None = None,
        retries: int = 0,
        retry_on: RetryOn | None = None,
        max_deaths: int = 2,
        max_jobs_per_worker: int | None = None,
        max_rss_bytes: int | None = None,
        install: bool = True,
        ready_timeout: float | None = None,
        grace: float = 30.0,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        retry_pause: float | None = None,
        nice: int = 0,
        room: Room = ANY_ROOM,
    ) -> None:
        if not (workers is None or max_workers is None):
            raise BadSetting("max_workers", max_workers, "workers or max_workers, not both")
        self._settings = PoolSettings(
            workers=max_workers if workers is None else workers,
            slots=slots,
            max_open_files=max_open_files,
            timeout=timeout,
            retries=retries,
            retry_on=retry_on,
            max_deaths=max_deaths,
            max_jobs_per_worker=max_jobs_per_worker,
            max_rss_bytes=max_rss_bytes,
            install=install,
            ready_timeout=ready_timeout,
            grace=grace,
            initializer=initializer,
            initargs=initargs,
            retry_pause=retry_pause,
            nice=nice,
            room=room,
        )
        self._pid = os.getpid()
        self._lock = threading.RLock()  # a signal handler may end the pool in the midst of it
        self._call_numbers = count()
        self._master: Master | None = None
        self._calls: dict[tuple[bool, bytes], Submissions] = {}
        self._map_calls: weakref.WeakSet[MapCall] = weakref.WeakSet()
        self._is_closed = False
        self._end_at_exit: Callable[[], None] | None = None

    @classmethod
    def of(cls, settings: PoolSettings) -> Pool:
        """A pool with settings that have been checked already."""
        options = asdict(settings)
        for only_there in ("first_workers", "prints_to"):
            del options[only_there]
        pool = cls(**options)
        pool._settings = settings
        return pool

    def start(self) -> None:
        """Start the workers, if they are not running yet. Nobody need call it: first use does.

        Raises:
            PoolDoesNotFit: The limit of this process leaves no room for a pool.
            PoolClosed: It has been shut down.
        """
        self._running_master()

    @overload  # type: ignore[override]  # yields outcomes, where Executor.map yields bare results
    def map(
        self,
        fn: Callable[[Item], Coroutine[Any, Any, T]],
        items: Iterable[Item],
        /,
        *,
        ordered: bool = False,
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[Outcome[Item, T]]: ...

    @overload
    def map(
        self,
        fn: Callable[[Item], T],
        items: Iterable[Item],
        /,
        *,
        ordered: bool = False,
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[Outcome[Item, T]]: ...

    @overload
    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        ordered: bool = False,
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[Outcome]: ...

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        ordered: bool = False,
        timeout: float | None = None,
        chunksize: int = 1,  # noqa: ARG002  (there is no chunk size to choose)
    ) -> Iterator[Outcome]:
        """Run ``fn`` on each item, and yield an ``Outcome`` for each as soon as it is there.

        Items are drawn lazily, in a thread of their own, and only a few blocks ahead of the
        consumer: endless input is fine, and a slow consumer slows the pool down. Closing the
        iterator drops what has not been started.

        Args:
            fn: A function or coroutine function of one argument (or of as many as there are
                iterables). It may be a lambda, a closure, a partial, a method, a function of
                ``__main__``; it travels to each worker once.
            *iterables: The items; usually one iterable of paths.
            ordered: Yield outcomes in the order of the items.
            timeout: Seconds from now after which waiting for the next outcome is given up.
            chunksize: Accepted for the sake of ``Executor.map``; blocks size themselves.

        Raises:
            NotCallable: ``fn`` is no function.
            UnpicklableTask: ``fn`` can't be sent to the workers.
            TaskLoadError: ``fn`` can't be imported in the workers.
            WorkerStartError: No worker can be had.
            TimeoutError: ``timeout`` has passed.
            PoolClosed: The pool has been shut down.
        """
        started = self.begin(*_spread(fn, iterables), ordered=ordered)
        return started.outcomes(_after(timeout))

    @overload
    def amap(
        self,
        fn: Callable[[Item], Any],
        items: Iterable[Item] | AsyncIterable[Item],
        /,
        *,
        ordered: bool = False,
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> AsyncGenerator[Outcome[Item, Any]]: ...

    @overload
    def amap(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        ordered: bool = False,
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> AsyncGenerator[Outcome]: ...

    def amap(
        self,
        fn: Callable[..., Any],
        *iterables: Any,
        ordered: bool = False,
        timeout: float | None = None,
        chunksize: int = 1,  # noqa: ARG002  (as for map)
    ) -> AsyncGenerator[Outcome]:
        """As ``map``, for ``async for``: the event loop goes on meanwhile.

        A single iterable may be an asynchronous one. Closing the generator, or cancelling the task
        that waits for it, drops what has not been started.

        Raises:
            FsworkersError: As ``map``.
            TimeoutError: ``timeout`` has passed.
        """
        from fsworkers.pool.amap import outcomes  # noqa: PLC0415  (takes asyncio along)

        function, items = _spread(fn, iterables)
        return outcomes(partial(self.begin, function, ordered=ordered), items, _after(timeout))

    def begin(
        self,
        fn: Callable[[Any], Any],
        items: Iterable[Any],
        *,
        ordered: bool = False,
        batched: bool = False,
        wants_size: bool = False,
        encode: Encoder = encode_values,
    ) -> MapCall:
        """As ``map``, but give the call itself: it yields what became of spans of items.

        Args:
            fn: The task function.
            items: The items; lists of items with ``batched``.
            ordered: Yield in the order of the items.
            batched: Whether ``items`` yields lists.
            wants_size: Whether answers tell the size of the file that each item names.
            encode: Makes in the worker what is yielded of the items that were done.

        Raises:
            NotCallable: ``fn`` is no function.
            UnpicklableTask: ``fn`` can't be sent to the workers.
            PoolClosed: The pool has been shut down.
        """
        task = self.task_of(fn, ordered=ordered, wants_size=wants_size, encode=encode)
        return self.begin_task(task, items, batched=batched, divided=ordered)

    def task_of(
        self,
        fn: Callable[[Any], Any],
        *,
        ordered: bool = False,
        wants_size: bool = False,
        encode: Encoder = encode_values,
    ) -> wire.Task:
        """A task function as it travels, here or to the pool of another machine; see ``begin``.

        Raises:
            NotCallable: ``fn`` is no function.
            UnpicklableTask: ``fn`` can't be sent.
        """
        function = fn.function if isinstance(fn, _Spread) else fn
        if not callable(function):
            raise NotCallable(function)
        return self._task_of(
            fn,
            is_coroutine=is_coroutine_function(function),
            ordered=ordered,
            wants_size=wants_size,
            encode=encode,
        )

    def begin_task(
        self, task: wire.Task, items: Iterable[Any], *, batched: bool, divided: bool
    ) -> MapCall:
        """As ``begin``, with what ``task_of`` made.

        Args:
            task: It.
            items: The items.
            batched: Whether ``items`` yields lists.
            divided: Whether no block reaches over an empty one of these.

        Raises:
            PoolClosed: The pool has been shut down.
        """
        master = self._running_master()
        started = MapCall(
            task,
            items,
            workers=master.worker_count,
            is_batched=batched,
            is_divided=divided,
            begin=master.begin,
            wake=master.wake,
            cancel=master.cancel,
            abort=master.abort,
            owner=self,
        )
        self._map_calls.add(started)
        return started

    @overload
    def submit(
        self, fn: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]: ...

    @overload
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]: ...

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run ``fn(*args, **kwargs)`` in a worker; a coroutine function's future gets its result.

        Where the call's worker dies each time, the future raises ``WorkerDied``, and where no
        worker can be had, ``WorkerStartError``: both are ``BrokenExecutor``.

        Raises:
            NotCallable: ``fn`` is no function.
            PoolClosed: The pool has been shut down.
        """
        if not callable(fn):
            raise NotCallable(fn)
        future: Future[Any] = Future()
        submissions = self._submissions(is_coroutine=is_coroutine_function(fn))
        try:
            packed = pack((fn, args, kwargs))
        except UnpicklableValue as error:
            future.set_exception(error)
        else:
            submissions.put(packed, future)
        return future

    def statistics(self) -> PoolStatistics:
        """A frozen snapshot: workers, jobs queued and in flight, restarts, descriptors."""
        return self._master.statistics() if self._master is not None else PoolStatistics()

    def story(self) -> list[StoryEvent]:
        """The last events in order: what was sent, answered, killed, to tell what went wrong."""
        return self._master.story() if self._master is not None else []

    @property
    def worker_count(self) -> int:
        """How many workers it has or will have: as many as asked for, if the limit carries them."""
        if self._master is not None:
            return self._master.worker_count
        return self._settings.worker_count

    @property
    def _max_workers(self) -> int:
        """What Dask asks executors for."""
        return self.worker_count

    def as_executor(self) -> StrictExecutor:
        """This pool with the ``map`` of the standard library: bare results, in order."""
        return StrictExecutor(self)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the pool once the submitted calls are done; map calls that are not are cancelled.

        Args:
            wait: Return only when the workers have ended.
            cancel_futures: Cancel the calls that no worker has been given yet.
        """
        with self._lock:
            self._is_closed = True
            master = self._master
        if master is None or os.getpid() != self._pid:
            return
        if cancel_futures:
            for calls in self._calls.values():
                calls.cancel_waiting()
        for started in list(self._map_calls):
            started.close()
        master.stop()
        if wait and threading.current_thread() is not master:
            master.join()
            if self._end_at_exit is not None:
                atexit.unregister(self._end_at_exit)

    def kill(self) -> None:
        """End the pool at once: workers are killed, waiting futures and runs fail."""
        with self._lock:
            self._is_closed = True
        if self._master is not None and os.getpid() == self._pid:
            self._master.kill()
            self._master.join()

    def __enter__(self) -> Self:
        """Start the workers."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Shut down, and wait; a second interrupt during the wait kills the workers."""
        try:
            self.shutdown(wait=True, cancel_futures=kind is not None)
        except KeyboardInterrupt:
            self.kill()
            raise

    def _task_of(
        self,
        fn: Callable[..., Any],
        *,
        is_coroutine: bool,
        ordered: bool = False,
        wants_size: bool = False,
        wants_exceptions: bool = False,
        encode: Encoder = encode_values,
    ) -> wire.Task:
        slots = slots_of(self._settings.slots, is_coroutine=is_coroutine)
        return wire.Task(
            call=next(self._call_numbers),
            function=pickle_function(fn, self._settings.retry_on, encode),
            is_coroutine=is_coroutine,
            slots=slots,
            wants_size=wants_size,
            wants_install=self._settings.install and not getattr(fn, "is_graceful", False),
            wants_exceptions=wants_exceptions,
            is_ordered=ordered,
            timeout_s=self._settings.timeout,
            authkey=own_authkey(),
            keeps_time=getattr(fn, "keeps_time", False),
        )

    def _running_master(self) -> Master:
        if os.getpid() != self._pid:
            raise PoolClosed("this pool belongs to the process that this one was forked from")
        with self._lock:
            if self._is_closed:
                raise PoolClosed("the pool has been shut down; make a new one")
            if self._master is None:
                self._master = self._make_master()
            return self._master

    def _make_master(self) -> Master:
        settings = self._settings
        initializer = pickle_initializer(settings.initializer, settings.initargs)
        asked_for = settings.worker_count
        workers = fitting_workers(asked_for, settings.prints_to)
        if workers < asked_for:
            LOGGER.warning(
                "%d of %d workers: the descriptor limit of this process carries no more; "
                "raise it with ulimit -n",
                workers,
                asked_for,
            )
        first_count = settings.first_workers or usable_processors()
        master = Master(settings, workers, first_count, initializer)
        master.start()
        # Left open, it ends once the submitted calls are done; at exit, that is waited for.
        weakref.finalize(self, master.stop).atexit = False
        self._end_at_exit = partial(_end_at_exit, master, self._map_calls)
        atexit.register(self._end_at_exit)
        return master

    def _submissions(self, *, is_coroutine: bool) -> Submissions:
        master = self._running_master()
        with self._lock:
            kind = is_coroutine, own_authkey()  # somebody may have begun to use a manager
            submissions = self._calls.get(kind)
            if submissions is None:
                function = call_coroutine if is_coroutine else call
                task = self._task_of(
                    function,
                    is_coroutine=is_coroutine,
                    wants_exceptions=True,
                    encode=encode_bare_values,
                )
                submissions = self._calls[kind] = Submissions(task, master.wake)
                master.begin(submissions)
        return submissions


def _end_at_exit(master: Master, map_calls: weakref.WeakSet[MapCall]) -> None:
    """Nobody will draw from a map any more; what was submitted is finished."""
    for started in list(map_calls):
        started.close()
    master.stop_and_join()


def _after(timeout: float | None) -> float | None:
    return None if timeout is None else monotonic() + timeout


def _spread(fn: Callable[..., Any], iterables: tuple[Any, ...]) -> tuple[Callable[[Any], Any], Any]:
    """A function of one item, and the items, for what ``map`` was given."""
    if len(iterables) == 1:
        return fn, iterables[0]
    return _Spread(fn), zip(*iterables, strict=False)


class _Spread:
    """Calls a function with the members of a tuple, for ``map`` over several iterables."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, items: tuple[Any, ...]) -> Any:
        return self.function(*items)
