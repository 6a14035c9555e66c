"""The library's ways to run over a tree, and what is told meanwhile."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fsworkers import (
    BatchCommand,
    BlockDetails,
    Command,
    LoggingObserver,
    Observer,
    Outcome,
    Pool,
    ProgressBar,
    PrometheusTextfile,
    RunDetails,
    WorkerDetails,
    open_tree,
    process_tree,
)
from fsworkers.cli import commands
from fsworkers.cli.config import options_of
from fsworkers.engines.process_tree import PoolOptions, TreeOptions
from fsworkers.errors import BadOption, BadSetting
from fsworkers.pool.settings import PoolSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Forty files, whose names are numbers."""
    folder = tmp_path / "tree"
    folder.mkdir()
    for number in range(40):
        (folder / str(number)).write_text("x" * number)
    return folder


def length(path: str) -> int:
    """Bytes; one file fails."""
    if path.endswith("13"):
        raise ValueError(path)
    return os.path.getsize(path)


def test_a_run_is_iterated_over(tree: Path) -> None:
    """Outcome by outcome, then the summary; left early, nothing more is started."""
    with open_tree(tree, length, workers=2) as run:
        outcomes = list(run)
    assert Counter(one.status for one in outcomes) == {"done": 39, "failed": 1}
    assert (run.summary.found, run.summary.failed) == (40, 1)
    with open_tree(tree, length, workers=1, ordered=True) as run:
        assert next(iter(run)).ok
    assert 0 < run.summary.found <= 40
    for use in (list, lambda one: one.summary):
        with pytest.raises(RuntimeError, match="entered first: with open_tree"):
            use(open_tree(tree, length))


def test_unchanged_files_are_skipped_with_their_values(tree: Path, tmp_path: Path) -> None:
    """As with ``--changed``; without a journal there is nothing to compare with."""
    journal = tmp_path / "runs.db"
    process_tree(tree, length, journal=journal)
    (tree / "5").write_text("longer")
    outcomes: list[Outcome] = []
    process_tree(tree, length, journal=journal, changed=True, on_outcome=outcomes.append)
    assert Counter(one.status for one in outcomes) == {"skipped": 38, "done": 1, "failed": 1}
    assert {one.value for one in outcomes if one.status == "skipped"} >= {0, 1, 39}
    (tree / "6").unlink()
    summary = process_tree(tree, length, journal=journal, changed=True, engine="inline")
    assert (summary.found, summary.missing) == (39, 1)
    with pytest.raises(BadSetting, match="changed is True; give a journal"):
        process_tree(tree, length, changed=True)
    with pytest.raises(TypeError, match="unexpected keyword argument 'worker'"):
        process_tree(tree, length, worker=1)  # type: ignore[call-arg]


def test_a_task_that_is_told_where_to_looks_by_itself(tree: Path, tmp_path: Path) -> None:
    """With a journal as without: ``update`` decides, and no other task takes ``to``."""
    for update in ("time", "always", "always"):
        summary = process_tree(
            tree,
            "copy",
            options={"to": str(tmp_path / "mirror"), "update": update},
            journal=tmp_path / "runs.db",
            engine="inline",
        )
        assert summary.done == 40
    other = tmp_path / "other"
    other.mkdir()
    (other / "7").touch()
    with pytest.raises(BadOption, match=r"'.*/7' and '.*/7' would both become '.*/one/7'"):
        process_tree([tree, other], "copy", options={"to": str(tmp_path / "one")})
    assert not (tmp_path / "one").exists()
    with pytest.raises(BadOption, match="--to is for a command"):
        process_tree(tree, "checksum", to=str(tmp_path / "out/{rel}"))


def test_one_table_of_settings() -> None:
    """What a pool can be told, ``process_tree`` and the command line can be told too."""
    ours = {"first_workers", "prints_to"}
    fields = set(PoolSettings.__struct_fields__) - ours
    assert PoolOptions.__annotations__.keys() == fields
    of_pool = inspect.signature(Pool).parameters
    assert fields <= of_pool.keys()
    for name in fields & of_pool.keys():
        assert of_pool[name].default == getattr(PoolSettings(), name), name
    typed = {
        "max_rss_bytes": "max-rss", "install": "no-install", "filters": "glob",
        "ordered": "keep-order", "options": "option", "room": "memfree",
    }  # fmt: skip
    only_in_python = {
        "max_deaths", "ready_timeout", "grace", "initializer", "initargs", "engine", "observers",
    }  # fmt: skip
    known = options_of(commands.process)
    for name in TreeOptions.__annotations__.keys() - only_in_python:
        assert typed.get(name, name.replace("_", "-")) in known, name


