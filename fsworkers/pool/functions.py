"""Task functions on their way to the workers, and how one attempt is made there.

What a function may be is decided in the master (is it a coroutine function? can it travel?); the
worker only loads and calls it, so that it need not import what the decision takes.
"""

from __future__ import annotations

import errno
import os
import sys
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from fsworkers import graceful
from fsworkers.errors import RetryLater, Skip, UnpicklableTask
from fsworkers.graceful.imports import refusal
from fsworkers.pool.actions import Failure, Row
from fsworkers.pool.payload import Packed, pack, pickle_value, unpack
from fsworkers.pool.retry import RetryOn, is_dubious, is_starved, is_worth_retrying

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fsworkers.pool.wire import Task

COROUTINE_SLOTS = 64
"""Jobs in flight in a worker when the task is a coroutine function and no number was asked for."""


class TaskFunction(NamedTuple):
    """A loaded task function and how a worker runs it.

    Attributes:
        function: Takes the item, returns the value, or a coroutine that returns it.
        is_coroutine: Whether it runs in the event loop.
        slots: Jobs in progress at one time.
        is_measuring: Whether it returns a string, the bytes that it has counted and the file's
            modification time: asking for them by name costs a seventh of what hashing a small
            file does. A task function says so by an attribute of this name.
        wants_size: Whether the file is asked for its size and modification time otherwise.
        timeout_s: After how long an attempt is cancelled, if it is a coroutine.
        retry_on: Which failures are worth another attempt; ``None`` for those that may pass.
    """

    function: Callable[[Any], Any]
    is_coroutine: bool
    slots: int
    is_measuring: bool
    wants_size: bool
    timeout_s: float | None = None
    retry_on: RetryOn | None = None

    @property
    def is_serial(self) -> bool:
        """Whether its jobs run one after another on the worker's main thread."""
        return self.slots == 1 and not self.is_coroutine


def is_coroutine_function(function: Callable[..., Any]) -> bool:
    """Whether calling it makes a coroutine: also through a partial, a method, ``__call__``."""
    from inspect import iscoroutinefunction  # noqa: PLC0415  (18 ms that no worker needs)

    while isinstance(function, partial):
        function = function.func
    return iscoroutinefunction(function) or iscoroutinefunction(
        getattr(type(function), "__call__", None)  # noqa: B004  (the method itself is looked at)
    )


def slots_of(asked_for: int | None, *, is_coroutine: bool) -> int:
    """How many jobs of a task a worker runs at one time."""
    if asked_for is not None:
        return asked_for
    return COROUTINE_SLOTS if is_coroutine else 1


def pickle_function(function: Callable[..., Any], retry_on: RetryOn | None = None) -> bytes:
    """Make a function ready to travel, with its retry rule: by import name, else by value.

    Raises:
        UnpicklableTask: It holds on to something that can't leave this process.
    """
    try:
        return pickle_value((function, retry_on))
    except Exception as error:
        raise UnpicklableTask(repr(function), f"{type(error).__name__}: {error}") from error


def load_task(task: Task) -> TaskFunction:
    """Make a task function callable in this worker; the descriptor layer is put below it first.

    Raises:
        Exception: Whatever importing the function's module raises.
    """
    import pickle  # noqa: PLC0415  (loaded long since, through the wire)

    if task.is_coroutine:
        # The layer patches asyncio only where it is loaded, and tells tasks apart only with aio.
        import asyncio  # noqa: F401, PLC0415

        from fsworkers.graceful import aio  # noqa: F401, PLC0415
    if task.wants_install:
        graceful.install()
    function, retry_on = pickle.loads(task.function)
    return TaskFunction(
        function,
        task.is_coroutine,
        task.slots,
        getattr(function, "is_measuring", False),
        task.wants_size,
        task.timeout_s,
        retry_on,
    )


def call(packed: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]) -> Any:
    """The task function of submitted calls: each item brings its own function."""
    function, args, kwargs = packed
    return function(*args, **kwargs)


async def call_coroutine(
    packed: tuple[Callable[..., Awaitable[Any]], tuple[Any, ...], dict[str, Any]],
) -> Any:
    """As ``call``, for coroutine functions."""
    function, args, kwargs = packed
    return await function(*args, **kwargs)


def measure(item: Any) -> tuple[int | None, int | None]:
    """Bytes and modification time of the file that ``item`` names; ``None`` if it names none."""
    try:
        status = os.stat(item)
    except (OSError, TypeError, ValueError):
        return None, None  # the task will meet the reason and say it
    return status.st_size, status.st_mtime_ns


_is_forked = False


def note_fork() -> None:
    """Called in a child that a task has forked: it is no worker, and runs no further job."""
    global _is_forked  # noqa: PLW0603  (a process is forked or it is not)
    _is_forked = True


