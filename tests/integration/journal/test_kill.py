"""``kill -9`` of the master at any moment, and what ``resume`` makes of it."""

from __future__ import annotations

import json
import os
import random
from collections import Counter

import psutil
import pytest

from tests.integration.journal.conftest import Workplace, rows


def wait_until_gone(processes: list[psutil.Process]) -> None:
    """Wait until all have ended; they notice within a second, on a busy machine a little later."""
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert not alive, f"orphans: {alive}"


def kill_and_resume(place: Workplace, files: int, moment: float) -> None:
    """Kill a run once ``moment`` of its files were executed, and see what resuming comes to.

    Files are executed faster than their outcomes travel, so what is recorded then is anything
    between nothing and all of them.
    """
    for old in ("out.jsonl", "executed.log"):
        (place.root / old).unlink(missing_ok=True)
    log = place.root / "executed.log"
    master = place.start("process", "tree", "--call", "mine:logged", "-o", "out.jsonl", "-q")
    target = moment * sum(len(f"tree/{number // 100}/{number}\n") for number in range(files))
    while master.poll() is None and not (log.exists() and log.stat().st_size >= target):
        os.sched_yield()
    below: list[psutil.Process] = []
    if master.poll() is None:
        below = psutil.Process(master.pid).children(recursive=True)
        master.kill()
    master.communicate()
    wait_until_gone(below)
    assert not list(place.temporary.iterdir())
    runs = place.runs()
    assert runs[-1]["state"] in {"killed", "finished"}
    recorded = {row["path"] for row in place.shown() if row["status"] == "done"}
    before = Counter(place.executed())
    resumed = place.run("resume", "--no-progress")
    assert resumed.returncode == 0, resumed.stderr
    executed = Counter(place.executed())
    assert all(executed[path] == before[path] == 1 for path in recorded)
    assert len(executed) == files
    paths = [row["path"] for row in place.shown()]
    assert len(paths) == len(set(paths)) == files
    lines = rows((place.root / "out.jsonl").read_bytes())
    assert [line["path"] for line in lines] == paths
    assert {line["status"] for line in lines} == {"done"}
    assert {line["value"] == line["path"].upper() for line in lines} == {True}
    (last,) = [run for run in place.runs() if run["run"] == runs[-1]["run"]]
    assert (last["state"], last["found"], last["done"]) == ("finished", files, files)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(one, marks=pytest.mark.slow) for one in range(1, 5))]
)
def test_killed_master_is_resumed(place: Workplace, seed: int) -> None:
    """Each file has one outcome, nothing recorded runs again, no process or socket is left."""
    place.make_files(1000)
    kill_and_resume(place, 1000, random.Random(seed).random())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_master_is_resumed_at_fifty_moments(place: Workplace) -> None:
    """The same at 50 moments of a run over 5,000 files."""
    place.make_files(5000)
    moments = random.Random(0)
    for _ in range(50):
        kill_and_resume(place, 5000, moments.random())


def test_killed_again_in_the_resume(place: Workplace) -> None:
    """A resume that is killed itself is resumed: what it recorded stands as well."""
    place.make_files(600)
    master = place.start("process", "tree", "--call", "mine:slow", "-o", "out.jsonl", "-q")
    for count in (50, 200):
        place.wait_for_executed(count)
        below = psutil.Process(master.pid).children(recursive=True)
        master.kill()
        master.communicate()
        wait_until_gone(below)
        recorded = {row["path"] for row in place.shown()}
        assert recorded
        if count == 50:
            master = place.start("resume", "-q")
    before = Counter(place.executed())
    assert place.run("resume", "-q").returncode == 0
    after = Counter(place.executed())
    assert all(after[path] == before[path] for path in recorded)
    lines = rows((place.root / "out.jsonl").read_bytes())
    assert len({line["path"] for line in lines}) == len(lines) == 600
    summary = json.loads(place.run("runs", "--json").stdout)
    assert (summary["found"], summary["done"]) == (600, 600)