class Seen(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.all: list[Any] = []

    def on_run(self, details: RunDetails) -> None:
        """Keep it."""
        self.all.append(details)

    def on_block(self, details: BlockDetails) -> None:
        """Keep it."""
        self.all.append(details)

    def on_outcome(self, outcome: Outcome) -> None:
        """Keep it."""
        self.all.append(outcome)

    def on_worker(self, details: WorkerDetails) -> None:
        """Keep it."""
        self.all.append(details)

    def of(self, kind: type) -> list[Any]:
        """What there is of a kind."""
        return [one for one in self.all if isinstance(one, kind)]


def die_once(path: str) -> str:
    """The first time, the worker is killed."""
    mark = Path(path).parent.parent / "died"
    if path.endswith("7") and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return path


def test_observers_are_told(tree: Path) -> None:
    """Of the run's beginning and end, of blocks that add up, each outcome, a worker's death."""
    seen = Seen()
    summary = process_tree(tree, die_once, workers=2, observers=[seen])
    begin, end = seen.of(RunDetails)
    assert (begin.summary, end.summary.found, end.run) == (None, 40, summary.run)
    assert seen.all[0] is begin
    assert seen.all[-1] is end
    blocks = seen.of(BlockDetails)
    assert sum(one.done + one.others for one in blocks) == blocks[-1].all_files == 40
    assert len({one.path for one in seen.of(Outcome)}) == 40
    told = [one.what for one in seen.of(WorkerDetails)]
    assert sum(one.startswith("died") for one in told) == 1
    assert told.count("ready") >= 2


def test_what_comes_with_it(
    tree: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """A log, a file for Prometheus, a bar: each with the run's own figures."""
    caplog.set_level(logging.INFO, "fsworkers")
    figures = tmp_path / "f.prom"
    observers = [LoggingObserver(), PrometheusTextfile(figures), ProgressBar()]
    process_tree(tree, length, observers=observers)
    assert any("failed: " in one.message and "13" in one.message for one in caplog.records)
    lines = figures.read_text().splitlines()
    assert {"fsworkers_running 0", "fsworkers_files 40"} < set(lines)
    assert 'fsworkers_outcomes{status="failed"} 1' in lines
    assert "40/40" in capsys.readouterr().out


def test_a_summary_in_a_notebook(tree: Path) -> None:
    """As a table, without zeros."""
    shown = process_tree(tree, length)._repr_html_()
    assert "<td>39</td>" in shown
    assert "crashed" not in shown


async def numbers() -> AsyncIterator[int]:
    """From an event loop."""
    for number in range(500):
        if number % 100 == 0:
            await asyncio.sleep(0)
        yield number


def double(number: int) -> int:
    """Twice as much."""
    return 2 * number


def slow(number: int) -> int:
    """Takes a while."""
    threading.Event().wait(0.05)
    return number


@pytest.mark.parametrize("items", [range(500), None])
def test_amap_lets_the_event_loop_go_on(items: range | None) -> None:
    """Outcomes come as they do from ``map``, in order if asked; another task runs meanwhile."""

    async def main() -> tuple[list[Any], int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        ticking = asyncio.create_task(tick())
        with Pool(2) as pool:
            arriving = pool.amap(double, numbers() if items is None else items, ordered=True)
            values = [one.value async for one in arriving]
        ticking.cancel()
        return values, ticks

    values, ticks = asyncio.run(main())
    assert values == [2 * number for number in range(500)]
    assert ticks > 5


def test_a_cancelled_amap_starts_nothing_more() -> None:
    """The task is cancelled while it waits; the pool is of use afterwards."""

    def endless() -> Iterator[int]:
        number = 0
        while True:
            drawn.append(number)
            yield number
            number += 1

    drawn: list[int] = []

    async def main() -> list[Any]:
        with Pool(1) as pool:

            async def consume() -> None:
                async for _ in pool.amap(slow, endless()):
                    pass

            task = asyncio.create_task(consume())
            await asyncio.sleep(0.5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            count = len(drawn)
            after = [one.value async for one in pool.amap(double, [1, 2], ordered=True)]
            assert len(drawn) <= count + 1
            return after

    assert asyncio.run(main()) == [2, 4]


def test_amap_takes_what_map_takes() -> None:
    """Several iterables, a time limit; of asynchronous ones a single one."""
    names = [[*inspect.signature(one).parameters] for one in (Pool.map, Pool.amap)]
    assert names[0] == names[1]

    async def main() -> None:
        with Pool(2) as pool:
            powers = pool.amap(pow, [2, 3], [3, 2], ordered=True, chunksize=5)
            assert [one.value async for one in powers] == [8, 9]
            with pytest.raises(TimeoutError):
                async for _ in pool.amap(slow, range(1000), timeout=0.3):
                    pass
            assert [one.value async for one in pool.amap(double, [1], timeout=30)] == [2]
            with pytest.raises(TypeError, match="not iterable"):
                pool.amap(pow, [1], numbers())  # type: ignore[call-overload]

    asyncio.run(main())


def test_a_command_above_its_memory_is_ended(tree: Path) -> None:
    """As with ``--max-rss``: it is the command that is looked at."""
    code = "import threading; b = b'x' * 200_000_000; threading.Event().wait(20)"
    command = Command([sys.executable, "-c", code])
    outcomes: list[Outcome] = []
    process_tree(tree / "1", command, max_rss_bytes=100 << 20, on_outcome=outcomes.append)
    assert "more memory than 104,857,600 bytes" in str(outcomes[0].error)


def test_a_command_on_many_files_at_once(tree: Path) -> None:
    """As ``-X`` with ``--batch-size`` and ``--bisect``: only what it fails on has failed."""
    command = BatchCommand(
        ["sh", "-c", 'for one; do test -s "$one" || exit 3; done; echo $#', "sh"],
        size=10,
        bisect=True,
    )
    with open_tree(tree, command, ordered=True, workers=2) as run:
        outcomes: list[Any] = list(run)
    assert [one.path for one in outcomes if one.status == "failed"] == [str(tree / "0")]
    assert run.summary.done == 39
    counts = [int(one.value["stdout"]) for one in outcomes if one.ok and "stdout" in one.value]
    assert sum(counts) == 39
    assert max(counts) == 10
    with pytest.raises(BadSetting, match="size is 0; give a whole number of at least 1"):
        BatchCommand(["echo"], size=0)
    with pytest.raises(TypeError, match="takes a list of paths"):
        command(str(tree / "1"))
