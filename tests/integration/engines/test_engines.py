"""One contract for every engine, and ``process_tree`` over them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fsworkers import Outcome, ScanOptions, Skip, process_tree
from fsworkers.engines.process_tree import open_engine
from fsworkers.engines.run import Run
from fsworkers.errors import BadOption, BadSetting, TaskNotFound
from fsworkers.model import Entry
from fsworkers.pool import outcomes
from fsworkers.pool.run_block import encode_values
from fsworkers.pool.settings import PoolSettings
from fsworkers.scan.errors import PathNotFound
from fsworkers.tasks.checksum import Checksum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsworkers.engines.engine import Engine
    from tests.integration.engines.clusters import Cluster


@pytest.fixture(scope="session", params=["local", "inline", "dask"])
def name(request: pytest.FixtureRequest) -> str:
    """Each engine in turn, as it is named."""
    if request.param != "dask":
        return str(request.param)
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.engine


@pytest.fixture
def engine(name: str) -> Iterator[Engine]:
    """Each engine in turn."""
    engine = open_engine(name, PoolSettings(workers=2, retries=1))
    yield engine
    engine.close()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Thirty files in folders, and a FIFO."""
    root = tmp_path / "tree"
    for number in range(30):
        folder = root / f"{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.txt").write_text("x" * number)
    os.mkfifo(root / "fifo")
    return root


def outcomes_of(engine: Engine, function: object, items: list[str], **how: bool) -> list[Outcome]:
    """Everything that an engine yields."""
    everything = engine.settled(function, [items], encode_values, **{"ordered": False, **how})  # type: ignore[arg-type]
    return [
        outcome
        for arrived in everything
        for one in arrived
        for outcome in outcomes.outcomes_of(one)
    ]


def shout(word: str) -> str:
    """A plain task."""
    return word.upper()


async def shout_later(word: str) -> str:
    """A coroutine task."""
    await asyncio.sleep(0)
    return word.upper()


def decline(word: str) -> str:
    """A task that declines one item and fails in passing on another."""
    if word == "b":
        raise Skip("not wanted")
    if word == "c":
        raise ConnectionError("in passing")
    return word


def overwrite(path: str) -> str:
    """A task that alters its file, and fails after that for one name."""
    file = Path(path)
    file.write_text("altered")
    os.utime(file, ns=(5, 5))
    if file.name == "bad":
        raise ValueError("bad")
    return path


async def overwrite_later(path: str) -> str:
    """The same as a coroutine."""
    return overwrite(path)


@pytest.mark.parametrize("function", [overwrite, overwrite_later, Checksum()])
def test_outcomes_tell_the_file_as_it_was(engine: Engine, tmp_path: Path, function: object) -> None:
    """Size and modification time are those from before the task, of failed files too."""
    for name in ("good", "bad"):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, ns=(0, 1_234_567_891))
    items = [str(tmp_path / name) for name in ("good", "bad", "missing")]
    told = outcomes_of(engine, function, items, ordered=True)
    assert [(one.size, one.mtime_ns) for one in told[:2]] == [
        (4, 1_234_567_891),
        (3, 1_234_567_891),
    ]
    assert (told[2].size, told[2].mtime_ns) == (None, None)


@pytest.mark.parametrize("function", [shout, shout_later])
def test_each_item_has_its_outcome(engine: Engine, function: object) -> None:
    """Plain and coroutine functions give one outcome an item, in order when asked."""
    told = outcomes_of(engine, function, ["a", "b", "c"], ordered=True)
    assert [(one.path, one.status, one.value) for one in told] == [
        ("a", "done", "A"),
        ("b", "done", "B"),
        ("c", "done", "C"),
    ]


def test_skips_and_retries(engine: Engine) -> None:
    """A task may decline a file; a failure that may pass is tried again."""
    told = outcomes_of(engine, decline, ["a", "b", "c"], ordered=True)
    assert [(one.status, one.attempts, one.error) for one in told] == [
        ("done", 1, None),
        ("skipped", 1, "not wanted"),
        ("failed", 2, "ConnectionError: in passing"),
    ]
    assert engine.statistics().retries == 1


def test_closing_stops_the_engine(engine: Engine) -> None:
    """A consumer that stops ends the run."""
    batches = ([str(number)] for number in range(10**9))
    everything = engine.settled(shout, batches, encode_values, ordered=False)
    while not next(everything):
        pass
    engine.cancel()
    told = [
        outcome
        for arrived in everything
        for one in arrived
        for outcome in outcomes.outcomes_of(one)
    ]
    assert len(told) < 100_000


def test_process_tree_in_one_call(tree: Path, tmp_path: Path, name: str) -> None:
    """Checksums of a tree, with outcomes passed on and written, and everything counted."""
    seen: list[Outcome] = []
    output = tmp_path / "out.sha256"
    summary = process_tree(tree, output=output, on_outcome=seen.append, workers=2, engine=name)
    assert (summary.found, summary.done, summary.skipped) == (31, 30, 1)
    assert summary.bytes == sum(range(30))
    digests = {one.path: one.value for one in seen if one.status == "done"}
    assert digests == {
        str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in tree.glob("*/*.txt")
    }
    lines = output.read_text().splitlines()
    assert sorted(lines) == sorted(f"{digest}  {path}" for path, digest in digests.items())


def test_process_tree_with_own_function_and_filters(tree: Path) -> None:
    """A function of one's own, only on what the filters leave."""
    seen: list[Outcome] = []
    summary = process_tree(
        [tree / "0", tree / "1"],
        len,
        filters=ScanOptions(globs=("1*.txt",)),
        on_outcome=seen.append,
        workers=1,
    )
    assert summary.found == summary.done == len(seen) == 8
    assert all(outcome.value == len(outcome.path) for outcome in seen)


def test_ordered_run_keeps_entries_in_place(engine: Engine) -> None:
    """What the scan settles itself stands among the outcomes where it was found."""
    found: list[list[str] | Entry] = [
        ["a"],
        Entry("x", "skipped", "FIFO"),
        ["b", "c"],
        Entry("y", "failed", "gone"),
    ]
    run = Run(engine, shout, found, ordered=True, wants_outcomes=True)
    told = [portion for portion in run.portions() if portion is not None]
    paths = [outcome.path for portion in told for outcome in portion.outcomes]
    assert paths == ["a", "x", "b", "c", "y"]
    assert (run.summary().found, run.has_scan_ended) == (5, True)


def test_bad_input_is_refused_before_anything_runs(tree: Path) -> None:
    """A path, task or setting that can't be is an error of its own kind."""
    with pytest.raises(PathNotFound, match="nowhere"):
        process_tree(tree / "nowhere")
    with pytest.raises(TaskNotFound, match="checksum"):
        process_tree(tree, "no such task")
    with pytest.raises(BadOption, match="sha256"):
        process_tree(tree, options={"algorithm": "crc"})
    with pytest.raises(BadSetting, match="timeout"):
        process_tree(tree, timeout=1.0, engine="inline")


def test_vanished_file_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    """A file that is gone by the time of its job fails with the system's words."""
    engine = open_engine("inline", PoolSettings())
    (outcome,) = outcomes_of(engine, Checksum(), [str(tmp_path / "gone")])
    assert outcome.status == "failed"
    assert str(outcome.error).startswith("FileNotFoundError: [Errno 2]")
    assert json.loads(json.dumps(outcome.size)) is None
