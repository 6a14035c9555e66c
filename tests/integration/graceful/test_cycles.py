"""Files that end in a reference cycle give their permit back once."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path

from fsworkers import graceful


class Node:
    """Something that refers to itself, and holds a file."""

    def __init__(self, path: Path) -> None:
        self.itself = self
        self.file = graceful.open(path)


def test_files_in_cycles_give_their_permits_back_once(tmp_path: Path) -> None:
    """The permit is garbage together with its file; it must neither be lost nor come twice."""
    path = tmp_path / "file"
    path.touch()
    gc.collect()
    before = graceful.statistics().lent
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for _ in range(5):
            Node(path)
        gc.collect()
    assert graceful.statistics().lent == before
    files = [graceful.open(path) for _ in range(8)]
    assert graceful.statistics().lent == before + 8
    for file in files:
        file.close()
    assert graceful.statistics().lent == before


def test_who_leaves_files_in_cycles_does_not_wait_long_for_the_collector(limited) -> None:
    """A thread that waits makes no garbage, so the collector would not come by itself."""
    limited("""
        import warnings
        warnings.simplefilter("ignore", ResourceWarning)
        gc.disable()
        begun = time.monotonic()
        for _ in range(500):
            cycle = [graceful.open(FILE)]
            cycle.append(cycle)
        assert graceful.statistics().waits >= 8
        assert time.monotonic() - begun < 1.5, time.monotonic() - begun
    """)
