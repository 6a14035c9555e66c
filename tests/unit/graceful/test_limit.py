"""What a measure of the limit makes of the numbers it finds, over plain data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.graceful.budget.limit import NOTHING, Own, judge, to_begin_with
from fsworkers.graceful.errors import TooFewDescriptors


def own(*numbers: int, unnumbered: int = 0, in_flight: int = 0) -> Own:
    """What a budget has lent."""
    lent = len(numbers) + unnumbered + in_flight
    return Own(numbers=frozenset(numbers), unnumbered=unnumbered, lent=lent)


def test_strangers_below_the_limit_take_a_seat_and_those_above_take_none() -> None:
    """EMFILE goes by number."""
    measured = judge(64, 8, [0, 1, 2, 70, 200], NOTHING)
    assert (measured.foreign, measured.to_lend) == (3, 53)


def test_a_map_of_ours_is_no_stranger() -> None:
    """Nobody tells its number, but if all numbers are below the limit, so is that."""
    assert judge(64, 8, [0, 1, 2, 9], own(5, 6, unnumbered=1)).foreign == 3


def test_a_map_that_may_be_above_the_limit_is_counted_there() -> None:
    """Where it takes no seat: one too few is lent, if that is wrong, and never one too many."""
    assert judge(64, 8, [0, 1, 2, 9, 70], own(5, unnumbered=1)).foreign == 4


def test_permits_on_their_way_are_not_counted() -> None:
    """They will take a number that is free now: they are no strangers."""
    assert judge(64, 8, [0, 1, 2], own(5, in_flight=2)).foreign == 3


def test_a_budget_does_not_start_with_less_than_the_minimum() -> None:
    """What others have too much of is waited for; a limit that never leaves it is an error."""
    assert to_begin_with(judge(16, 4, list(range(7)), NOTHING)) == 5
    assert to_begin_with(judge(16, 4, list(range(14)), NOTHING)) == 4
    assert to_begin_with(judge(11, 4, list(range(3)), NOTHING)) == 4
    with pytest.raises(TooFewDescriptors, match="leaves 3 to lend"):
        to_begin_with(judge(10, 4, list(range(3)), NOTHING))


@given(
    limit=st.integers(8, 40),
    strangers=st.sets(st.integers(0, 60)),
    files=st.sets(st.integers(0, 60)),
    maps=st.sets(st.integers(0, 60)),
)
def test_what_is_measured_never_lends_too_many(
    limit: int, strangers: set[int], files: set[int], maps: set[int]
) -> None:
    """With all that is lent back below the limit, the strangers there and the reserve still fit."""
    strangers -= files | maps
    files -= maps
    mine = own(*files, unnumbered=len(maps))
    measured = judge(limit, 4, sorted(strangers | maps), mine)
    truly_foreign = sum(number < limit for number in strangers)
    assert measured.foreign >= truly_foreign
    assert measured.to_lend + truly_foreign + 4 <= limit
    if not maps or max(strangers | maps) < limit:
        assert measured.foreign == truly_foreign
