"""A block as it is being run: without sockets, for workers and every engine alike.

The runner goes through it in chunks of some 200 µs of work (one item where items take longer), so
that what is asked between two items costs nothing where items are short. Who else looks at it
meanwhile (heartbeats, recalls, partial answers) reads how far the list of time stamps has come,
which is always right under the interpreter's lock; only the border between what is begun and what
may be given back is guarded by a lock. What the runner has not come to of its chunk is given back
too: both take items from one iterator, so each item is taken by one of them.
"""

from __future__ import annotations

import threading
from array import array
from collections import deque
from functools import partial
from itertools import chain, compress
from operator import sub
from time import perf_counter
from typing import TYPE_CHECKING, Any

from fsworkers.pool.attempt import describe, leave_if_forked, measure
from fsworkers.pool.payload import PLAIN, Packed, pack, pack_values, size_of, unpack
from fsworkers.pool.task_function import Rows
from fsworkers.pool.wire import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fsworkers.pool.task_function import TaskFunction

CHUNK_S = 200e-6
"""Work between two looks around; also how exactly a death is blamed at once."""

MOST_CHUNK_ITEMS = 1024

SMALL_BYTES = 4096
"""Where the last value of a chunk is no larger, the others are not asked for their size."""

LARGE_BYTES = 1 << 20
"""Results of so much are sent at once: from here on a larger message gains nothing."""


class Span:
    """A finished part of a block: what an answer is made of.

    Attributes:
        start: Index of the first item.
        stop: Index behind the last one.
        failures: Those that failed.
        frames: Columns of the others, as the task's encoder made them.
        size_bytes: Bytes of their files.
        busy_s: How long all took.
    """

    __slots__ = ("busy_s", "failures", "frames", "size_bytes", "start", "stop")

    def __init__(
        self, start: int, stop: int, failures: Sequence[Failed], frames: Sequence[bytes],
        size_bytes: int, busy_s: float,
    ) -> None:  # fmt: skip
        self.start = start
        self.stop = stop
        self.failures = failures
        self.frames = frames
        self.size_bytes = size_bytes
        self.busy_s = busy_s


