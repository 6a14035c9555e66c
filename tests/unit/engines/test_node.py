"""What a node tells of its blocks, and what a cluster is refused for."""

from __future__ import annotations

import importlib.metadata
import platform
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fsworkers
from fsworkers.engines import cluster
from fsworkers.engines.cluster import PathNotShared, check_engine, judge, samples_of
from fsworkers.engines.node import RESULT_BYTES, NodeBlock, unseen
from fsworkers.engines.spans import extent, moved
from fsworkers.engines.supply import Supply
from fsworkers.errors import BadSetting
from fsworkers.pool.actions import Conclude, Record
from fsworkers.pool.blocks import Block
from fsworkers.pool.failures import Failure
from fsworkers.pool.payload import unpack_items
from fsworkers.pool.wire import NO_DESCRIPTORS, Answer, Failed

if TYPE_CHECKING:
    from pathlib import Path


def record(start: int, stop: int, *failed: int) -> Record:
    """What a pool tells of a span in which some items failed."""
    failures = [Failed(position, Failure("E: no"), 0.1) for position in failed]
    answer = Answer(0, 0, start, stop, 0, 0.1, failures, NO_DESCRIPTORS)
    return Record(Block(0, start, [f"{n}" for n in range(start, stop)]), answer, [b"column"])


def drawn(count: int, *, at: int) -> NodeBlock:
    """A block whose items the pool has drawn."""
    block = NodeBlock([f"{n}" for n in range(count)], most_s=1.0)
    while block.draw(at):
        pass
    return block


def test_a_block_has_ended_when_each_item_is_settled() -> None:
    """Items that failed are open until they are told of by themselves."""
    block = drawn(5, at=10)
    block.take(record(10, 13, 11))
    block.take(record(13, 15))
    assert not block.ended.is_set()
    block.take(Conclude(Block(0, 11, ["11"]), "failed", Failure("E: no")))
    assert block.ended.is_set()
    assert [extent(one) for one in block.settled] == [(0, 3), (3, 5), (1, 2)]
    back = moved(block.settled[0], 100, ["a", "b", "c"])
    assert (extent(back), back.block.items) == ((100, 103), ["a", "b", "c"])
    assert isinstance(back, Record)
    assert [one.position for one in back.answer.failures] == [101]


def test_what_is_concluded_over_a_border_is_divided() -> None:
    """A span of cancelled items may reach over several blocks; each takes its own."""
    blocks = [drawn(3, at=0), drawn(4, at=3)]
    cancelled = Conclude(Block(0, 1, [*"bcdef"]), "cancelled", Failure("cancelled"))
    for block in blocks:
        block.take(cancelled)
    assert [[extent(one) for one in block.settled] for block in blocks] == [[(1, 3)], [(0, 3)]]


@given(st.lists(st.integers(0, 19), unique=True))
def test_cancelling_concludes_exactly_what_is_open(settled: list[int]) -> None:
    """Each item has one outcome, whatever was settled before."""
    block = drawn(20, at=0)
    for index in settled:
        block.take(record(index, index + 1))
    block.cancel()
    told = [index for one in block.settled for index in range(*extent(one))]
    assert sorted(told) == list(range(20))


@given(st.integers(1, 50), st.integers(1, 50), st.booleans())
def test_what_is_not_drawn_in_time_is_given_back(count: int, turns: int, is_large: bool) -> None:
    """Or when results have become many: what was drawn is finished, and there is always some."""
    block = NodeBlock([f"{n}" for n in range(count)], most_s=-1.0 if not is_large else 9.0)
    assert not block.is_late  # its turn has not come
    for _ in range(turns):
        block.draw(7)
    length = block.stop - block.first
    assert block.is_late == (length < count and not is_large)
    if is_large and length > 1:
        rows = bytes(RESULT_BYTES + 1)
        block.take(record(7, block.stop - 1)._replace(columns=[rows]))
    else:
        block.give_back()
    assert (block.length, block.ended.is_set()) == (length, False)
    assert block.is_cut == (length < count)
    assert block.draw(7) == []
    block.take(record(7 if block.done == 0 else block.stop - 1, block.stop))
    assert block.ended.is_set()
    assert block.done == length


def test_of_what_is_not_drawn_everything_is_given_back() -> None:
    """A block behind one that takes long has ended with nothing."""
    block = NodeBlock(["a", "b"], most_s=1.0)
    block.give_back()
    assert (block.length, block.is_cut, block.ended.is_set(), block.settled) == (0, True, True, [])
    assert block.draw(3) == []


