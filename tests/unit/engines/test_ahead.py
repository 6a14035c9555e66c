"""A scan that is drawn ahead."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from msgspec import Raw

from fsworkers.engines import ahead
from fsworkers.engines.ahead import ScanAhead
from fsworkers.journal.selection import Unchanged
from fsworkers.model import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_everything_comes_in_order_and_is_counted_before_it_is_drawn() -> None:
    """The total is known while the first files have not even begun."""
    unchanged = Unchanged(["c", "d"], "as before", [1, 1], [2, 2], [Raw(b"1"), Raw(b"2")], [3, 3])
    found: list[list[str] | Entry | Unchanged] = [
        ["a", "b"],
        Entry("pipe", "skipped", "FIFO"),
        unchanged,
        ["e"],
    ]
    exhausted = threading.Event()

    def scan() -> Iterator[list[str] | Entry | Unchanged]:
        yield from found
        exhausted.set()

    scanned = ScanAhead(scan())
    drawn = iter(scanned)
    first = next(drawn)
    assert exhausted.wait(5)
    assert [first, *drawn] == found
    assert (scanned.file_count, scanned.has_ended) == (6, True)


def test_it_scans_ahead_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless scan waits for who draws, and ends with it."""
    monkeypatch.setattr(ahead, "MOST_AHEAD", 10)
    given: list[int] = []

    def endless() -> Iterator[list[str]]:
        while True:
            given.append(len(given))
            yield ["x"]

    before = set(threading.enumerate())
    scanned = ScanAhead(endless())
    drawn = iter(scanned)
    for _ in range(100):
        next(drawn)
    assert len(given) <= 112
    assert not scanned.has_ended
    scanned.close()
    assert set(threading.enumerate()) == before


def test_an_error_of_the_scan_comes_behind_what_it_had_found() -> None:
    """As it would without a thread between."""

    def broken() -> Iterator[list[str]]:
        yield ["a"]
        raise OSError("gone")

    scanned = ScanAhead(broken())
    drawn = iter(scanned)
    assert next(drawn) == ["a"]
    with pytest.raises(OSError, match="gone"):
        next(drawn)
    assert not scanned.has_ended
