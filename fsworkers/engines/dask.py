"""The engine for more than one machine: Dask carries blocks, a pool on each node runs them.

Decides how many blocks each node has, how large they are, and what becomes of those that come back
undone. Deaths of workers, time-outs, blame and retries of files are the business of the node's
pool. Dask keeps nothing of a run that would survive its scheduler: the journal does.
"""

from __future__ import annotations

import heapq
import os
import pickle
import sys
from concurrent.futures import CancelledError
from contextlib import ExitStack
from itertools import count
from logging import getLogger
from math import isqrt
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from distributed import KilledWorker, WorkerPlugin, get_worker, secede
from distributed.worker import thread_state
from msgspec.structs import replace

from fsworkers import graceful
from fsworkers.engines.cluster import ClusterLost, NodeFailed, connect, misfits, samples_of
from fsworkers.engines.node import LOOK_S as NODE_LOOK_S
from fsworkers.engines.node import Node, NodeTask, moved
from fsworkers.engines.run import new_run_id
from fsworkers.engines.supply import Supply
from fsworkers.errors import FsworkersError, TaskLoadError
from fsworkers.pool.actions import Conclude, Record
from fsworkers.pool.blocks import Block
from fsworkers.pool.executor import Pool
from fsworkers.pool.failures import CANCELLED, Failure
from fsworkers.pool.pace import Pace
from fsworkers.pool.payload import PackedItems, pack_items, unpack, unpack_items
from fsworkers.pool.run_block import encode_values
from fsworkers.pool.statistics import PoolStatistics, total
from fsworkers.pool.task_function import pickle_initializer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from distributed import Client, Future, Worker

    from fsworkers.pool.settings import PoolSettings
    from fsworkers.pool.story import StoryEvent
    from fsworkers.pool.task_function import Encoder

LOGGER = getLogger("fsworkers")

LOOK_S = 0.1
"""How often a caller gets control while no outcome arrives."""

BLOCK_S = 2.0
"""A block is about so much work of a node: long against what Dask takes for a task (some ms)."""

BLOCK_BYTES = 1 << 20
IN_FLIGHT_BYTES = 1 << 28
"""Paths of a block, and of all blocks that nodes have at one time, as this process keeps them."""

RESULT_BYTES = 1 << 24
"""What a block may come to, as far as that is known from those before."""

MOST_AT_ONCE = 16
"""Blocks that are passed on together, if so many have ended."""

NODES_AT_EASE = 200
"""With more nodes than that blocks are larger in proportion: one client looks at each of them."""

NODES_S = 1.0
"""How often it is asked which nodes there are."""

NO_NODES_S = 10.0
"""After so long without a node, that is said."""

RESULT_S = 10
MOST_ALONE = 4
"""Files of a block that took its node along which are put to the test at once, each for itself."""

MOST_DEATHS = 3
"""So many nodes die with a block before it is taken for the reason."""

MOST_TELLS = 5
"""So often all nodes are told something while some of them die."""

MOST_TRIES = 3
"""So often a block is sent to a node that can't run it."""


class Order(NamedTuple):
    """A block on its way to a node: of which run, its items, and the borders between them."""

    run: str
    packed: PackedItems
    borders: list[int]


class Report(NamedTuple):
    """What a node tells of a block: what became of its items, and how its pool is."""

    node: str
    settled: list[Record | Conclude]
    statistics: PoolStatistics | None


class NodePlugin(WorkerPlugin):  # type: ignore[misc]  # it has no types
    """Has a node keep a pool for a run, also on workers that join later."""

    idempotent = False  # told again, every node has it; nodes that have it already run nothing yet

    def __init__(self, run: str, task: NodeTask) -> None:
        self.name = run
        self.task = task

    def setup(self, worker: Worker) -> None:
        """Put the descriptor layer below Dask too; the pool is started by the first block."""
        graceful.install()
        self.node = Node(self.task, worker.state.nthreads)

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002  (Dask passes it by name)
        """End the pool."""
        self.node.close()


