"""A call over many items, as its caller sees it: items go in on one side, outcomes come out.

A list or range is cut where it lies. Any other input is drawn in a thread of the call's own, so
that a slow source holds up no outcome, and only a few blocks ahead. What workers answered waits in
the outbox until the caller takes it; while too much of it waits, nothing more is given to the
workers: that is what keeps memory flat and endless input possible.
"""

from __future__ import annotations

import heapq
import os
import threading
from collections import deque
from collections.abc import Iterator
from itertools import chain
from time import monotonic
from typing import TYPE_CHECKING, Any

from fsworkers.errors import FsworkersError, PoolClosed, UnpicklableValue
from fsworkers.pool.actions import Conclude, Record
from fsworkers.pool.blocks import FRESH, Block
from fsworkers.pool.failures import Failure
from fsworkers.pool.outcomes import outcomes_of
from fsworkers.pool.payload import pack_items

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from fsworkers.model import Outcome
    from fsworkers.pool.master.call import Call
    from fsworkers.pool.wire import Task

BLOCK_BYTES = 1 << 20
"""How much a block's items may take, packed: large items are bounded as large results are."""

DRAWN_BYTES = 1 << 21
"""How much of the input may be drawn ahead, once it is known how large items are."""

WINDOW_BYTES = 1 << 26
"""How much memory results may take that have not been consumed, the expected ones included."""

ORDERED_ITEMS = 16_384
"""How many items of an ordered call may be ahead of the one whose outcome is awaited."""

FIRST_DRAWN = 4
"""How many items are drawn ahead before anything is known of them."""


class Outcomes(Iterator["Outcome"]):
    """The outcomes of a map, as an iterator that can be closed.

    Whoever loops over it is handed the chain itself, which takes a third of a generator's time.

    Raises:
        TimeoutError: The next one has not arrived in time.
        FsworkersError: The map can't be finished.
        Exception: Whatever drawing the items raised, after the outcomes of those drawn.
    """

    def __init__(self, lists: Generator[list[Outcome]]) -> None:
        self._lists = lists
        self._outcomes = chain.from_iterable(lists)

    def __iter__(self) -> Iterator[Outcome]:  # noqa: PYI034  (this is the point of it)
        return self._outcomes

    def __next__(self) -> Outcome:
        return next(self._outcomes)

    def close(self) -> None:
        """Drop what has not been begun."""
        self._lists.close()
        self._outcomes = chain()


