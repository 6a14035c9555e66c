"""Which journals are kept."""

from __future__ import annotations

from pathlib import Path

from fsworkers.journal.places import surplus


def test_oldest_journals_are_surplus() -> None:
    """Names begin with the time, so the order of names is that of time."""
    journals = [Path(f"2026{n:02}.db") for n in (3, 1, 2)]
    assert surplus(journals, 2) == [Path("202601.db")]
    assert surplus(journals, 3) == []