@given(st.lists(st.lists(st.text("ab", max_size=3), max_size=4), max_size=20), st.integers(1, 7))
def test_supply_gives_everything_in_order(batches: list[list[str]], most: int) -> None:
    """Blocks together are the input, and each place of an empty list is between two of them."""
    supply = Supply(batches, keeps_borders=True)
    taken: list[str] = []
    borders = {0}
    while not supply.is_over:
        if not len(supply):
            continue
        first = supply.taken
        packed = supply.take(most, 10**6)
        assert packed.length
        taken += unpack_items(packed.kind, packed.frame)
        borders |= {first, first + packed.length}
    everything = [one for batch in batches for one in batch]
    assert taken == everything
    count = 0
    for batch in batches:
        count += len(batch)
        assert batch or count in borders


def test_supply_raises_what_the_scan_raised() -> None:
    """After what it had found before."""

    def batches() -> Any:
        yield ["a"]
        raise OSError("gone")

    supply = Supply(batches(), keeps_borders=False)
    while supply.left is None:
        pass
    assert (len(supply), supply.is_over, str(supply.error)) == (1, False, "gone")
    assert supply.drain() == ["a"]
    assert supply.is_over


@pytest.mark.parametrize(
    "name", ["local", "inline", "dask", "dask://h:1", "dask://[::1]:8786", "dask:f.json"]
)
def test_engines_have_names(name: str) -> None:
    """What names one is taken."""
    check_engine("--engine", name)


@pytest.mark.parametrize("name", ["", "dusk", "dask:", "dask://", "dask://h", "dask://h:x", "ray"])
def test_what_names_no_engine_is_refused(name: str) -> None:
    """With what would be one."""
    with pytest.raises(BadSetting, match="dask://HOST:PORT"):
        check_engine("--engine", name)


def test_a_node_that_dies_while_it_is_judged_is_not_refused() -> None:
    """It is left out, and asked again should it come back."""
    own = {"python": platform.python_version(), "fsworkers": fsworkers.__version__}
    packages = own | {"distributed": importlib.metadata.version("distributed")}
    client: Any = SimpleNamespace(
        scheduler=SimpleNamespace(broadcast=None),
        sync=lambda *_args, workers, **_how: {node: {"packages": packages} for node in workers},
        run=lambda *_args, **_how: {"gone": ConnectionError(), "here": None, "blind": "/data"},
    )
    judged = judge(client, ["gone", "here", "blind"], [("/data", None)])
    assert [*judged] == ["here", "blind"]
    assert judged["here"] is None
    assert isinstance(judged["blind"], PathNotShared)


def test_paths_are_compared_by_what_is_seen(tmp_path: Path) -> None:
    """A file that is missing or of another size is not the same tree."""
    (tmp_path / "a").write_text("aaa")
    (tmp_path / "b").mkdir()
    samples = samples_of([str(tmp_path), str(tmp_path / "a")])
    assert unseen(samples) is None
    (tmp_path / "a").write_text("aaaa")
    assert unseen(samples) == str(tmp_path / "a")
    (tmp_path / "b").rmdir()
    (tmp_path / "a").write_text("aaa")
    assert unseen(samples) == str(tmp_path / "b")


def test_other_versions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of Python two parts count; a package that is missing is one more reason."""
    monkeypatch.setattr(cluster, "version", lambda _package: "2026.8.0")
    own = {"python": platform.python_version(), "fsworkers": fsworkers.__version__}
    told = {
        "good": own | {"distributed": "2026.8.0"},
        "patch": own | {"distributed": "2026.8.0", "python": own["python"] + ".final.0"},
        "old": own | {"distributed": "2026.7.0"},
        "bare": own | {"distributed": "2026.8.0", "fsworkers": None},
        "other": own | {"distributed": "2026.8.0", "python": "2.7.18"},
    }
    client: Any = SimpleNamespace(
        scheduler=SimpleNamespace(broadcast=None),
        sync=lambda *_args, **_how: {node: {"packages": each} for node, each in told.items()},
    )
    judged = judge(client, told, [])
    assert [*judged] == [*told]
    found = {node: reason for node, reason in judged.items() if reason is not None}
    assert set(found) == {"old", "bare", "other"}
    assert str(found["old"]).startswith("distributed is 2026.7.0 on old, and 2026.8.0 here")
    assert str(found["bare"]).startswith("fsworkers is not installed on bare")
