"""The engine for more than one machine: Dask carries blocks, a pool on each node runs them.

What each node is to have, and what becomes of what nodes die with, is ``allotment``'s to decide.
Deaths of workers, time-outs, blame and retries of files are the business of the node's pool. Dask
keeps nothing of a run that would survive its scheduler: the journal does.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
from concurrent.futures import CancelledError
from contextlib import ExitStack
from logging import getLogger
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any

from distributed import KilledWorker
from msgspec.structs import replace

from fsworkers.engines.allotment import Allotment
from fsworkers.engines.cluster import ClusterLost, NodeFailed, connect, judge, samples_of
from fsworkers.engines.dask_node import NodePlugin, Order, Report, cancel_node, run_block
from fsworkers.engines.node import NodeTask
from fsworkers.engines.run import new_run_id
from fsworkers.engines.supply import Supply
from fsworkers.errors import FsworkersError, TaskLoadError
from fsworkers.pool.actions import Record
from fsworkers.pool.executor import Pool
from fsworkers.pool.run_block import encode_values
from fsworkers.pool.statistics import PoolStatistics, total
from fsworkers.pool.task_function import pickle_initializer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from distributed import Client, Future

    from fsworkers.pool.actions import Conclude
    from fsworkers.pool.settings import PoolSettings
    from fsworkers.pool.story import StoryEvent
    from fsworkers.pool.task_function import Encoder

LOGGER = getLogger("fsworkers")

LOOK_S = 0.1
"""How often a caller gets control while no outcome arrives."""

NODES_S = 1.0
"""How often it is asked which nodes there are."""

NO_NODES_S = 10.0
"""After so long without a node, that is said."""

SILENT_S = 30.0
"""After so long without a sign of life (there are some a minute), a node counts as gone."""

TELL_S = 5.0
"""So long nodes may take to answer that they have let go: one of them may be stopped."""

RESULT_S = 10
"""So long a result may take that is there: its node may be gone, which is noticed before that."""

MOST_AT_ONCE = 16
"""Blocks that are passed on together, if so many have ended."""

MOST_TELLS = 5
"""So often all nodes are told something while some of them die."""


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

    runs_several = False

    def __init__(
        self, cluster: Client | str, settings: PoolSettings, roots: Iterable[str] = ()
    ) -> None:
        self._settings = settings
        self._samples = samples_of(roots)
        self._run = ""
        self._workers: dict[str, int] = {}
        self._judged: dict[str, bool] = {}
        self._signs: dict[str, tuple[float, float]] = {}
        self._silent: set[str] = set()
        self._nodes_at = 0.0
        self._alone_since: float | None = monotonic()
        self._futures: dict[int, Future[bytes]] = {}
        self._ended: SimpleQueue[int] = SimpleQueue()
        self._late: list[int] = []
        self._figures: dict[str, PoolStatistics] = {}
        self._files_out = 0
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
        slots = self._register(function, encode, ordered=ordered)
        self._nodes_at = 0.0
        supply = Supply(batches, keeps_borders=ordered)
        # One more than of workers: nodes are lost more easily for reasons of their own.
        max_deaths = self._settings.max_deaths + 1
        allotment = Allotment(supply, ordered=ordered, max_deaths=max_deaths)
        told: str | None = None
        try:
            while True:
                if self._wish != told:
                    told = self._wish
                    supply.stop()
                    self._drop(aborts=told == "abort")
                if told is not None:
                    yield allotment.cancel()
                yield self._take_back(allotment, slots)
                if told is None:
                    self._submit(allotment)
                self._files_out = allotment.files_out
                if allotment.is_over:
                    break
                yield self._arrived(allotment)
        finally:
            supply.stop()
            self._leave()
        if supply.error is not None:
            raise supply.error

    def _register(self, function: Callable[[str], Any], encode: Encoder, *, ordered: bool) -> int:
        """Have all nodes know the task; how many files a worker of theirs runs at one time."""
        settings = self._settings
        self._run = f"fsw-{new_run_id()}"  # what a call before this one left has its own
        task = Pool.of(settings).task_of(function, ordered=ordered, wants_size=True, encode=encode)
        node_task = NodeTask(
            task._replace(authkey=b""),  # a secret of this process
            replace(settings, retry_on=None, initializer=None, initargs=(), first_workers=None),
            pickle_initializer(settings.initializer, settings.initargs),
            _current_directory(),
            [os.path.abspath(one) for one in sys.path],
        )
        plugin = NodePlugin(self._run, node_task)
        self._is_registered = True
        self._insist(lambda: self._client.register_plugin(plugin))
        return task.slots

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
                    raise _lost(error) from error

    # What there is

    def _look_at_nodes(self, *, is_first: bool = False) -> bool:
        """Look now and then which nodes there are, and which of them are fit; whether it did."""
        now = monotonic()
        if now < self._nodes_at:
            return False
        self._nodes_at = now + NODES_S
        try:
            threads = self._threads_of_living(now)
            new = [address for address in threads if address not in self._judged]
            judged = judge(self._client, new, self._samples) if new else {}
        except OSError as error:
            raise _lost(error) from error
        for address, reason in judged.items():
            self._judged[address] = reason is None
            if reason is not None and is_first:
                raise reason
            if reason is not None:
                LOGGER.warning("a node that has joined is not used: %s", reason)
        self._workers = {
            address: self._settings.workers or count
            for address, count in threads.items()
            if self._judged.get(address)
        }
        if self._workers:
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = now
        elif now - self._alone_since > NO_NODES_S:
            LOGGER.warning("the cluster has had no worker for %d s; waiting", NO_NODES_S)
            self._alone_since = now + 1e9  # once is enough
        return True

    def _threads_of_living(self, now: float) -> dict[str, int]:
        """How many threads each node has, of those that have given a sign of life lately.

        By when signs change, as told by our clock: others may go otherwise.
        """
        nodes = self._client.scheduler_info(n_workers=-1)["workers"]
        signs: dict[str, tuple[float, float]] = {}
        for address, node in nodes.items():
            known = self._signs.get(address)
            sign = node["last_seen"]
            signs[address] = known if known is not None and known[0] == sign else (sign, now)
        self._signs = signs
        silent = {address for address, (_, since) in signs.items() if now - since > SILENT_S}
        for address in silent - self._silent:
            LOGGER.warning("%s has been silent for %d s; others do its part", address, SILENT_S)
        self._silent = silent
        return {one: node["nthreads"] for one, node in nodes.items() if one not in silent}

    def _take_back(self, allotment: Allotment, slots: int) -> list[Record | Conclude]:
        """Take back what nodes had that are gone; Dask would let it wait for just these for ever.

        It does so with ``allow_other_workers`` too, if there are none at that moment (2026.8).
        """
        if not self._look_at_nodes():
            return []
        for number in self._late:
            self._ended.put(number)
        self._late.clear()
        nodes = {address: count * slots for address, count in self._workers.items()}
        lost = allotment.see(nodes)
        try:
            if lost:
                self._client.cancel([self._futures[number] for number in lost], force=True)
        except OSError as error:
            raise _lost(error) from error
        told: list[Record | Conclude] = []
        for number in lost:
            self._release(number)
            told += allotment.died(number)
        return told

    # What goes out

    def _submit(self, allotment: Allotment) -> None:
        """Send every node what it is to have."""
        for number, piece, address in allotment.due():
            order = Order(self._run, number, piece.packed, allotment.patience_s)
            self._send(number, address, order)

    def _send(self, number: int, address: str, order: Order) -> None:
        try:
            self._futures[number] = future = self._client.submit(
                run_block, pickle.dumps(order, protocol=5), pure=False, retries=0,
                key=f"{self._run}-{number}",
                workers=[address],
            )  # fmt: skip
        except (OSError, RuntimeError, ValueError) as error:
            raise _lost(error) from error
        future.add_done_callback(lambda _future: self._ended.put(number))

    # What comes back

    def _arrived(self, allotment: Allotment) -> list[Record | Conclude]:
        """What is to be told of blocks that have ended, or nothing after a while."""
        told: list[Record | Conclude] = []
        try:
            told += self._result_of(self._ended.get(timeout=LOOK_S), allotment)
            for _ in range(MOST_AT_ONCE - 1):
                told += self._result_of(self._ended.get_nowait(), allotment)
        except Empty:
            if self._client.status != "running":
                raise ClusterLost("its connection is closed") from None
        return told

    def _result_of(self, number: int, allotment: Allotment) -> list[Record | Conclude]:
        if allotment.node_of(number) is None:
            return []  # it was gone, and the block has gone out again
        try:
            packed = self._fetch(number)
        except CancelledError as error:
            raise _lost(error) from error
        except KilledWorker:  # where nodes come back under the same address
            self._release(number)
            return allotment.died(number)
        except Exception as error:  # noqa: BLE001  (whatever a node raises)
            self._try_again(number, error, allotment)
            return []
        if packed is None:
            self._late.append(number)
            return []
        self._release(number)
        report: Report = pickle.loads(packed)
        if report.statistics is not None:
            self._figures[report.node] = report.statistics
        if report.done is not None:
            goes_on = Order(self._run, number, None, allotment.patience_s)
            self._send(
                *allotment.given_back(number, length=report.length, done=report.done), goes_on
            )
            return []
        busy_s = sum(
            one.answer.busy_s if isinstance(one, Record) else one.duration_s
            for one in report.settled
        )
        return allotment.ended(number, report.settled, length=report.length, busy_s=busy_s)

    def _fetch(self, number: int) -> bytes | None:
        """A block's result; ``None`` if its node died with it: it may be made again."""
        future = self._futures[number]
        try:
            return future.result(timeout=RESULT_S) if future.done() else None
        except TimeoutError:
            return None

    def _try_again(self, number: int, error: Exception, allotment: Allotment) -> None:
        """Send a block again that its node could not run, unless that is no use.

        Raises:
            TaskLoadError: No node can load the task.
            FsworkersError: It was tried often enough, and this is the last one's reason.
        """
        node = allotment.node_of(number) or ""
        self._release(number)
        if isinstance(error, TaskLoadError):
            raise error
        if not allotment.refused(number):
            if isinstance(error, FsworkersError):
                raise error
            raise NodeFailed(node, f"{type(error).__name__}: {error}") from error

    def _release(self, number: int) -> None:
        """Let a result go at once: kept, it would be made again for nobody if its node died."""
        self._futures.pop(number).release()

    # The end

    def _drop(self, *, aborts: bool) -> None:
        """Let nodes begin nothing more.

        Raises:
            ClusterLost: The scheduler has gone.
        """
        run = self._client.run
        if error := _told(lambda: run(cancel_node, self._run, aborts=aborts, on_error="ignore")):
            raise _lost(error) from error

    def _leave(self) -> None:
        """Leave nothing of the run on the cluster."""
        if not self._is_registered:
            return
        self._is_registered = False
        futures = [*self._futures.values()]
        self._futures.clear()
        self._files_out = 0
        if self._client.status != "running":
            return

        def let_go() -> None:
            if futures:
                self._client.cancel(futures, force=True)
            self._client.unregister_worker_plugin(self._run)

        error = _told(let_go)
        if error and self._client.status != "running":  # else it was a node that died just then
            LOGGER.warning("the cluster could not be told that the run has ended: %s", error)

    def cancel(self) -> None:
        """Start nothing more; the outcomes of what runs are still yielded."""
        self._wish = self._wish or "cancel"

    def abort(self) -> None:
        """Start nothing more, and end what runs: its outcomes are ``cancelled``."""
        self._wish = "abort"

    def statistics(self) -> PoolStatistics:
        """The figures of all nodes, as of the last block of each."""
        figures = total([*self._figures.values()])
        return replace(figures, workers=self.worker_count, in_flight=self._files_out)

    def story(self) -> Sequence[StoryEvent]:
        """What happens to workers is known to their nodes."""
        return []

    @property
    def worker_count(self) -> int:
        """How many workers all nodes have."""
        return sum(self._workers.values())

    def stop(self) -> None:
        """The nodes were let go with the last outcome."""

    def close(self) -> None:
        """Let go of the cluster."""
        self._leave()
        self._stack.close()

    def kill(self) -> None:
        """End what runs."""
        self._leave()


def _told(tell: Callable[[], object]) -> OSError | None:
    """Tell all nodes something; what went wrong with it by the time they are given for that."""
    failed: list[OSError] = []

    def run() -> None:
        try:
            tell()
        except OSError as error:
            failed.append(error)

    teller = threading.Thread(target=run, name="fsworkers-teller", daemon=True)
    teller.start()
    teller.join(TELL_S)
    return failed[0] if failed else None


def _lost(error: BaseException) -> ClusterLost:
    return ClusterLost(getattr(error, "reason", None) or str(error) or type(error).__name__)


def _current_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""
