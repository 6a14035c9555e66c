"""What a block tells of single files: decisions over plain data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fsworkers.journal.known import Known, is_settled, known_at
from fsworkers.journal.rows import (
    Block,
    names_of,
    pack_done,
    pack_outcomes,
    pack_untried,
    unpack_rows,
)
from fsworkers.model import STATUSES, Outcome, Status
from fsworkers.sinks.plain import encode
from tests.unit.journal.samples import OUTCOMES


@pytest.mark.parametrize(
    ("status", "attempts", "mtime_ns", "settled"),
    [
        ("done", 1, 5, True),
        ("done", 1, None, False),
        ("skipped", 0, 5, True),
        ("skipped", 1, 5, False),
        ("skipped", 0, None, False),
        ("failed", 1, 5, False),
        ("cancelled", 0, None, False),
    ],
)
def test_what_is_settled(
    status: Status, attempts: int, mtime_ns: int | None, settled: bool
) -> None:
    """Done, or unchanged since it was: with the time that tells whether it still is."""
    assert is_settled(status, attempts, mtime_ns) is settled


def known_of(block: Block) -> dict[str, Known]:
    """What all of a block tells, as if its files were in one directory."""
    rows = unpack_rows(block[1])
    names = names_of(rows)
    return dict(zip(names, known_at(rows, range(len(names))), strict=True))


@given(st.lists(OUTCOMES, min_size=1, max_size=6), st.sampled_from(STATUSES), st.booleans())
def test_last_outcome_of_a_file_is_known(
    outcomes: list[Outcome], status: Status, are_alike: bool
) -> None:
    """Whether a block is of one kind or mixed, of two outcomes for a name the later one stands."""
    outcomes = [replace(one, path=one.path.rpartition("/")[2]) for one in outcomes]
    if are_alike:
        outcomes = [replace(one, status=status, attempts=0, mtime_ns=5) for one in outcomes]
    known: dict[str, Known] = {}
    for block in pack_outcomes(outcomes, encode):
        known |= known_of(block)
    assert known == {
        one.path: (
            (one.size, one.mtime_ns)
            if is_settled(one.status, one.attempts, one.mtime_ns)
            else None,
            one.status,
            one.size,
            one.error,
            None,
        )
        for one in outcomes
    }


def test_unchanged_file_is_settled_and_tells_why() -> None:
    """The next run skips it for the same reason; one that was cancelled was not looked at."""
    why = "unchanged since run 1"
    assert known_of(pack_untried(["d/a"], "skipped", why, [3], [5], made=[7])) == {
        "a": ((3, 5), "skipped", 3, why, 7)
    }
    assert known_of(pack_untried(["d/a"], "cancelled", None)) == {
        "a": (None, "cancelled", None, None, None)
    }


def test_the_stamp_of_an_output_is_known_of_what_was_done() -> None:
    """However it was packed."""
    done = pack_done(["d/a", "d/b"], b"[1,2]", [3, 3], [5, 5], [0.0, 0.0], 0, [7, None])
    assert [one[4] for one in known_of(done).values()] == [7, None]
    outcomes = [Outcome("d/a", "done", attempts=2), Outcome("d/b", "failed", attempts=1)]
    (mixed,) = pack_outcomes(outcomes, encode, len)
    assert [one[4] for one in known_of(mixed).values()] == [3, None]