class BlockRun:
    """A block in a worker.

    Args:
        task: What is run.
        number: The block's within its lane.
        first: Index of the first item in its call.
        items: The items.
        is_packed: Whether each is pickled for itself.
        attempts: Which attempt it is.
        worker: Whose.
        seat: The worker's, from 0: one that replaces another has that one's.
        lets_through: An exception that ends the whole block: the interrupt of an inline run.

    Attributes:
        begun: How many items have been begun, or will be in any case.
        stop: How many are to be run: fewer than there are once some were given back.
        kept_bytes: How much the values take that have not been taken, as far as they are large.
    """

    def __init__(
        self,
        task: TaskFunction,
        number: int,
        first: int,
        items: list[Any],
        *,
        is_packed: bool = False,
        attempts: int = 1,
        worker: int = 0,
        seat: int = 0,
        lets_through: type[BaseException] | tuple[()] = (),
    ) -> None:
        self._lets_through = lets_through
        self.task = task
        self.number = number
        self.first = first
        self.items = items
        self.is_packed = is_packed
        self.begun = 0
        self.stop = len(items)
        self.kept_bytes = 0
        self.attempts = attempts
        self.worker = worker
        self.seat = seat
        self._lock = threading.Lock()
        self._values: list[Any] = []
        self._stamps: list[float] = []
        self._failures: list[Failed] = []
        self._chunk: list[Any] = []
        self._rest: Iterator[Any] = iter(())
        self._is_whole = task.each_of is not None and not is_packed
        self._measured: _MeasuredCall | None = None
        self._sent = 0
        self._mark = 0.0

    # The runner's side

    def run(self, note: Callable[[int, int], None], look: Callable[[float], None]) -> None:
        """Run all items that are not given back meanwhile, one after another.

        Args:
            note: Told which indices are begun, before they are.
            look: Called between two chunks with the time (``perf_counter``).
        """
        run_chunk, stamps, clock = self._chunk_runner(), self._stamps, perf_counter
        first, size = self.first, 1
        self._mark = began = clock()
        while True:
            with self._lock:
                start = self.begun
                self.begun = stop = min(start + size, self.stop)
                self._chunk = self.items[start:stop]
                self._rest = iter(() if self._is_whole else self._chunk)
            if start == stop:
                return
            note(first + start, first + stop)
            run_chunk(self._chunk, began)
            leave_if_forked(None)
            count, most = len(stamps) - start, MOST_CHUNK_ITEMS
            if not count:
                continue  # all of it was given back
            if size_of(self._values[-1]) > SMALL_BYTES:
                large = sum(map(size_of, self._values[start:]))
                self.kept_bytes += large
                most = LARGE_BYTES * count // (large + 1)
            now = stamps[-1]
            size = min(4 * size, int(CHUNK_S * count / (now - began + 1e-9)), most) or 1
            look(now)
            began = clock()

    def _run_chunk(
        self, call: Callable[[Any], Any], kind: type | None, _chunk: list[Any], began: float
    ) -> None:
        """Call a function for each item."""
        keep, stamp, clock = self._values.append, self._stamps.append, perf_counter
        for item in self._rest:
            try:
                value = call(item)
                if type(value) is not kind:
                    value, kind = self._made_safe(value, kind)
            except BaseException as error:  # noqa: BLE001  (what may go through does, in _fail)
                self._fail(error, item, began)
                value = None
            keep(value)
            stamp(clock())

    def _run_whole_chunk(
        self, each_of: Callable[[list[Any]], Iterable[Any]], chunk: list[Any], began: float
    ) -> None:
        """Have a task that goes through items by itself do so."""
        keep, stamp, clock = self._values.append, self._stamps.append, perf_counter
        start = len(self._stamps)
        while True:
            try:
                for value in each_of(chunk):
                    keep(value)
                    stamp(clock())
            except BaseException as error:  # noqa: BLE001  (likewise)
                self._fail(error, chunk[len(self._stamps) - start], began)
                keep(None)
                stamp(clock())
                self._chunk = chunk = chunk[len(self._stamps) - start :]
                start = len(self._stamps)
            else:
                return

    def stop_in_child(self) -> None:
        """In a child that the item at hand has forked: let the loop end with that item."""
        self._chunk.clear()

    def _chunk_runner(self) -> Callable[[list[Any], float], None]:
        """What runs a chunk, given it and the time."""
        task = self.task
        function = task.function
        if task.wants_place:
            function = partial(self._call_with_place, function)
        if task.each_of is not None and self._is_whole:
            each_of = task.each_of if task.is_measuring else partial(self._each_of, task.each_of)
            return partial(self._run_whole_chunk, each_of)
        if self.is_packed:
            function = partial(_call_unpacked, function)
        kind: type = type(None)  # what needs no care
        if task.is_measuring or task.wants_size:
            kind = tuple
        if task.wants_size and not task.is_measuring:
            function = self._measured = _MeasuredCall(function)
        return partial(self._run_chunk, function, kind)

    def _each_of(
        self, each_of: Callable[[list[Any]], Iterable[Any]], chunk: list[Any]
    ) -> Iterable[Any]:
        """The values of a task that goes through items by itself, with what is wanted of files."""
        if not self.task.wants_size:
            yield from map(pack, each_of(chunk))
            return
        files = deque(map(measure, chunk))
        for value in each_of(chunk):
            yield pack(value), *files.popleft()

    def _call_with_place(self, function: Callable[..., Any], item: Any) -> Any:
        return function(item, self.first + len(self._stamps), self.seat)

    def _made_safe(self, value: Any, kind: type | None) -> tuple[Any, type | None]:
        """Pack a value at once: the task may alter it later, and it must not spoil the others.

        Raises:
            UnpicklableValue: It can't travel.
        """
        if kind is tuple and (self.task.is_measuring or self.task.wants_size):
            raise TypeError(f"a measuring task returned {type(value).__name__}")
        return (value, type(value)) if type(value) in PLAIN else (pack(value), kind)

    def _fail(self, error: BaseException, item: Any, began: float) -> None:
        leave_if_forked(error)
        if isinstance(error, self._lets_through):
            raise error
        stamps = self._stamps
        done = len(stamps)
        duration_s = perf_counter() - max(began, stamps[-1] if stamps else began)
        size = mtime_ns = None
        if self._measured is not None:
            size, mtime_ns = self._measured.last
        elif self.task.is_measuring or (self.task.wants_size and self.task.each_of is not None):
            size, mtime_ns = measure(item)
        failure = describe(error, self.task)
        self._failures.append(Failed(self.first + done, failure, duration_s, size, mtime_ns))

    # Everybody's side

    def take_next(self) -> int | None:
        """Begin one item, where they run side by side; its index, ``None`` if none is left."""
        with self._lock:
            if self.begun >= self.stop:
                return None
            self.begun += 1
            return self.first + self.begun - 1

    def running(self, now: float) -> tuple[int, int, float] | None:
        """Number of the block, index of the item at hand, and for how many seconds it runs."""
        done = len(self._stamps)
        if done >= self.begun or self.task.slots > 1:
            return None
        since = self._stamps[-1] if done > self._sent else self._mark
        return self.number, self.first + done, now - since

    def give_back(self, most: int) -> tuple[int, int, int] | None:
        """Take up to ``most`` items out again that have not been begun, the last ones."""
        with self._lock:
            self.begun -= len([*self._rest])  # the next chunk begins there
            start, stop = max(self.begun, self.stop - most), self.stop
            self.stop = start
        return (self.number, self.first + start, self.first + stop) if start < stop else None

    def take(self) -> list[Span]:
        """What has been finished since the last time: in one span, unless failures divide it."""
        done = len(self._stamps)
        sent = self._sent
        if done == sent:
            return []
        items, values, stamps = self.items, self._values, self._stamps
        if done - sent < len(items):
            items, values, stamps = items[sent:done], values[sent:done], stamps[sent:done]
            if self.kept_bytes:
                self._values[sent:done] = [None] * (done - sent)
        durations = array("d", map(sub, stamps, chain((self._mark,), stamps)))
        rows = Finished(self.first + sent, items, values, durations)
        self._sent, self._mark, self.kept_bytes = done, stamps[-1], 0
        end = self.first + done
        failures = [one for one in self._failures if one.position < end]
        self._failures = [one for one in self._failures if one.position >= end]
        return spans_of(self.task, rows, failures, self.attempts, self.worker)

    def restart_clock(self) -> None:
        """If an answer was sent just now, that is not of the next item's time."""
        if self._sent == len(self._stamps):
            self._mark = perf_counter()


