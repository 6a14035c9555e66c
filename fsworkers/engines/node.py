"""One node of a cluster: the pool that it keeps for a run, and the blocks that it runs there.

All blocks of a run go through one call of one pool, so that they overlap and what the pool has
learnt of the task stays. The pool is started by the first block, and ends when none has come for a
while: nothing is left of a run whose client is gone. Knows nothing of Dask.
"""

from __future__ import annotations

import os
import threading
from itertools import dropwhile
from queue import SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from fsworkers.engines.entry import enter_run
from fsworkers.engines.spans import extent, moved
from fsworkers.errors import FsworkersError
from fsworkers.pool.actions import Conclude, Record
from fsworkers.pool.blocks import Block
from fsworkers.pool.executor import Pool
from fsworkers.pool.failures import CANCELLED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsworkers.pool.map_call import MapCall
    from fsworkers.pool.settings import PoolSettings
    from fsworkers.pool.statistics import PoolStatistics
    from fsworkers.pool.wire import Task

LOOK_S = 1.0
"""How often it is looked whether the pool has had nothing to do for too long."""

IDLE_S = 60.0
"""After so long without a block, the pool ends; another block starts a new one."""

RESULT_BYTES = 1 << 24
"""A block whose results have come to this gives back what its pool has not drawn."""


class BlockDropped(FsworkersError, RuntimeError):
    """A node has dropped a block: it ends, or nobody seemed to wait for the block any more."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"a block was dropped: {reason}")


class NodeTask(NamedTuple):
    """What a node must know of a run; nothing in it needs the user's modules to be unpickled.

    Attributes:
        task: The task function, as it travels to workers.
        settings: The pool's, without what is the user's own code.
        initializer: That of the user, pickled; or empty.
        directory: Where the run was begun.
        import_path: Where it finds modules.
    """

    task: Task
    settings: PoolSettings
    initializer: bytes
    directory: str
    import_path: list[str]


class NodeBlock:
    """A block that a node runs.

    Its pool draws items little by little. What it has not drawn when the block's time is over, or
    when the results have become many, is given back: nobody knew how long or large they would be.
    Of blocks behind it, of which nothing is drawn by then, everything is.

    Args:
        items: Its items.
        most_s: How long its pool may draw them.

    Attributes:
        first: Index of its first item in the pool's call, once that is drawn.
        stop: That behind the last one that is drawn.
        ended: Set when everything is settled, or nothing more will be.
        settled: What became of its items, with indices within the block, and ranges for items.
        error: Why it could not be finished.
        is_cut: Whether a part of it was given back.
    """

    def __init__(self, items: list[Any], most_s: float) -> None:
        self.first = self.stop = 0
        self.is_cut = False
        self.ended = threading.Event()
        self.settled: list[Record | Conclude] = []
        self.error: BaseException | None = None
        self._items = items
        self._most_s = most_s
        self._late_at: float | None = None
        self._bytes = 0
        self._open = bytearray(b"\1") * len(items)

    @property
    def length(self) -> int:
        """How many items it has, without what was given back."""
        return len(self._items)

    def draw(self, at: int) -> list[Any]:
        """The next items for the pool, of which the first has this index there."""
        if self._late_at is None:
            self._late_at = monotonic() + self._most_s
            self.first = self.stop = at
        drawn = self.stop - self.first
        items = self._items[drawn : drawn + max(1, drawn // 4)]  # little by little
        self.stop += len(items)
        return items

    @property
    def is_late(self) -> bool:
        """Whether anything of it should have been drawn by now and is not."""
        is_drawn = self.stop - self.first == self.length
        return not is_drawn and self._late_at is not None and monotonic() > self._late_at

    @property
    def done(self) -> int:
        """How many of its items are settled."""
        return self._open.count(0)

    def give_back(self) -> None:
        """Give back what is not drawn."""
        drawn = self.stop - self.first
        self.is_cut = self.is_cut or drawn < self.length
        del self._items[drawn:], self._open[drawn:]
        if 1 not in self._open:
            self.ended.set()

    def take(self, one: Record | Conclude) -> None:
        """Take what became of some of its items; items of other blocks are left out."""
        start, stop = extent(one)
        start, stop = max(start, self.first) - self.first, min(stop, self.stop) - self.first
        self._open[start:stop] = bytes(stop - start)
        if isinstance(one, Record):
            for failed in one.answer.failures:  # they run again, or are told of by themselves
                self._open[failed.position - self.first] = 1
            one = one._replace(columns=[*map(bytes, one.columns)])
            self.settled.append(moved(one, -self.first, range(stop - start)))
            self._bytes += sum(map(len, one.columns))
        else:
            part = one.block._replace(first=start, items=range(stop - start), packed=None)
            self.settled.append(one._replace(block=part))
        if self._bytes > RESULT_BYTES:
            self.give_back()
        if 1 not in self._open:
            self.ended.set()

    def cancel(self) -> None:
        """Everything that is open was cancelled."""
        start = self._open.find(1)
        while start >= 0:
            stop = self._open.find(0, start)
            stop = len(self._open) if stop < 0 else stop
            block = Block(0, start, range(stop - start))
            self.settled.append(Conclude(block, "cancelled", CANCELLED))
            start = self._open.find(1, stop)
        self.ended.set()

    def fail(self, error: BaseException) -> None:
        """It can't be finished."""
        self.error = error
        self.ended.set()