def _leave_forked_child(error: BaseException | None) -> NoReturn:
    """End a forked child where its parent's job would end, as a program of its own would."""
    code = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        import traceback  # noqa: PLC0415  (as in describe)

        traceback.print_exception(error)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def attempt(job_id: int, packed: Any, task: TaskFunction, started: float) -> Row:
    """Run one attempt of a plain function that started just now, and report it."""
    size = mtime_ns = None
    try:
        item = packed if type(packed) is str else unpack(packed)
        if task.is_measuring:
            value, size, mtime_ns = task.function(item)
            return job_id, value, None, size, perf_counter() - started, mtime_ns
        if task.wants_size:
            size, mtime_ns = measure(item)
        value = pack(task.function(item))
    except KeyboardInterrupt:
        raise  # of the inline engine's user; workers do not let it come this far
    except BaseException as error:  # noqa: BLE001  (SystemExit of one job must not end the worker)
        if _is_forked:
            _leave_forked_child(error)
        return _failed(job_id, packed, error, task, size, started, mtime_ns)
    if _is_forked:
        _leave_forked_child(None)
    return job_id, value, None, size, perf_counter() - started, mtime_ns


async def attempt_coroutine(job_id: int, packed: Any, task: TaskFunction, started: float) -> Row:
    """Run one attempt of a coroutine function that started just now, and report it.

    An attempt over its time is cancelled; should it not end then, the master kills the worker.
    """
    import asyncio  # noqa: PLC0415  (loaded by the caller)

    size = mtime_ns = None
    deadline = asyncio.timeout(task.timeout_s)
    try:
        item = unpack(packed)
        if task.wants_size:
            size, mtime_ns = measure(item)
        async with deadline:
            value = await task.function(item)
        value = pack(value)
    except BaseException as error:  # noqa: BLE001  (likewise; nobody cancels these from outside)
        if _is_forked:
            _leave_forked_child(error)
        if not deadline.expired():
            return _failed(job_id, packed, error, task, size, started, mtime_ns)
    if _is_forked:
        _leave_forked_child(None)
    duration_s = perf_counter() - started
    if deadline.expired():
        overdue = Failure("TimeoutError", is_overdue=True)
        return job_id, None, overdue, size, duration_s, mtime_ns
    return job_id, value, None, size, duration_s, mtime_ns


def _failed(
    job_id: int,
    packed: Any,
    error: BaseException,
    task: TaskFunction,
    size: int | None,
    started: float,
    mtime_ns: int | None,
) -> Row:
    duration_s = perf_counter() - started
    if (number := refusal(error)) != 0:
        graceful.BUDGET.shrink(machine_wide=number == errno.ENFILE)
    if task.is_measuring:
        size, mtime_ns = measure(packed)
    return job_id, None, describe(error, task), size, duration_s, mtime_ns


def describe(error: BaseException, task: TaskFunction) -> Failure:
    """Put an exception into plain data; the exception itself goes along only to futures."""
    import traceback  # noqa: PLC0415  (most runs have no failure)

    inner = error.__traceback__.tb_next if error.__traceback__ is not None else None
    try:
        message = str(error)
    except Exception as broken:  # noqa: BLE001  (a user's __str__ raises anything)
        message = f"<its message can't be shown: {type(broken).__name__}>"
    name = type(error).__name__
    if isinstance(error, Skip):
        return Failure(message, is_skip=True)
    try:
        is_transient = is_worth_retrying(error, task.retry_on)
    except Exception as broken:  # noqa: BLE001  (a user's predicate raises anything)
        is_transient = False
        message = f"{message} (and retry_on raised {type(broken).__name__}: {broken})"
    is_submitted = task.function is call or task.function is call_coroutine
    return Failure(
        error=f"{name}: {message}" if message else name,
        traceback="".join(traceback.format_exception(type(error), error, inner)),
        is_transient=is_transient,
        is_dubious=task.retry_on is None and is_dubious(error),
        retry_s=error.delay_s if isinstance(error, RetryLater) else None,
        is_starved=is_starved(error),
        exception=_pickle_exception(error) if is_submitted else None,
    )


def _pickle_exception(error: BaseException) -> bytes | None:
    try:
        return pickle_value(error.with_traceback(None))
    except Exception as unpicklable:  # noqa: BLE001  (the text travels instead, and says so)
        print(f"fsworkers: {type(error).__name__} can't be pickled: {unpicklable}", file=sys.stderr)  # noqa: T201
        return None


__all__ = [
    "COROUTINE_SLOTS",
    "Packed",
    "TaskFunction",
    "attempt",
    "attempt_coroutine",
    "call",
    "call_coroutine",
    "is_coroutine_function",
    "load_task",
    "pickle_function",
    "slots_of",
]
