"""Task functions on their way to the workers, and as a worker has them.

What a function may be is decided in the master (is it a coroutine function? can it travel?); the
worker only loads and calls it, so that it need not import what the decision takes.
"""

from __future__ import annotations

from functools import partial
from types import BuiltinFunctionType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from fsworkers import graceful
from fsworkers.errors import UnpicklableTask
from fsworkers.pool.authkey import take_authkey
from fsworkers.pool.payload import pickle_value
from fsworkers.pool.retry import RetryOn  # noqa: TC001  (named tuples keep their annotations)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from fsworkers.pool.wire import Task

COROUTINE_SLOTS = 64
"""Items in flight in a worker when the task is a coroutine function and no number was asked for."""

_CO_COROUTINE = 0x80
"""``inspect.CO_COROUTINE``, without what importing that module takes."""


class Rows(NamedTuple):
    """What was done in a span, in columns of equal length.

    Attributes:
        items: The items.
        values: What the task returned for each, as ``payload.pack`` left it.
        sizes: Bytes of each file; ``None`` where no file was asked for.
        mtimes_ns: Their modification times, likewise.
        durations_s: How long each took.
        attempts: Which attempt it was, of all of them.
        worker: Whose.
    """

    items: Sequence[Any]
    values: Sequence[Any]
    sizes: Sequence[int | None] | None
    mtimes_ns: Sequence[int | None] | None
    durations_s: Sequence[float]
    attempts: int
    worker: int


class Encoder(Protocol):
    """Makes in the worker what the master would have no time for; travels with the task."""

    def __call__(self, rows: Rows, /) -> Sequence[bytes]:
        """Turn what was done into frames, which the master passes on as they are."""


class TaskFunction(NamedTuple):
    """A loaded task function and how a worker runs it.

    Attributes:
        function: Takes the item, returns the value, or a coroutine that returns it.
        encode: Makes the columns of an answer.
        is_coroutine: Whether it runs in the event loop.
        slots: Items in progress at one time.
        is_measuring: Whether it returns a value that is plain, the bytes that it has counted and
            the file's modification time: asking for them by name costs a seventh of what hashing a
            small file does. A task function says so by an attribute of this name.
        each_of: Goes through many items by itself and yields what ``function`` would return for
            each; an exception is of the item at hand, and it is called anew for those behind it. A
            task has it as a method of this name.
        wants_size: Whether the file is asked for its size and modification time otherwise.
        wants_place: Whether it is called with the item's index and the worker's seat as well (see
            ``BlockRun``); a task function says so by an attribute of this name.
        wants_exceptions: Whether failures bring the pickled exception along.
        is_ordered: Whether each failure is answered for by itself.
        timeout_s: After how long an attempt is cancelled, if it is a coroutine.
        retry_on: Which failures are worth another attempt; ``None`` for those that may pass.
    """

    function: Callable[[Any], Any]
    encode: Encoder
    is_coroutine: bool = False
    slots: int = 1
    is_measuring: bool = False
    each_of: Callable[[list[Any]], Iterable[Any]] | None = None
    wants_size: bool = False
    wants_exceptions: bool = False
    is_ordered: bool = False
    timeout_s: float | None = None
    retry_on: RetryOn | None = None
    wants_place: bool = False


def is_coroutine_function(function: Callable[..., Any]) -> bool:
    """Whether calling it makes a coroutine: also through a partial, a method, ``__call__``."""
    if type(function) is BuiltinFunctionType or (
        type(function) is FunctionType and not function.__dict__
    ):
        return type(function) is FunctionType and bool(function.__code__.co_flags & _CO_COROUTINE)
    from inspect import iscoroutinefunction  # noqa: PLC0415  (18 ms that no worker needs)

    while isinstance(function, partial):
        function = function.func
    return iscoroutinefunction(function) or iscoroutinefunction(
        getattr(type(function), "__call__", None)  # noqa: B004  (the method itself is looked at)
    )


def slots_of(asked_for: int | None, *, is_coroutine: bool) -> int:
    """How many items of a task a worker runs at one time."""
    if asked_for is not None:
        return asked_for
    return COROUTINE_SLOTS if is_coroutine else 1


def pickle_function(
    function: Callable[..., Any], retry_on: RetryOn | None, encode: Encoder
) -> bytes:
    """Make a function ready to travel: by import name, else by value.

    Raises:
        UnpicklableTask: It holds on to something that can't leave this process.
    """
    try:
        return pickle_value((function, retry_on, encode))
    except Exception as error:
        raise UnpicklableTask(repr(function), f"{type(error).__name__}: {error}") from error


def pickle_initializer(initializer: Callable[..., object] | None, initargs: Sequence[Any]) -> bytes:
    """Make a call ready to travel; empty where there is none.

    Raises:
        UnpicklableTask: It holds on to something that can't leave this process.
    """
    if initializer is None:
        return b""
    try:
        return pickle_value((initializer, tuple(initargs)))
    except Exception as error:
        raise UnpicklableTask(repr(initializer), f"{type(error).__name__}: {error}") from error


def load_task(task: Task) -> TaskFunction:
    """Make a task function callable in this worker; the descriptor layer is put below it first.

    Raises:
        Exception: Whatever importing the function's module raises.
    """
    import pickle  # noqa: PLC0415  (loaded long since, through the wire)

    take_authkey(task.authkey)
    if task.is_coroutine:
        # The layer patches asyncio only where it is loaded, and tells tasks apart only with aio.
        import asyncio  # noqa: F401, PLC0415

        from fsworkers.graceful import aio  # noqa: F401, PLC0415
    if task.wants_install:
        graceful.install()
    function, retry_on, encode = pickle.loads(task.function)
    if task.keeps_time:
        function = function.with_settings(timeout_s=task.timeout_s)
    function = opened(function, is_coroutine=task.is_coroutine)
    return TaskFunction(
        function,
        encode,
        task.is_coroutine,
        task.slots,
        getattr(function, "is_measuring", False),
        getattr(function, "each_of", None),
        task.wants_size,
        task.wants_exceptions,
        task.is_ordered,
        task.timeout_s,
        retry_on,
        getattr(function, "wants_place", False),
    )


def opened(function: Callable[[Any], Any], *, is_coroutine: bool) -> Callable[[Any], Any]:
    """What is called in this worker for each item: a task may make it once, with its own state.

    One that opens several files at a time has them reserved, so that it never holds one while it
    waits for another.
    """
    open_worker = getattr(function, "open_worker", None)
    count = getattr(function, "descriptors", 1)
    if open_worker is not None:
        function = open_worker()
    if count == 1:
        return function
    return (_ReservingLater if is_coroutine else _Reserving)(function, count)


class _Reserving:
    """Calls a function with so many descriptors reserved."""

    def __init__(self, function: Callable[[Any], Any], count: int) -> None:
        self._function = function
        self._count = count

    def __call__(self, item: Any) -> Any:
        with graceful.reserve(self._count):
            return self._function(item)


class _ReservingLater(_Reserving):
    """Likewise, a coroutine function."""

    async def __call__(self, item: Any) -> Any:
        async with graceful.reserve(self._count):
            return await self._function(item)


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
