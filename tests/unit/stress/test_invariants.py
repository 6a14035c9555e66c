"""The promise as conditions."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fsworkers.stress.invariants import broken_invariants
from fsworkers.stress.records import SideResult

GOOD = SideResult("fsworkers", wanted=10, done=8, crashed=2, rounds=1, peak=60, served=5)


def broken(side: SideResult, **how: bool) -> list[str]:
    """The invariants that do not hold."""
    return [one.invariant for one in broken_invariants("it", side, limit=64, poison=2, **how)]


def test_a_side_that_kept_everything_breaks_nothing() -> None:
    """All done or crashed as meant, within the limit: kept."""
    assert broken(GOOD) == []


@pytest.mark.parametrize(
    ("change", "invariant"),
    [
        ({"done": 7, "failed": {"EMFILE": 1}}, "nothing fails"),
        ({"done": 7, "lost": 1}, "nothing is lost"),
        ({"done": 7, "hung": 1}, "nothing hangs"),
        ({"done": 7, "wrong": 1}, "content is right"),
        ({"done": 9, "crashed": 1}, "poison is reported"),
        ({"done": 7, "unmeant": 1}, "nothing else crashes"),
        ({"duplicates": 1}, "every result comes once"),
        ({"done": 7}, "every operation is counted once"),
        ({"peak": 65}, "the peak keeps within the limit"),
        ({"leaked": 1}, "descriptors afterwards are those before"),
        ({"master_leaked": 1}, "descriptors afterwards are those before"),
        ({"cut_short": "its process ended"}, "the pool ends by itself"),
        ({"processes_left": 1}, "processes afterwards are those before"),
        ({"overtaken": 1}, "waiters are served in order"),
    ],
)
def test_each_invariant_is_checked(change: dict[str, object], invariant: str) -> None:
    """Each way to break the promise is named, and no other."""
    assert broken(replace(GOOD, **change)) == [invariant]


def test_drawing_everything_at_once_breaks_a_bound() -> None:
    """Where the input is to be drawn a little ahead, half of it is too much."""
    side = replace(GOOD, drawn_ahead=6)
    assert broken(side, is_drawn_bounded=True) == ["input is drawn a little ahead"]
    assert broken(side) == []


def test_an_own_function_may_fail_for_its_own_reasons() -> None:
    """A user's function is held to account only for descriptors."""
    assert broken(replace(GOOD, done=7, failed={"ENOENT": 1}), is_own_task=True) == []
    assert broken(replace(GOOD, done=7, unmeant=1), is_own_task=True) == []
    assert broken(replace(GOOD, done=7, hung=1), is_own_task=True) == ["your function returns"]
    side = replace(GOOD, done=7, failed={"EMFILE": 1})
    assert broken(side, is_own_task=True) == ["nothing fails"]