class Finished:
    """Consecutive items and what they came to; a value is without meaning where one failed."""

    __slots__ = ("durations_s", "items", "start", "values")

    def __init__(
        self, start: int, items: list[Any], values: list[Any], durations_s: Sequence[float]
    ) -> None:
        self.start = start
        self.items = items
        self.values = values
        self.durations_s = durations_s


def spans_of(
    task: TaskFunction, rows: Finished, failures: list[Failed], attempts: int, worker: int
) -> list[Span]:
    """Make answers of finished items; where order counts, each failure is one by itself."""
    if not (failures and task.is_ordered):
        return [_span(task, rows, failures, attempts, worker)]
    spans: list[Span] = []
    at = rows.start
    for failed in [*failures, None]:
        stop = rows.start + len(rows.items) if failed is None else failed.position
        low, high = at - rows.start, stop - rows.start
        if low < high:
            part = Finished(
                at, rows.items[low:high], rows.values[low:high], rows.durations_s[low:high]
            )
            spans.append(_span(task, part, [], attempts, worker))
        if failed is not None:
            spans.append(Span(stop, stop + 1, [failed], (), 0, failed.duration_s))
            at = stop + 1
    return spans


def _span(
    task: TaskFunction, rows: Finished, failures: list[Failed], attempts: int, worker: int
) -> Span:
    start, stop = rows.start, rows.start + len(rows.items)
    items, values, durations = rows.items, rows.values, rows.durations_s
    busy_s = sum(durations)
    if failures:
        is_done = [True] * len(items)
        for failed in failures:
            is_done[failed.position - start] = False
        items, values, durations = (
            list(compress(column, is_done)) for column in (items, values, durations)
        )
        if not items:
            return Span(start, stop, failures, (), 0, busy_s)
    sizes = mtimes = None
    size_bytes = 0
    if task.is_measuring or task.wants_size:
        values, sizes, mtimes = (list(column) for column in zip(*values, strict=True))
        size_bytes = sum(filter(None, sizes))
    frames = task.encode(Rows(items, values, sizes, mtimes, durations, attempts, worker))
    return Span(start, stop, failures, frames, size_bytes, busy_s)


def _call_unpacked(function: Callable[[Any], Any], packed: Any) -> Any:
    return function(unpack(packed))


class _MeasuredCall:
    """Calls a task function on a file, and tells what the file was like before that."""

    __slots__ = ("function", "last")

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function
        self.last: tuple[int | None, int | None] = (None, None)

    def __call__(self, item: Any) -> tuple[Any, int | None, int | None]:
        self.last = size, mtime_ns = measure(item)
        return pack(self.function(item)), size, mtime_ns


def encode_values(rows: Rows) -> Sequence[bytes]:
    """The encoder of calls whose outcomes are wanted.

    Its frames: values; durations in seconds as doubles; sizes, modification times and whether
    values are packed, where there is anything to say of these.
    """
    has_packed = Packed in set(map(type, rows.values))
    others = b""
    if has_packed or rows.sizes is not None:
        others = pack_values([rows.sizes, rows.mtimes_ns, has_packed])
    durations = array("d", rows.durations_s)
    return pack_values(rows.values), durations.tobytes(), others


def encode_bare_values(rows: Rows) -> Sequence[bytes]:
    """The encoder of submitted calls, whose futures want nothing but values."""
    return (pack_values(rows.values),)
