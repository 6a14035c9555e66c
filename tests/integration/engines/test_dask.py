"""What goes wrong on a cluster, with a real scheduler, real workers and real deaths."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from fsworkers import Outcome, process_tree
from fsworkers.engines import allotment
from fsworkers.engines.cluster import ClusterLost, ClusterNotReached, PathNotShared
from fsworkers.engines.process_tree import open_engine
from fsworkers.errors import BadSetting
from fsworkers.pool import outcomes
from fsworkers.pool.run_block import encode_values
from fsworkers.pool.settings import PoolSettings
from tests.integration.engines.clusters import Cluster, end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest.importorskip("distributed", reason="fsworkers[dask] is not installed")

LONGEST_S = 30.0


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for a condition, looking now and then."""
    pause = threading.Event()
    for _ in range(int(LONGEST_S / 0.05)):
        if condition():
            return
        pause.wait(0.05)
    raise AssertionError(f"it did not come about within {LONGEST_S} s")


def fsworkers(*arguments: str) -> subprocess.Popen[str]:
    """Start the command line."""
    return subprocess.Popen(
        [sys.executable, "-m", "fsworkers", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A thousand small files."""
    root = tmp_path / "tree"
    for folder in range(10):
        (root / f"{folder}").mkdir(parents=True)
        for number in range(100):
            (root / f"{folder}" / f"{number}").write_text(f"{number}")
    return root


def kill_worker(path: str) -> str:
    """A task that kills its worker on two files."""
    if path.endswith(("/3/33", "/7/77")):
        os.kill(os.getpid(), signal.SIGKILL)
    return path


def take_a_while(path: str) -> str:
    """A task of some milliseconds."""
    threading.Event().wait(0.005)
    return path


def take_a_quarter(path: str) -> str:
    """A task of a quarter of a second."""
    threading.Event().wait(0.25)
    return path


def kill_node(path: str) -> str:
    """A task that kills the whole node on one file."""
    if path.endswith("/3/33"):
        os.kill(os.getppid(), signal.SIGKILL)
        threading.Event().wait(60)
    return path


def sleep_long(path: str) -> str:
    """A task that is not done before the test is."""
    subprocess.run(["sleep", "600"], check=False)
    return path


def test_what_nodes_give_back_goes_out_again(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files take longer than their first blocks were made for, and all are done once, in order."""
    monkeypatch.setattr(allotment, "PATIENCE", 0.1)
    for number in range(40):
        (tmp_path / f"{number}").touch()
    expected: list[str] = []
    process_tree(tmp_path, len, engine="inline", on_outcome=lambda one: expected.append(one.path))
    seen: list[str] = []
    summary = process_tree(
        tmp_path, take_a_quarter, engine=cluster.engine, ordered=True,
        on_outcome=lambda one: seen.append(one.path),
    )  # fmt: skip
    assert (summary.found, summary.done) == (40, 40)
    assert seen == expected


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_files_that_kill_their_worker_are_blamed_alone(cluster: Cluster, tree: Path) -> None:
    """In blocks that travel to nodes too, only what had been begun is suspected."""
    seen: list[Outcome] = []
    summary = process_tree(tree, kill_worker, engine=cluster.engine, on_outcome=seen.append)
    assert (summary.found, summary.done, summary.crashed) == (1000, 998, 2)
    crashed = {one.path for one in seen if one.status == "crashed"}
    assert crashed == {str(tree / "3" / "33"), str(tree / "7" / "77")}
    assert len({one.path for one in seen}) == 1000


def test_halves_of_a_batch_run_after_all_batches(
    cluster: Cluster, tree: Path, tmp_path: Path
) -> None:
    """Until the culprits are alone, two of them in one batch."""
    script = "for f; do case $f in */3/33|*/3/34) exit 3;; esac; done"
    batches = ("--batch-size", "250", "--bisect", "-X", "sh", "-c", script, "sh")
    output = tmp_path / "r.jsonl"
    run = fsworkers(
        "process",
        str(tree),
        "--no-journal",
        "-o",
        str(output),
        "--engine",
        cluster.engine,
        *batches,
    )
    _, said = run.communicate(timeout=LONGEST_S)
    assert run.returncode == 1
    assert "1,000 files: 998 done, 2 failed" in said
    told = [json.loads(line) for line in output.read_text().splitlines()]
    failed = [one["path"] for one in told if one["status"] != "done"]
    assert sorted(failed) == [f"{tree}/3/33", f"{tree}/3/34"]
    assert len({one["path"] for one in told}) == 1000


def test_order_is_kept(cluster: Cluster, tree: Path) -> None:
    """An ordered run tells files in the order in which they were found."""
    client = cluster.client()
    expected: list[str] = []
    process_tree(tree, len, engine="inline", on_outcome=lambda one: expected.append(one.path))
    seen: list[str] = []
    process_tree(
        tree, len, engine=client, ordered=True, on_outcome=lambda one: seen.append(one.path)
    )
    client.close()
    assert seen == expected


def test_a_client_that_is_killed_leaves_nothing_running(cluster: Cluster, tmp_path: Path) -> None:
    """Nodes notice that nobody waits, and end their pools with what tasks have started."""
    (tmp_path / "file").write_text("x")
    run = fsworkers(
        "process",
        str(tmp_path),
        "--engine",
        cluster.engine,
        "--no-journal",
        "-x",
        "sh",
        "-c",
        "sleep 600; :",
    )
    wait_until(lambda: any("sleep" in one.name() for one in cluster.pool_workers()))
    run.kill()
    run.communicate()
    wait_until(lambda: not cluster.pool_workers())


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_run_that_is_aborted_leaves_nothing_running(cluster: Cluster, tmp_path: Path) -> None:
    """What runs is ended and ``cancelled``, and no worker is left on the nodes."""
    items = [str(tmp_path / f"{number}") for number in range(4)]
    engine = open_engine(cluster.engine, PoolSettings(workers=1))
    told: list[Outcome] = []
    for arrived in engine.settled(sleep_long, [items], encode_values, ordered=False):
        if any("sleep" in one.name() for one in cluster.pool_workers()):
            engine.abort()
        told += [one for each in arrived for one in outcomes.outcomes_of(each)]
    engine.close()
    assert Counter(one.status for one in told) == {"cancelled": 4}
    wait_until(lambda: not cluster.pool_workers())


def test_what_can_not_be_is_refused_in_a_line(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a journal is begun: a scheduler that is not there, a node that sees no such file."""
    (tmp_path / "file").write_text("x")
    journal = tmp_path / "journal.db"
    with pytest.raises(BadSetting, match="dask:FILE"):
        process_tree(tmp_path, engine="dask:")
    with pytest.raises(ClusterNotReached, match="No such file"):
        process_tree(tmp_path, engine=f"dask:{tmp_path / 'nowhere.json'}", journal=journal)
    with pytest.raises(ClusterNotReached, match="no scheduler file"):
        process_tree(tmp_path, engine=f"dask:{tmp_path / 'file'}", journal=journal)
    with pytest.raises(BadSetting, match=r"distributed\.Client"):
        process_tree(tmp_path, engine=42, journal=journal)
    client = cluster.client()
    client.close()
    with pytest.raises(ClusterNotReached, match="closed"):
        process_tree(tmp_path, engine=client, journal=journal)
    monkeypatch.setattr(
        "fsworkers.engines.dask.samples_of", lambda _roots: [(str(tmp_path / "file"), 2)]
    )
    with pytest.raises(PathNotShared, match="file"):
        process_tree(tmp_path, engine=cluster.engine, journal=journal)
    assert not journal.exists()


def test_what_listens_and_is_no_scheduler_is_said(tmp_path: Path) -> None:
    """As where somebody gives the port of another service."""
    (tmp_path / "file").write_text("x")
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()

        def speak() -> None:
            with suppress(OSError):
                connection, _ = server.accept()
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        speaker = threading.Thread(target=speak, daemon=True)
        speaker.start()
        with pytest.raises(ClusterNotReached, match="no Dask scheduler is reached there"):
            process_tree(tmp_path, engine=f"dask://{host}:{port}")
        speaker.join()


def test_files_behind_urls_run_on_a_cluster(cluster: Cluster, tree: Path) -> None:
    """Nodes fetch them by themselves, and are not asked whether they see them."""
    here = tree / "3"
    there: list[Outcome] = []
    process_tree(f"file://{here}", engine=cluster.engine, on_outcome=there.append)
    assert {one.path for one in there} == {f"file://{here}/{number}" for number in range(100)}
    assert {one.status for one in there} == {"done"}


@pytest.fixture
def nursed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose workers have nannies."""
    with Cluster(tmp_path_factory.mktemp("nursed"), nannies=True) as cluster:
        cluster.wait()
        yield cluster


def worker_processes(cluster: Cluster) -> list[psutil.Process]:
    """The processes that the nannies look after."""
    found = []
    for nanny in cluster.workers:
        with suppress(psutil.NoSuchProcess):
            found += [
                one
                for one in psutil.Process(nanny.pid).children()
                if "spawn_main" in " ".join(one.cmdline())
            ]
    return found


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_nodes_come_and_go_and_the_scheduler_too(
    nursed: Cluster, tree: Path, tmp_path: Path
) -> None:
    """Deaths of workers and nannies cost nothing; the scheduler's stops the run, to be resumed."""
    journal, output = tmp_path / "runs.db", tmp_path / "out.jsonl"
    arguments = ["--journal", str(journal)]
    run = fsworkers(
        "process", str(tree), "--engine", nursed.engine, "--no-progress", "-o", str(output),
        "--call", "tests.integration.engines.test_dask:take_a_while", *arguments,
    )  # fmt: skip
    so_far = Path(f"{output}.partial")
    wait_until(lambda: so_far.exists() and so_far.stat().st_size)
    worker_processes(nursed)[0].kill()
    end(nursed.workers[1])
    nursed.add_worker()
    before = so_far.stat().st_size
    wait_until(lambda: so_far.stat().st_size > before)
    nursed.scheduler.kill()
    _, said = run.communicate(timeout=LONGEST_S)
    assert run.returncode == 3, said
    assert "the Dask scheduler is lost" in said
    assert "resume with: fsworkers resume" in said
    nursed.restart_scheduler()
    for worker in nursed.workers:
        end(worker)
    nursed.workers.clear()
    nursed.add_worker()
    again = fsworkers("resume", "--no-progress", *arguments)
    _, said = again.communicate(timeout=LONGEST_S)
    assert again.returncode == 0, said
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert Counter(one["status"] for one in lines) == {"done": 1000}
    assert len({one["path"] for one in lines}) == 1000


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_file_that_kills_its_node_is_found(nursed: Cluster, tree: Path) -> None:
    """Its block is divided until it is alone; all others are done."""
    seen: list[Outcome] = []
    process_tree(tree / "3", kill_node, engine=nursed.engine, on_outcome=seen.append)
    assert Counter(one.status for one in seen) == {"done": 99, "crashed": 1}
    (crashed,) = [one for one in seen if one.status == "crashed"]
    assert (crashed.path, crashed.error) == (
        str(tree / "3" / "33"),
        "its node died 3 times while it ran",
    )


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="limits are set by Linux's prlimit")
def test_few_descriptors_on_the_nodes_are_enough(
    tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """At a limit of 64 for everything on a node, all files are done."""
    with Cluster(tmp_path_factory.mktemp("poor"), nodes=1, open_files=64) as poor:
        poor.wait()
        summary = process_tree(tree, engine=poor.engine, workers=2)
        assert (summary.found, summary.done) == (1000, 1000)
        assert summary.descriptors.limit == 64


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(100))
def test_chaos(seed: int, tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Workers of both kinds and nannies are killed at random, others join: one outcome each."""
    chance = random.Random(seed)
    seen: list[Outcome] = []
    failed: list[BaseException] = []

    def run(cluster: Cluster) -> None:
        try:
            process_tree(
                tree, take_a_while, engine=cluster.engine, on_outcome=seen.append, workers=2,
                max_deaths=10, ordered=chance.random() < 0.3,
            )  # fmt: skip
        except BaseException as error:  # noqa: BLE001  (told below)
            failed.append(error)

    with Cluster(tmp_path_factory.mktemp("chaos"), nannies=True) as cluster:
        cluster.wait()
        thread = threading.Thread(target=run, args=(cluster,))
        thread.start()
        deaths = 0
        while thread.is_alive():
            thread.join(chance.uniform(0.2, 2.0))
            if all(nanny.poll() is not None for nanny in cluster.workers):
                cluster.add_worker()  # a nanny gives up when its worker dies at the start
            if deaths < 6:
                deaths += strike(cluster, chance)
        assert not failed, failed
    assert Counter(one.status for one in seen) == {"done": 1000}
    assert len({one.path for one in seen}) == 1000


def strike(cluster: Cluster, chance: random.Random) -> int:
    """Do one bad thing."""
    what: Any = chance.choice(["worker", "node", "nanny", "join"])
    if what == "join" and len(cluster.workers) < 4:
        cluster.add_worker()
        return 0
    if what == "nanny" and len(cluster.workers) > 1:
        gone = cluster.workers.pop(chance.randrange(len(cluster.workers)))
        end(gone)
        return 1
    victims = worker_processes(cluster) if what == "node" else cluster.pool_workers()
    if victims:
        with suppress(psutil.NoSuchProcess):
            chance.choice(victims).kill()
        return 1
    return 0


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_scheduler_that_is_lost_is_said_from_python(tmp_path: Path) -> None:
    """``process_tree`` raises; what was told before stands."""
    (tmp_path / "tree").mkdir()
    for number in range(500):
        (tmp_path / "tree" / f"{number}").write_text("x")
    with Cluster(tmp_path, nodes=1) as cluster:
        cluster.wait()
        with pytest.raises(ClusterLost, match="lost"):
            process_tree(
                tmp_path / "tree", take_a_while, engine=cluster.engine,
                on_outcome=lambda _one: cluster.scheduler.kill(),
            )  # fmt: skip