def run_block(packed: bytes) -> bytes:
    """The task of a node: an ``Order`` in, a ``Report`` out; both pickled, so that Dask sees none.

    (A path that is a bare argument would be replaced where it is a live key.)
    """
    order: Order = pickle.loads(packed)
    worker, key = get_worker(), thread_state.key
    node: Node = worker.plugins[order.run].node
    items = [*map(unpack, unpack_items(order.packed.kind, order.packed.frame))]
    secede()  # waiting takes no thread's turn: blocks of a node overlap
    block = node.begin(items, order.borders)
    while not block.ended.wait(NODE_LOOK_S):
        task = worker.state.tasks.get(key)
        if task is None or task.state == "cancelled":
            node.drop("nobody waits for it any more")
    if block.error is not None:
        raise block.error
    report = Report(worker.address, block.settled, node.statistics())
    return pickle.dumps(report, protocol=5)


def cancel_node(run: str, *, aborts: bool, dask_worker: Worker) -> None:
    """Start nothing more of a run on this node."""
    plugin = dask_worker.plugins.get(run)
    if isinstance(plugin, NodePlugin):
        plugin.node.cancel(aborts=aborts)


class _Piece:
    """A block of the run, with what is known of its way.

    A suspect is what nodes have died with; it has a node to itself, so that it blames no others.
    """

    __slots__ = ("borders", "deaths", "first", "future", "is_suspect", "node", "packed", "tries")

    def __init__(
        self, first: int, packed: PackedItems, borders: list[int], *, is_suspect: bool = False
    ) -> None:
        self.first = first
        self.packed = packed
        self.borders = borders
        self.is_suspect = is_suspect
        self.deaths = 0
        self.tries = 0
        self.node: _NodeState | None = None
        self.future: Future[bytes] | None = None

    def items(self) -> list[Any]:
        return [*map(unpack, unpack_items(self.packed.kind, self.packed.frame))]

    def after_death(self) -> _Piece:
        """The same, whose node has died once more."""
        again = _Piece(self.first, self.packed, self.borders, is_suspect=self.is_suspect)
        again.deaths = self.deaths + 1
        return again

    def parts(self) -> list[_Piece]:
        """The same as suspects, as many as each has files: so all are alone after two divisions."""
        items = self.items()
        size = isqrt(len(items) - 1) + 1 if self.packed.length > MOST_ALONE else 1
        pieces = []
        for start in range(0, len(items), size):
            packed = pack_items(items[start : start + size], len(self.packed.frame))
            borders = [border - start for border in self.borders if 0 < border - start < size]
            pieces.append(_Piece(self.first + start, packed, borders, is_suspect=True))
        return pieces


class _NodeState:
    """A node as the client knows it: what it has, and how fast it is."""

    def __init__(self, address: str, workers: int, slots: int) -> None:
        self.address = address
        self.workers = workers
        self.pace = Pace(workers * slots, BLOCK_S)
        self.is_solo = False
        self.pieces = 0
        self.files = 0
        self.statistics = PoolStatistics()

    @property
    def has_room(self) -> bool:
        """Two blocks overlap; where they are of few files, each slot has one at hand."""
        return not self.is_solo and (self.pieces < 2 or self.files < 2 * self.pace.slots)


