"""Trees to measure on, and the list of benchmarks."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.catalogue import BENCHMARKS
from benchmarks.chart import CHARTED
from benchmarks.peers import versions
from benchmarks.trees import Grove


def test_a_tree_is_made_once_and_kept(tmp_path: Path) -> None:
    """Another run finds it; an unfinished one is made anew."""
    (tmp_path / "1003x16.part" / "0000").mkdir(parents=True)
    tree = Grove(tmp_path).tree(1003, 16)
    assert sorted(map(str, tree.root.rglob("*.bin"))) == tree.paths()
    assert {Path(path).stat().st_size for path in tree.paths()} == {16}
    assert [folder.name for folder in tmp_path.iterdir()] == ["1003x16"]
    before = tree.root.stat().st_mtime_ns
    assert Grove(tmp_path).tree(1003, 16) == tree
    assert tree.root.stat().st_mtime_ns == before


def test_benchmarks_have_names_of_their_own() -> None:
    """And what is drawn exists."""
    names = [one.name for one in BENCHMARKS]
    assert len(set(names)) == len(names)
    assert set(CHARTED) <= set(names)


def test_the_list_names_all_benchmarks_and_peers(capsys: pytest.CaptureFixture[str]) -> None:
    """With their bars, and which are missing."""
    assert command.main(["--list"]) == 0
    text = capsys.readouterr().out
    assert all(f"{one.name} " in text and one.bar in text for one in BENCHMARKS)
    assert all(f"{name} " in text for name in versions())
