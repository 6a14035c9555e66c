"""The engine ``dask`` beside the engine ``local``, and beside one future of Dask a file.

``python -m benchmarks.cluster TREE [--workers 2]`` starts a scheduler and as many single-worker
nodes on loopback, and prints files a second, from the first block that came back to the last: what
it takes to start either is left out. ``--memory FILES`` prints how large the client's process, with
the scheduler in it, gets over so many paths. ``--simulate FILES`` asks the scheduling of the client
alone, with a thousand nodes that answer at once.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import pickle
import platform
import resource
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from benchmarks.commands import SMALL_BYTES
from benchmarks.figures import Bar, Line
from benchmarks.functions import digest
from benchmarks.measure import Contestant, run
from benchmarks.peers import OURS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.conditions import Conditions
    from benchmarks.measure import Sample

FUTURES = 2000
"""So many files are enough to see what a future each costs."""


LOCAL, FUTURES_EACH = "the engine local", "a Dask future a file"
FEW = "100,000 paths"


def engines(conditions: Conditions) -> list[Line]:
    """The engine ``dask``, two nodes with half of the workers each, beside the others."""
    tree = conditions.grove.tree(conditions.pick(full=100_000, short=20_000), SMALL_BYTES)
    output = conditions.scratch / "engines.json"

    def turn() -> Sample:
        workers = ["--workers", str(conditions.workers)]
        run(conditions.python("-m", "benchmarks.cluster", str(tree.root), *workers, output=output))
        told: Sample = json.loads(output.read_text())
        return told

    def sizes() -> Sample:
        run(conditions.python("-m", "benchmarks.cluster", "--memory", "100000", output=output))
        few: Sample = json.loads(output.read_text())
        run(conditions.python("-m", "benchmarks.cluster", "--memory", "1000000", output=output))
        many: Sample = json.loads(output.read_text())
        return {"few": few["rss_bytes"], "many": many["rss_bytes"]}

    has_dask = importlib.util.find_spec("distributed") is not None
    missing = None if has_dask else "pip install 'fsworkers[dask]'"
    race = conditions.race([Contestant(OURS, turn, missing)], full=3, short=1)
    grown = conditions.race([Contestant(OURS, sizes, missing)], full=1, short=1)
    peers = {LOCAL: "local_per_s", FUTURES_EACH: "futures_per_s"}
    return [
        Line(
            "dask",
            "files a second once they run, engine dask",
            "/s",
            race.measured(OURS, "dask_per_s"),
            [replace(race.measured(OURS, key), name=name) for name, key in peers.items()],
            [Bar(0.75, LOCAL), Bar(10.0, FUTURES_EACH)],
            is_more_better=True,
        ),
        Line(
            "dask", "a task of Dask that does nothing", "s", race.measured(OURS, "task_s"), [], []
        ),
        Line(
            "dask",
            "memory of the client and its scheduler, 1,000,000 paths",
            "B",
            grown.measured(OURS, "many"),
            [replace(grown.measured(OURS, "few"), name=FEW)],
            [Bar(1.25, FEW)],
        ),
    ]


def rate(engine: Any, batches: Any) -> float:
    """Files a second of an engine, once its first block has come back."""
    from fsworkers.engines.spans import extent  # noqa: PLC0415  (not with --help)
    from fsworkers.pool.run_block import encode_values  # noqa: PLC0415
    from fsworkers.tasks.checksum import Checksum  # noqa: PLC0415

    files, first, began = 0, 0, 0.0
    for arrived in engine.settled(Checksum(), batches, encode_values, ordered=False):
        for one in arrived:
            start, stop = extent(one)
            files += stop - start
        if files and not first:
            first, began = files, perf_counter()
    return (files - first) / (perf_counter() - began)


def made_up(files: int) -> Iterator[list[str]]:
    """Paths of so many files, of which none is there."""
    for folder in range(files // 1000):
        yield [f"/data/archive/{folder:06}/file-{number:06}.dat" for number in range(1000)]


def memory(files: int) -> Sample:
    """How large this process gets over so many paths, each of which is only measured in length."""
    from fsworkers.engines.cluster import LOCAL_NODES, connect  # noqa: PLC0415  (as above)
    from fsworkers.engines.dask import DaskEngine  # noqa: PLC0415
    from fsworkers.pool.run_block import encode_values  # noqa: PLC0415
    from fsworkers.pool.settings import PoolSettings  # noqa: PLC0415

    with ExitStack() as stack:
        settings = PoolSettings(workers=1)
        client = connect("dask", settings, stack)
        client.wait_for_workers(LOCAL_NODES)
        engine = DaskEngine(client, settings)
        stack.callback(engine.close)
        for _ in engine.settled(len, made_up(files), encode_values, ordered=False):
            pass
    return {"rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def measure(tree: Path, workers: int) -> Sample:
    """Files a second of each."""
    import distributed  # noqa: PLC0415  (not with --help)

    from fsworkers.engines.cluster import LOCAL_NODES, connect  # noqa: PLC0415
    from fsworkers.engines.dask import DaskEngine  # noqa: PLC0415
    from fsworkers.engines.local import LocalEngine  # noqa: PLC0415
    from fsworkers.pool.settings import PoolSettings  # noqa: PLC0415

    batches = [
        sorted(str(path) for path in folder.iterdir())
        for folder in sorted(tree.iterdir())
        if folder.is_dir()
    ]
    paths = [path for batch in batches for path in batch]
    told: dict[str, float] = {}
    with ExitStack() as stack:
        local = LocalEngine(PoolSettings(workers=workers))
        stack.callback(local.close)
        told["local_per_s"] = rate(local, batches)
    with ExitStack() as stack:
        settings = PoolSettings(workers=max(1, workers // LOCAL_NODES))
        client = connect("dask", settings, stack)
        client.wait_for_workers(LOCAL_NODES)
        engine = DaskEngine(client, settings)
        stack.callback(engine.close)
        told["dask_per_s"] = rate(engine, batches)
        began = perf_counter()
        futures = client.map(digest, paths[:FUTURES], pure=False)
        for _ in distributed.as_completed(futures, loop=client.loop):
            pass
        told["futures_per_s"] = FUTURES / (perf_counter() - began)
        began = perf_counter()
        for number in range(100):
            client.submit(len, pickle.dumps([number]), pure=False).result()
        told["task_s"] = (perf_counter() - began) / 100
    return told


class _Nodes:
    """A thousand nodes that are told of and answer at once, as a client sees them."""

    status = "running"

    def __init__(self, count: int, file_s: float) -> None:
        self.scheduler = SimpleNamespace(broadcast=None)
        self.tasks = self.sent_bytes = self.told_bytes = 0
        self._nodes = {f"tcp://10.0.{number >> 8}.{number & 255}:1": 16 for number in range(count)}
        self._file_s = file_s

    def scheduler_info(self, **_how: int) -> dict[str, Any]:
        now = perf_counter()
        nodes = self._nodes.items()
        return {"workers": {one: {"nthreads": n, "last_seen": now} for one, n in nodes}}

    def sync(self, *_args: Any, workers: Sequence[str] = (), **_how: Any) -> dict[str, Any]:
        """Answer what ``cluster.judge`` asks: all have our versions."""
        versions = {name: version(name) for name in ("fsworkers", "distributed")}
        packages = {"python": platform.python_version(), **versions}
        return {node: {"packages": packages} for node in workers}

    run = cancel = register_plugin = unregister_worker_plugin = sync

    def submit(self, _function: Any, packed: bytes, *, workers: list[str], **_how: Any) -> Any:
        from fsworkers.engines.dask_node import Order, Report  # noqa: PLC0415  (as above)
        from fsworkers.pool.actions import Record  # noqa: PLC0415
        from fsworkers.pool.blocks import Block  # noqa: PLC0415
        from fsworkers.pool.wire import NO_DESCRIPTORS, Answer  # noqa: PLC0415

        order: Order = pickle.loads(packed)
        assert order.packed is not None  # nothing is given back here
        count = order.packed.length
        answer = Answer(0, 0, 0, count, 0, count * self._file_s, [], NO_DESCRIPTORS)
        rows = bytes(64 * count)  # what the journal has of a file
        record = Record(Block(0, 0, range(count)), answer, [rows])
        told = pickle.dumps(Report(workers[0], [record], count, None), protocol=5)
        self.tasks += 1
        self.sent_bytes += len(packed)
        self.told_bytes += len(told)
        return SimpleNamespace(
            done=lambda: True,
            result=lambda timeout: told,  # noqa: ARG005  (passed by name)
            release=lambda: None,
            add_done_callback=lambda callback: callback(None),
        )


def simulate(nodes: int, files: int, file_s: float) -> Sample:
    """What the client does for so many files; no scheduler, network or file is there."""
    from fsworkers.engines.dask import DaskEngine  # noqa: PLC0415  (as above)
    from fsworkers.pool.run_block import encode_values  # noqa: PLC0415
    from fsworkers.pool.settings import PoolSettings  # noqa: PLC0415

    client = _Nodes(nodes, file_s)
    engine = DaskEngine(client, PoolSettings())
    began = perf_counter()
    for _ in engine.settled(len, made_up(files), encode_values, ordered=False):
        pass
    seconds = perf_counter() - began
    return {
        "files_per_s": files / seconds,
        "blocks_per_s": client.tasks / seconds,
        "files_a_block": files / client.tasks,
        "sent_bytes_a_file": client.sent_bytes / files,
        "told_bytes_a_file": client.told_bytes / files,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path, nargs="?")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--simulate", type=int, metavar="FILES")
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--file-s", type=float, default=1e-3, help="what a file takes, simulated")
    parser.add_argument("--memory", type=int, metavar="FILES")
    asked = parser.parse_args(arguments)
    if asked.memory:
        print(json.dumps(memory(asked.memory)))
    elif asked.simulate:
        print(json.dumps(simulate(asked.nodes, asked.simulate, asked.file_s)))
    else:
        print(json.dumps(measure(asked.tree, asked.workers)))


if __name__ == "__main__":
    main()
