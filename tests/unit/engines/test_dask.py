"""The engine over a client that is a script: what a scheduler tells at the worst moment."""

from __future__ import annotations

import pickle
import time
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
        self.last_seen: dict[str, float] = {}
        self.cancelled: list[Any] = []

    def scheduler_info(self, *, n_workers: int) -> Mapping[str, Mapping[str, Any]]:
        """Which nodes there are."""
        assert n_workers == -1
        return {
            "workers": {
                one: {"nthreads": count, "last_seen": self.last_seen.get(one, time.time())}
                for one, count in self.nodes.items()
            }
        }

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
        assert order.packed is not None
        count = order.packed.length
        answer = Answer(0, 0, 0, count, 0, 0.1, [], NO_DESCRIPTORS)
        settled: list[Any] = [Record(Block(0, 0, range(count)), answer, [b""])]
        told = pickle.dumps(Report(workers[0], settled, count, None))
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


class StoppedNode(Client):
    """The first node is there, and says nothing any more."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes = {"first": 1, "second": 1}
        self.last_seen = {"first": 1.0}

    def submit(self, _task: object, packed: bytes, *, workers: list[str], **how: object) -> Any:
        """Answer for the second."""
        future = super().submit(_task, packed, workers=workers, **how)
        self.nodes = {"first": 1, "second": 1}
        if workers == ["first"]:
            future.add_done_callback = lambda _callback: None
        return future


def test_a_node_that_gives_no_sign_of_life_counts_as_gone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """That is said, and others do what it had."""
    monkeypatch.setattr(dask, "judge", lambda _client, nodes, _samples: dict.fromkeys(nodes))
    monkeypatch.setattr(dask, "NODES_S", 0.0)
    monkeypatch.setattr(dask, "SILENT_S", 0.3)
    client: Any = StoppedNode()
    engine = dask.DaskEngine(client, PoolSettings())
    settled = engine.settled(len, [[f"{number}" for number in range(9)]], ordered=False)
    told = [item for arrived in settled for one in arrived for item in one.block.items]
    assert sorted(told) == [f"{number}" for number in range(9)]
    assert [one.message for one in caplog.records] == [
        "first has been silent for 0 s; others do its part"
    ]