class Node:
    """A node's part in a run.

    Args:
        task: What is run.
        threads: How many workers the pool has, unless the settings say so.
    """

    def __init__(self, task: NodeTask, threads: int) -> None:
        self._task = task
        self._threads = threads
        self._lock = threading.Lock()
        self._pool: Pool | None = None
        self._call: MapCall | None = None
        self._feed: SimpleQueue[NodeBlock | None] = SimpleQueue()
        self._blocks: list[NodeBlock] = []
        self._kept: dict[int, NodeBlock] = {}
        self._idle_since = 0.0
        self._is_cancelled = False
        self._is_closed = False

    def begin(self, items: list[Any], most_s: float) -> NodeBlock:
        """Run a block.

        Args:
            items: Its items.
            most_s: What its pool has not drawn after so long is given back.

        Raises:
            BlockDropped: This node has ended.
            FsworkersError: There can be no pool.
        """
        with self._lock:
            if self._is_closed:
                raise BlockDropped("the node has ended")
            block = NodeBlock(items, most_s)
            if self._is_cancelled:
                block.cancel()
                return block
            if self._pool is None:
                self._open()
            self._blocks.append(block)
            self._feed.put(block)
        return block

    def look(self, block: NodeBlock, number: int) -> bool:
        """Whether a block, perhaps just now, has given back a part and goes on: it is kept then."""
        with self._lock:
            if block.is_late:
                for one in dropwhile(lambda one: one is not block, self._blocks):
                    one.give_back()
            goes_on = block.is_cut and not block.ended.is_set()
            if goes_on:
                self._kept[number] = block
            return goes_on

    def again(self, number: int) -> NodeBlock:
        """A block that has given back a part.

        Raises:
            BlockDropped: It is not here.
        """
        if (block := self._kept.pop(number, None)) is None:
            raise BlockDropped("it is not kept")
        return block

    def cancel(self, *, aborts: bool) -> None:
        """Start nothing more of the run, and end what runs if that is wanted."""
        with self._lock:
            self._is_cancelled = True
            if self._call is not None:
                (self._call.abort if aborts else self._call.cancel)()

    def drop(self, reason: str) -> None:
        """End the pool at once, and fail the blocks that it has; another block starts a new one."""
        with self._lock:
            pool = self._pool
            for block in self._detach(pool):
                block.fail(BlockDropped(reason))
        if pool is not None:
            pool.kill()

    def close(self) -> None:
        """End at once; no block will be run here any more."""
        self._is_closed = True
        self.drop("the node has ended")

    def statistics(self) -> PoolStatistics | None:
        """The pool's figures; ``None`` without one."""
        pool = self._pool
        return None if pool is None else replace(pool.statistics(), at_work=())

    def _open(self) -> None:
        task = self._task
        self._pool = Pool.of(
            replace(
                task.settings,
                workers=task.settings.workers or self._threads,
                initializer=enter_run,
                initargs=(task.directory, task.import_path, task.initializer),
            )
        )
        self._feed = SimpleQueue()
        try:
            self._call = self._pool.begin_task(
                task.task, self._portions(self._feed), batched=True, divided=True
            )
        except BaseException:
            self._pool = None
            raise
        threading.Thread(
            target=self._serve,
            args=(self._pool, self._call, self._feed),
            name="fsworkers-node",
            daemon=True,
        ).start()

    def _portions(self, feed: SimpleQueue[NodeBlock | None]) -> Iterator[list[Any]]:
        """The items of all blocks, as the pool draws them."""
        at = 0
        while (block := feed.get()) is not None:
            while items := self._draw(block, at):
                at += len(items)
                yield items
            yield []  # nothing that the pool tells reaches over this

    def _draw(self, block: NodeBlock, at: int) -> list[Any]:
        with self._lock:
            return block.draw(at)

    def _serve(self, pool: Pool, call: MapCall, feed: SimpleQueue[NodeBlock | None]) -> None:
        """Hand out what the pool tells to the blocks that it is of."""
        error: BaseException | None = None
        self._idle_since = monotonic()
        try:
            for arrived in call.settled(wait_s=LOOK_S):
                with self._lock:
                    self._hand_out(arrived)
                    if self._is_idle():
                        self._detach(pool)
                        break
        except Exception as raised:  # noqa: BLE001  (it is raised where the blocks are waited for)
            error = raised
        with self._lock:
            for block in self._detach(pool):
                if error is None and self._is_cancelled:
                    block.cancel()
                else:
                    block.fail(error or BlockDropped("its pool has ended"))
        feed.put(None)
        pool.kill()

    def _detach(self, pool: Pool | None) -> list[NodeBlock]:
        """Let go of a pool that ends, and of its blocks; none are left if that was done before."""
        if self._pool is not pool:
            return []
        self._pool = self._call = None
        blocks, self._blocks = self._blocks, []
        return blocks

    def _hand_out(self, arrived: Iterable[Record | Conclude]) -> None:
        for one in arrived:
            start, stop = extent(one)
            for block in self._blocks:
                if block.first < stop and start < block.stop:
                    block.take(one)
        self._blocks = [block for block in self._blocks if not block.ended.is_set()]

    def _is_idle(self) -> bool:
        now = monotonic()
        if self._blocks:
            self._idle_since = now
        return now - self._idle_since > IDLE_S


def unseen(samples: Iterable[tuple[str, int | None]]) -> str | None:
    """The first path that is not here as the run's client has it.

    Args:
        samples: Paths with the sizes of those that are files. Sizes are compared and not inodes,
            which some network file systems number anew at each mount.
    """
    for path, size in samples:
        try:
            status = os.stat(path)
        except OSError:
            return path
        if size is not None and status.st_size != size:
            return path
    return None
