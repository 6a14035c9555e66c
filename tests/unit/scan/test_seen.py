"""Which paths have come out already, in little memory."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.scan.errors import NoRoomForList
from fsworkers.scan.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def few() -> Iterator[Seen]:
    """A set that keeps three paths in memory."""
    seen = Seen(most_in_memory=3)
    yield seen
    seen.close()


NAMES = st.lists(st.sampled_from(["a", "b", "c\n", "\udcff", "d/e", "f", "g", "h"]))


@given(st.lists(NAMES))
def test_it_is_a_set(batches: list[list[str]]) -> None:
    """In memory or on disk, what was added is known and nothing else is."""
    seen, expected = Seen(most_in_memory=3), set[str]()
    for batch in batches:
        assert seen.known(batch) == expected & set(batch)
        seen.add(batch)
        expected.update(batch)
        assert seen.known([*batch, "never"]) == set(batch)
    seen.close()


def test_memory_holds_no_more_than_so_many(few: Seen) -> None:
    """What is more is on disk."""
    for number in range(1000):
        few.add([str(number)])
        assert len(few._recent) <= 3
    assert few.known(map(str, range(995, 1005))) == set(map(str, range(995, 1000)))


def test_full_disk_is_told(few: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words of what is to be done about it."""

    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(sqlite3, "connect", fail)
    with pytest.raises(NoRoomForList, match="disk is full"):
        few.add(["a", "b", "c", "d"])