class DaskEngine:
    """Runs jobs on a cluster.

    Args:
        cluster: A client, or what names a cluster (``cluster.connect``).
        settings: Of each node's pool; as many workers as the node has threads by default.
        roots: Paths that all nodes must see.

    Raises:
        ClusterNotReached: No scheduler is there.
        ClusterMismatch: The versions of a node are not ours.
        PathNotShared: A node does not see a path.
    """

    def __init__(
        self, cluster: Client | str, settings: PoolSettings, roots: Iterable[str] = ()
    ) -> None:
        self._settings = settings
        self._samples = samples_of(roots)
        self._run = f"fsw-{new_run_id()}"
        self._numbers = count()
        self._slots = 1
        self._nodes: dict[str, _NodeState] = {}
        self._known: dict[str, _NodeState | None] = {}
        self._nodes_at = 0.0
        self._alone_since: float | None = monotonic()
        self._ended: SimpleQueue[_Piece] = SimpleQueue()
        self._out: dict[_Piece, None] = {}
        self._again: list[_Piece] = []
        self._suspects: list[_Piece] = []
        self._early: list[tuple[int, int, list[Record | Conclude]]] = []
        self._next_out = 0
        self._result_bytes = 0.0
        self._wish: str | None = None
        self._is_registered = False
        self._stack = ExitStack()
        with ExitStack() as stack:
            is_named = isinstance(cluster, str)
            self._client: Client = connect(cluster, settings, stack) if is_named else cluster
            self._look_at_nodes(is_first=True)
            self._stack = stack.pop_all()

    def settled(
        self,
        function: Callable[[str], Any],
        batches: Iterable[list[str]],
        encode: Encoder = encode_values,
        *,
        ordered: bool,
    ) -> Generator[list[Record | Conclude]]:
        """Yield what became of every path, in lists."""
        self._register(function, encode, ordered=ordered)
        supply = Supply(batches, keeps_borders=ordered)
        told: str | None = None
        try:
            while True:
                if self._wish != told:
                    told = self._wish
                    supply.stop()
                    self._drop(aborts=told == "abort")
                if told is not None:
                    yield self._concluded(supply, ordered=ordered)
                self._look_at_nodes()
                if told is None:
                    self._submit(supply, ordered=ordered)
                if supply.is_over and not (self._out or self._again or self._suspects):
                    break
                yield self._arrived(ordered=ordered)
        finally:
            supply.stop()
            self._leave()
        if supply.error is not None:
            raise supply.error

    def _register(self, function: Callable[[str], Any], encode: Encoder, *, ordered: bool) -> None:
        settings = self._settings
        task = Pool.of(settings).task_of(function, ordered=ordered, wants_size=True, encode=encode)
        self._slots = task.slots
        node_task = NodeTask(
            task._replace(authkey=b""),  # a secret of this process
            replace(settings, retry_on=None, initializer=None, initargs=(), first_workers=None),
            pickle_initializer(settings.initializer, settings.initargs),
            _current_directory(),
            [os.path.abspath(one) for one in sys.path],
        )
        self._known.clear()
        self._nodes_at = 0.0
        plugin = NodePlugin(self._run, node_task)
        self._is_registered = True
        self._insist(lambda: self._client.register_plugin(plugin))

    def _insist(self, tell: Callable[[], object]) -> None:
        """Tell all nodes something, again where one of them died in the midst of it.

        Raises:
            ClusterLost: It is the scheduler that has gone.
        """
        for tries_left in reversed(range(MOST_TELLS)):
            try:
                tell()
                return
            except OSError as error:
                if not tries_left or self._client.status != "running":
                    raise self._lost(error) from error

    # What there is

    def _look_at_nodes(self, *, is_first: bool = False) -> None:
        """Take up nodes that have joined, and forget those that have left."""
        now = monotonic()
        if now < self._nodes_at:
            return
        self._nodes_at = now + NODES_S
        try:
            threads = self._client.nthreads()
            new = [one for one in threads if one not in self._known]
            wrong = misfits(self._client, new, self._samples) if new else {}
        except OSError as error:
            raise self._lost(error) from error
        for address in new:
            workers = self._settings.workers or threads[address]
            self._known[address] = _NodeState(address, workers, self._slots)
        for address, reason in wrong.items():
            if is_first:
                raise reason
            LOGGER.warning("a node that has joined is not used: %s", reason)
            self._known[address] = None
        self._nodes = {
            address: node for address in threads if (node := self._known[address]) is not None
        }
        self._take_back([one for one in self._out if one.node and one.node.address not in threads])
        if self._nodes:
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = now
        elif now - self._alone_since > NO_NODES_S:
            LOGGER.warning("the cluster has had no worker for %d s; waiting", NO_NODES_S)
            self._alone_since = now + 1e9  # once is enough

    def _take_back(self, pieces: list[_Piece]) -> None:
        """Send again what nodes had that are gone; Dask would let it wait for just these for ever.

        It does so with ``allow_other_workers`` too, if there are none at that moment (2026.8).
        """
        if not pieces:
            return
        try:
            self._client.cancel([piece.future for piece in pieces], force=True)
        except OSError as error:
            raise self._lost(error) from error
        for piece in pieces:
            self._forget(piece)
            again = piece.after_death()
            if again.deaths >= MOST_DEATHS:
                self._out[again] = None
                self._ended.put(again)
            else:
                (self._suspects if again.is_suspect else self._again).append(again)

    def _lost(self, error: BaseException) -> ClusterLost:
        return ClusterLost(getattr(error, "reason", None) or str(error) or type(error).__name__)

    # What goes out

    def _submit(self, supply: Supply, *, ordered: bool) -> None:
        """Give every node blocks until it has enough."""
        is_wanted_alone = bool(self._suspects)
        for node in sorted(self._nodes.values(), key=lambda one: one.pieces):
            if is_wanted_alone and not node.is_solo:
                is_wanted_alone = bool(not node.pieces and len(self._suspects) > 1)
                if not node.pieces:
                    node.is_solo = True
                    self._send(self._suspects.pop(), node)
                continue  # else it gets nothing until it has nothing
            while node.has_room and (piece := self._next_piece(node, supply, ordered=ordered)):
                self._send(piece, node)

    def _next_piece(self, node: _NodeState, supply: Supply, *, ordered: bool) -> _Piece | None:
        if self._again:
            return self._again.pop()
        if ordered and len(self._early) > 4 * len(self._nodes):
            return None  # the one that all of them wait for is under way
        nodes = len(self._nodes)
        left = supply.left
        node.pace.block_s = BLOCK_S * max(1.0, nodes / NODES_AT_EASE)
        wanted = node.pace.block_items(left, nodes)
        if self._result_bytes:
            wanted = max(1, min(wanted, int(RESULT_BYTES / self._result_bytes)))
        supply.want(2 * wanted * nodes)
        if not len(supply) or (node.pieces and left is None and len(supply) < wanted):
            return None
        first = supply.taken
        most_bytes = min(BLOCK_BYTES, IN_FLIGHT_BYTES // (2 * nodes))
        return _Piece(first, *supply.take(wanted, most_bytes))

    def _send(self, piece: _Piece, node: _NodeState) -> None:
        order = Order(self._run, piece.packed, piece.borders)
        piece.node = node
        node.pieces += 1
        node.files += piece.packed.length
        self._out[piece] = None
        try:
            piece.future = self._client.submit(
                run_block, pickle.dumps(order, protocol=5), pure=False, retries=0,
                key=f"{self._run}-{next(self._numbers)}",
                workers=[node.address],
            )  # fmt: skip
            piece.future.add_done_callback(lambda _future: self._ended.put(piece))
        except (OSError, RuntimeError, ValueError) as error:
            raise self._lost(error) from error

    # What comes back

    def _arrived(self, *, ordered: bool) -> list[Record | Conclude]:
        """What became of blocks that have ended, or nothing after a while."""
        try:
            piece = self._ended.get(timeout=LOOK_S)
        except Empty:
            if self._client.status != "running":
                raise ClusterLost("its connection is closed") from None
            return []
        due: list[Record | Conclude] = []
        for _ in range(MOST_AT_ONCE):
            settled = self._result_of(piece)
            if settled is not None:
                due += self._emit(piece, settled, ordered=ordered)
            try:
                piece = self._ended.get_nowait()
            except Empty:
                return due
        self._ended.put(piece)  # it is for the next time
        return due

    def _result_of(self, piece: _Piece) -> list[Record | Conclude] | None:
        """What became of a block's items; ``None`` if it is not known yet, or it goes out again."""
        if piece not in self._out:
            return None  # it was sent again, because its node was gone
        if piece.future is None:
            self._forget(piece)
            return self._blamed(piece)
        try:
            packed = piece.future.result(timeout=RESULT_S)
        except TimeoutError:
            self._ended.put(piece)  # its node died with the result, and it runs again
            return None
        except CancelledError as error:
            raise self._lost(error) from error
        except Exception as error:  # noqa: BLE001  (whatever a node raises)
            self._forget(piece)
            return self._undone(piece, error)
        self._forget(piece)
        report: Report = pickle.loads(packed)
        items = piece.items()
        settled = [_placed(one, piece.first, items) for one in report.settled]
        self._learn(piece, report, len(packed))
        return settled

    def _forget(self, piece: _Piece) -> None:
        """It has ended, and its result is let go: kept, it would be made again for nobody."""
        del self._out[piece]
        if piece.node is not None:
            piece.node.pieces -= 1
            piece.node.is_solo = False
            piece.node.files -= piece.packed.length
        if piece.future is not None:
            piece.future.release()

    def _undone(self, piece: _Piece, error: Exception) -> list[Record | Conclude] | None:
        assert piece.node is not None
        if isinstance(error, TaskLoadError):
            raise error
        if isinstance(error, KilledWorker):  # where nodes come back under the same address
            piece.deaths = error.allowed_failures + 1
            return self._blamed(piece)
        piece.tries += 1
        if piece.tries >= MOST_TRIES:
            if isinstance(error, FsworkersError):
                raise error
            reason = f"{type(error).__name__}: {error}"
            raise NodeFailed(piece.node.address, reason) from error
        self._again.append(piece)
        return None

    def _blamed(self, piece: _Piece) -> list[Record | Conclude] | None:
        """Judge a block with which nodes have died: its files are put to the test by themselves."""
        if piece.packed.length > 1 or not piece.is_suspect:
            self._suspects += reversed(piece.parts())
            return None
        failure = Failure(f"its node died {piece.deaths} times while it ran")
        block = Block(0, piece.first, piece.items())
        return [Conclude(block, "crashed", failure, None, piece.deaths)]

    def _learn(self, piece: _Piece, report: Report, size: int) -> None:
        node = self._known.get(report.node) or piece.node
        assert node is not None
        files = piece.packed.length
        self._result_bytes = max(size / files, 0.8 * self._result_bytes)
        busy_s = sum(
            one.answer.busy_s if isinstance(one, Record) else one.duration_s
            for one in report.settled
        )
        node.pace.learn(files, busy_s)
        node.statistics = report.statistics or node.statistics

    def _emit(
        self, piece: _Piece, settled: list[Record | Conclude], *, ordered: bool
    ) -> list[Record | Conclude]:
        """Pass on what is due: in order, if that is wanted."""
        if not ordered:
            return settled
        heapq.heappush(self._early, (piece.first, piece.packed.length, settled))
        due: list[Record | Conclude] = []
        while self._early and self._early[0][0] == self._next_out:
            _, files, settled = heapq.heappop(self._early)
            self._next_out += files
            due += settled
        return due

    # The end

    def _concluded(self, supply: Supply, *, ordered: bool) -> list[Record | Conclude]:
        """What was not sent of a run that is cancelled."""
        waiting = [*self._again, *self._suspects]
        self._again, self._suspects = [], []
        first, paths = supply.taken, supply.drain()
        if paths:
            waiting.append(_Piece(first, pack_items(paths, sys.maxsize), []))
        concluded: list[Record | Conclude] = []
        for piece in waiting:
            block = Block(0, piece.first, piece.items())
            cancelled = Conclude(block, "cancelled", CANCELLED)
            concluded += self._emit(piece, [cancelled], ordered=ordered)
        return concluded

    def _drop(self, *, aborts: bool) -> None:
        """Let nodes begin nothing more."""
        try:
            self._client.run(cancel_node, self._run, aborts=aborts, on_error="ignore")
        except OSError as error:
            raise self._lost(error) from error

    def _futures(self) -> list[Future[bytes]]:
        return [piece.future for piece in self._out if piece.future is not None]

    def _leave(self) -> None:
        """Leave nothing of the run on the cluster."""
        if not self._is_registered:
            return
        self._is_registered = False
        futures = self._futures()
        self._out.clear()
        if self._client.status != "running":
            return
        try:
            if futures:
                self._client.cancel(futures, force=True)
            self._client.unregister_worker_plugin(self._run)
        except OSError as error:
            if self._client.status != "running":  # else it was a node that died just then
                LOGGER.warning("the cluster could not be told that the run has ended: %s", error)

    def cancel(self) -> None:
        """Start nothing more; the outcomes of what runs are still yielded."""
        self._wish = self._wish or "cancel"

    def abort(self) -> None:
        """Start nothing more, and end what runs: its outcomes are ``cancelled``."""
        self._wish = "abort"

    def statistics(self) -> PoolStatistics:
        """The figures of all nodes, as of the last block of each."""
        figures = [node.statistics for node in self._known.values() if node is not None]
        here = self._nodes.values()
        return replace(
            total(figures),
            workers=sum(node.statistics.workers for node in here),
            in_flight=sum(node.files for node in here),
        )

    def story(self) -> Sequence[StoryEvent]:
        """What happens to workers is known to their nodes."""
        return []

    @property
    def worker_count(self) -> int:
        """How many workers all nodes have."""
        return sum(node.workers for node in self._nodes.values())

    def stop(self) -> None:
        """The nodes were let go with the last outcome."""

    def close(self) -> None:
        """Let go of the cluster."""
        self._leave()
        self._stack.close()

    def kill(self) -> None:
        """End what runs."""
        self._leave()


def _placed(one: Record | Conclude, first: int, items: list[Any]) -> Record | Conclude:
    """What a node tells of a block, as of the run."""
    start = one.block.first
    return moved(one, first, items[start : start + len(one.block.items)])


def _current_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""
