"""A directory to build trees in, which is also the current one, and lists made flat."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from fsworkers.model import Entry
from fsworkers.scan.directory import MOST_PATHS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def flat(found: Iterable[list[str] | Entry]) -> Iterator[str | Entry]:
    """Give what a scan finds one by one, in its order; every list keeps its promise on the way."""
    for each in found:
        if isinstance(each, Entry):
            yield each
        else:
            assert 0 < len(each) <= MOST_PATHS
            yield from each


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in an empty directory, and leave as many descriptors as there were."""
    monkeypatch.chdir(tmp_path)
    before = len(os.listdir("/dev/fd"))
    yield tmp_path
    assert len(os.listdir("/dev/fd")) == before


@pytest.fixture
def tree(here: Path) -> Path:
    """Build ``a/{one.txt,.hidden,b/{two.txt,c/three.jpg}}`` here."""
    deep = here / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (here / "a" / "one.txt").write_bytes(b"1")
    (here / "a" / ".hidden").write_bytes(b"h" * 10)
    (here / "a" / "b" / "two.txt").write_bytes(b"2" * 100)
    (deep / "three.jpg").write_bytes(b"3" * 1000)
    return here