class MapCall:
    """One task over many items.

    Args:
        task: The task function, ready to travel.
        items: Drawn lazily; a list, tuple or range is cut instead.
        workers: How many workers there may be.
        is_batched: ``items`` yields lists of items.
        is_divided: An empty one ends a block, so that what was found in between can be put there.
        begin: Called to have it taken on.
        wake: Called when there is something to take.
        cancel: Called to have its waiting items dropped.
        abort: Called to have its running ones ended as well.
        owner: Kept alive as long as this call: the pool.
    """

    def __init__(
        self,
        task: Task,
        items: Iterable[Any],
        *,
        workers: int,
        is_batched: bool,
        is_divided: bool = False,
        begin: Callable[[Call], None],
        wake: Callable[[], None],
        cancel: Callable[[Call], None],
        abort: Callable[[Call], None],
        owner: object,
    ) -> None:
        self.task = task
        self.is_lasting = False
        self._owner = owner
        self._pid = os.getpid()
        self._begin, self._wake, self._cancel, self._abort = begin, wake, cancel, abort
        self._changed = threading.Condition(threading.RLock())
        # Input
        self._is_cut = type(items) in {list, tuple, range} and not is_batched
        self._sequence: Sequence[Any] = items if self._is_cut else []  # type: ignore[assignment]
        self._items = items
        self._is_batched = is_batched
        self._is_divided = is_divided
        self._at = 0
        self._is_drawing = not self._is_cut
        self._borders: deque[int] = deque()
        self._ahead = self._least_ahead = max(FIRST_DRAWN, 2 * task.slots)
        self._is_starved = True
        self._item_bytes = 0.0
        # Items by index
        self._taken = 0
        self._settled = 0
        # Output
        self._outbox: deque[Record | Conclude] = deque()
        self._early: list[tuple[int, Record | Conclude]] = []
        self._next_out = 0
        self._waiting_bytes = 0
        self._result_bytes = 0.0
        self._most_waiting = 2 * workers + 2
        self._was_refused = False
        # State
        self._is_begun = False
        self._is_cancelled = False
        self._has_failed = False
        self._error: BaseException | None = None

    # The caller's side

    def start(self) -> None:
        """Let the master take it on. Nothing is drawn before.

        Raises:
            PoolClosed: This is a forked child.
        """
        if os.getpid() != self._pid:
            raise PoolClosed("this call belongs to the process that this one was forked from")
        if self._is_begun:
            return
        self._is_begun = True
        if self._is_cancelled or self._has_failed:
            return
        if self._is_drawing:
            threading.Thread(target=self._draw, name="fsworkers-feeder", daemon=True).start()
        self._begin(self)

    def settled(
        self, wait_s: float | None = None, wait_until: float | None = None
    ) -> Generator[list[Record | Conclude]]:
        """Yield what became of spans of items as it arrives, in lists.

        Args:
            wait_s: Yield an empty list whenever nothing has arrived for so many seconds.
            wait_until: Yield an empty list if nothing has arrived by then (monotonic clock).

        Raises:
            FsworkersError: The call can't be finished.
            Exception: Whatever drawing the items raised, after the outcomes of those drawn.
        """
        try:
            while True:
                self.start()
                bound_s = wait_s if wait_until is None else max(0.0, wait_until - monotonic())
                arrived = self._take_settled(bound_s)
                if not arrived:
                    if self._is_emptied():
                        break
                    if wait_until is not None and monotonic() < wait_until:
                        continue  # somebody else was meant
                yield arrived
        finally:
            if os.getpid() == self._pid and not self.is_over:
                self.cancel()
        if self._error is not None:
            raise self._error

    def outcomes(self, wait_until: float | None = None) -> Outcomes:
        """The outcome of each item as it arrives; see ``Outcomes``."""
        return Outcomes(self._lists(wait_until))

    def _lists(self, wait_until: float | None) -> Generator[list[Outcome]]:
        everything = self.settled(wait_until=wait_until)
        try:
            for arrived in everything:
                if not arrived and wait_until is not None:
                    raise TimeoutError
                for one in arrived:
                    yield outcomes_of(one)
        finally:
            everything.close()

    def cancel(self) -> None:
        """Draw no more; drop what waits. What runs is finished, and its outcomes delivered."""
        self._stop_drawing()
        self._cancel(self)

    def abort(self) -> None:
        """Draw no more; drop what waits, and end what runs: its outcomes are ``cancelled``."""
        self._stop_drawing()
        self._abort(self)

    def close(self) -> None:
        """Cancel it because its pool ends. Its iterator yields what is left, then raises."""
        if not self.is_over:
            self._error = self._error or PoolClosed("the pool was shut down before its input ended")
            self.cancel()

    def _take_settled(self, wait_s: float | None) -> list[Record | Conclude]:
        arrived: list[Record | Conclude] = []
        size = 0
        with self._changed:
            if not self._outbox and not self.is_over:
                self._changed.wait(wait_s)
            # No more than the consumer's part of the window: it has them all until it comes again.
            while self._outbox and size < WINDOW_BYTES // 16:
                arrived.append(self._outbox.popleft())
                size += size_of(arrived[-1])
            self._waiting_bytes -= size
            is_refused, self._was_refused = self._was_refused, False
        if is_refused:
            self._wake()
        return arrived

    def _is_emptied(self) -> bool:
        with self._changed:
            return self.is_over and not self._outbox

    # The feeder's side

    def _draw(self) -> None:
        buffer = self._sequence
        assert isinstance(buffer, list)
        drawn = 0
        put = buffer.extend if self._is_batched else buffer.append
        try:
            for item in self._items:
                put(item)
                if self._is_batched:
                    drawn += len(item)
                    if not item and self._is_divided:
                        self._borders.append(drawn)
                if self._is_starved:
                    self._is_starved = False
                    self._wake()
                if len(buffer) >= self._ahead and not self._wait_for_room(buffer):
                    break
        except BaseException as error:  # noqa: BLE001  (raised again in the consumer's thread)
            self._error = self._error or error
        with self._changed:
            self._is_drawing = False
            self._changed.notify_all()
        self._wake()

    def _wait_for_room(self, buffer: list[Any]) -> bool:
        """Wait until more may be drawn; ``False`` if the call is cancelled before."""
        self._wake()
        with self._changed:
            while len(buffer) >= self._ahead and not self._is_cancelled:
                self._changed.wait()
            return not self._is_cancelled

    # The master's side

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be drawn, and what became of all that was has arrived."""
        if self._has_failed:
            return True
        with self._changed:
            return (
                not self._is_drawing
                and self._settled == self._taken
                and (self._is_cancelled or not self._available)
            )

    @property
    def _available(self) -> int:
        return len(self._sequence) - self._at

    @property
    def ready(self) -> int:
        """How many items could be taken now; none while too much waits for the consumer."""
        if self._is_cancelled or self._has_failed:
            return 0
        available = self._available
        if not available:
            self._is_starved = True
            available = self._available  # one that came in between may have woken nobody
        return min(available, self._room()) if available else 0

    @property
    def left(self) -> int | None:
        """How many items there still are; ``None`` while they are drawn."""
        return None if self._is_drawing else self._available

    def _room(self) -> int:
        """How many items may be given to workers now, by what waits and what is to be expected."""
        with self._changed:
            in_flight = self._taken - self._settled
            free_bytes = WINDOW_BYTES - self._waiting_bytes - in_flight * self._result_bytes
            if self.task.is_ordered:
                waiting = len(self._early) + len(self._outbox)
                is_full = (
                    waiting >= self._most_waiting and self._taken - self._next_out >= ORDERED_ITEMS
                )
            else:
                is_full = len(self._outbox) >= self._most_waiting
            if is_full or free_bytes <= 0:
                # What waits in order for one that is not there yet must not keep that one away.
                room = 0 if in_flight or self._outbox else 1
            else:
                room = max(1, int(free_bytes / max(self._result_bytes, 1e-9)))
            self._was_refused = self._was_refused or not room
            return room

    def take(self, most: int) -> Block | None:
        """The next items, up to ``most`` or as many as a block may hold."""
        wanted, most = most, min(most, self.ready)
        while most:
            if self._item_bytes:
                most = min(most, max(1, int(BLOCK_BYTES / self._item_bytes)))
            while self._borders and self._borders[0] <= self._taken:
                self._borders.popleft()
            if self._borders:
                most = min(most, self._borders[0] - self._taken)
            items = self._sequence[self._at : self._at + most]
            if not items:
                return None
            try:
                packed = pack_items(items, BLOCK_BYTES)
            except UnpicklableValue as error:
                self._refuse(items[0], error)
                continue
            size = len(packed.frame) / packed.length
            self._item_bytes = max(size, 0.9 * self._item_bytes)
            block = Block(self.task.call, self._taken, items[: packed.length], FRESH, packed)
            self._advance(packed.length, wanted)
            return block
        return None

    def drain(self) -> Block | None:
        """What was drawn and not taken: of a sequence, all that is left."""
        with self._changed:
            items = self._sequence[self._at :]
            if not items or self._has_failed:
                return None
            block = Block(self.task.call, self._taken, items)
            self._advance(len(items), 1)
            return block

    def _advance(self, count: int, wanted: int) -> None:
        with self._changed:
            self._taken += count
            if self._is_cut:
                self._at += count
                return
            del self._sequence[:count]  # type: ignore[attr-defined]
            self._ahead = max(self._least_ahead, 2 * wanted)
            if self._item_bytes:
                self._ahead = max(1, min(self._ahead, int(DRAWN_BYTES / self._item_bytes)))
            if len(self._sequence) < self._ahead:
                self._changed.notify_all()

    def _refuse(self, item: Any, error: UnpicklableValue) -> None:
        """An item that can't travel has failed, and is not to be run."""
        block = Block(self.task.call, self._taken, [item])
        self._advance(1, 1)
        self.deliver([Conclude(block, "failed", Failure(f"UnpicklableValue: {error}"))])

    def deliver(self, settled: Sequence[Record | Conclude]) -> None:
        """Pass on what became of items."""
        with self._changed:
            for one in settled:
                start, count, done = _extent(one)
                self._settled += done
                if self._has_failed:
                    continue
                size = size_of(one)
                self._waiting_bytes += size
                self._result_bytes = max(size / max(count, 1), 0.8 * self._result_bytes)
                if self.task.is_ordered:
                    heapq.heappush(self._early, (start, one))
                    self._put_out_in_order()
                else:
                    self._outbox.append(one)
            self._changed.notify_all()

    def _put_out_in_order(self) -> None:
        while self._early and self._early[0][0] == self._next_out:
            _, one = heapq.heappop(self._early)
            self._next_out += _extent(one)[1]
            self._outbox.append(one)

    def fail(self, error: FsworkersError) -> None:
        """End it: none of its remaining items can be executed."""
        with self._changed:
            self._error = self._error or error
            self._has_failed = True
            self._stop_drawing()

    def _stop_drawing(self) -> None:
        """Let the feeder end at its next item; it may be waiting for one, so it is not awaited."""
        with self._changed:
            self._is_cancelled = True
            self._is_drawing = False
            self._changed.notify_all()


def _extent(one: Record | Conclude) -> tuple[int, int, int]:
    """Index of the first item, how many indices it covers, how many of them it settles."""
    if isinstance(one, Record):
        answer = one.answer
        count = answer.stop - answer.start
        return answer.start, count, count - len(answer.failures)
    return one.block.first, len(one.block.items), len(one.block.items)


def size_of(one: Record | Conclude) -> int:
    """How many bytes the columns take."""
    return sum(map(len, one.columns)) if isinstance(one, Record) else 0
