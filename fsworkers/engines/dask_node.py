"""What runs on a node of a Dask cluster: a plugin that keeps a ``Node``, the task of a block."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, NamedTuple

from distributed import WorkerPlugin, get_worker, secede
from distributed.worker import thread_state

from fsworkers import graceful
from fsworkers.engines.node import LOOK_S, Node, NodeTask

if TYPE_CHECKING:
    from distributed import Worker

    from fsworkers.pool.actions import Conclude, Record
    from fsworkers.pool.payload import PackedItems
    from fsworkers.pool.statistics import PoolStatistics


class Order(NamedTuple):
    """A block on its way to a node.

    Attributes:
        run: Of which run.
        number: The block's.
        packed: Its items; ``None`` for the end of what has given back a part under this number.
        most_s: How long a pool may draw them.
    """

    run: str
    number: int
    packed: PackedItems | None
    most_s: float


class Report(NamedTuple):
    """What a node tells of a block: what became of its first items, and how its pool is.

    Attributes:
        node: Its address.
        settled: What became of them.
        length: How many they are; the others are given back.
        statistics: Figures of the pool.
        done: How many have ended, of a block that goes on without what it has given back.
    """

    node: str
    settled: list[Record | Conclude]
    length: int
    statistics: PoolStatistics | None
    done: int | None = None


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
    items = None if order.packed is None else order.packed.items()
    secede()  # waiting takes no thread's turn: blocks of a node overlap
    block = node.again(order.number) if items is None else node.begin(items, order.most_s)
    report = None
    while report is None and not block.ended.wait(LOOK_S):
        task = worker.state.tasks.get(key)
        if task is None or task.state == "cancelled":
            node.drop("nobody waits for it any more")
        elif items is not None and node.look(block, order.number):
            report = Report(worker.address, [], block.length, node.statistics(), block.done)
    if block.error is not None:
        raise block.error
    if report is None:
        report = Report(worker.address, block.settled, block.length, node.statistics())
    return pickle.dumps(report, protocol=5)


def cancel_node(run: str, *, aborts: bool, dask_worker: Worker) -> None:
    """Start nothing more of a run on this node."""
    plugin = dask_worker.plugins.get(run)
    if isinstance(plugin, NodePlugin):
        plugin.node.cancel(aborts=aborts)
