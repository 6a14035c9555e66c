"""The engine over a client that is a script: what a scheduler tells at the worst moment."""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from fsworkers.pool.actions import Record
from fsworkers.pool.blocks import Block
from fsworkers.pool.settings import PoolSettings
from fsworkers.pool.wire import NO_DESCRIPTORS, Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

pytest.importorskip("distributed", reason="fsworkers[dask] is not installed")

from fsworkers.engines import dask
from fsworkers.engines.dask_node import Order, Report


class Client:
    """Nodes that answer at once, the first one with a result that is lost with it."""

    status = "running"
    scheduler = SimpleNamespace(broadcast=None)

    def __init__(self) -> None:
        self.nodes = {"first": 1}
        self.cancelled: list[Any] = []

    def nthreads(self) -> Mapping[str, int]:
        """Which nodes there are."""
        return self.nodes

    def register_plugin(self, plugin: object) -> None:
        """Nobody is there to hear it."""

    unregister_worker_plugin = register_plugin

    def cancel(self, futures: list[Any], *, force: bool) -> None:
        """Keep what was taken back."""
        assert force
        self.cancelled += futures

    def submit(self, _task: object, packed: bytes, *, workers: list[str], **_how: object) -> Any:
        """Answer."""
        order: Order = pickle.loads(packed)
        count = order.packed.length
        answer = Answer(0, 0, 0, count, 0, 0.1, [], NO_DESCRIPTORS)
        settled: list[Any] = [Record(Block(0, 0, range(count)), answer, [b""])]
        told = pickle.dumps(Report(workers[0], settled, None))
        is_lost = workers == ["first"]
        self.nodes = {"second": 1}
        return SimpleNamespace(
            done=lambda: not is_lost,
            result=lambda timeout: told,
            release=lambda: None,
            add_done_callback=lambda callback: callback(None),
        )


def test_a_result_that_is_lost_with_its_node_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is not waited for: its block goes to the next node."""
    monkeypatch.setattr(dask, "judge", lambda _client, nodes, _samples: dict.fromkeys(nodes))
    monkeypatch.setattr(dask, "NODES_S", 0.0)
    client: Any = Client()
    engine = dask.DaskEngine(client, PoolSettings())
    settled = engine.settled(len, [["a", "b"]], ordered=False)
    told = [item for arrived in settled for one in arrived for item in one.block.items]
    assert sorted(told) == ["a", "b"]
    assert client.cancelled
