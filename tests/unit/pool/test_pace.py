"""How large blocks are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.pool.pace import BLOCK_S, Pace


def sizes_of(item_s: float, count: int, left: int | None = None) -> list[int]:
    """The first blocks of a call whose items take so long, each answered before the next."""
    pace, sizes = Pace(), []
    for _ in range(count):
        sizes.append(pace.block_items(left, 2))
        pace.learn(sizes[-1], item_s * sizes[-1])
    return sizes


def test_blocks_grow_towards_fifty_milliseconds() -> None:
    """From one item, at most fourfold of what was learned, to the work of a block."""
    sizes = sizes_of(0.001, 8)
    assert sizes[:3] == [1, 4, 20]
    assert set(sizes[3:]) <= {49, 50}


def test_what_takes_no_time_has_no_cap() -> None:
    """A function of a tenth of a microsecond gets hundreds of thousands at a time."""
    assert sizes_of(1e-7, 20)[-1] == pytest.approx(500_000, rel=0.001)


def test_slow_items_travel_alone() -> None:
    """One that takes longer than a block's work is a block of its own."""
    assert sizes_of(1.0, 5) == [1] * 5


def test_blocks_shrink_to_an_even_share_of_what_is_left() -> None:
    """Though not below two milliseconds of work: ending together to within that is enough."""
    pace = Pace()
    pace.learn(1000, 1.0)
    assert [pace.block_items(left, 2) for left in (1000, 100, 40, 10, 1)] == [50, 25, 10, 3, 2]


def test_slots_are_filled() -> None:
    """Where items run side by side, a block has one for each slot, if there are so many."""
    assert [Pace(64).block_items(left, 2) for left in (None, 1000, 100, 10)] == [64, 64, 50, 5]


@given(
    st.lists(st.tuples(st.integers(1, 10**6), st.floats(0, 100)), max_size=20), st.integers(1, 99)
)
def test_there_is_always_a_block(learned: list[tuple[int, float]], lanes: int) -> None:
    """Whatever was learned, at least one item, and no more work than a block's, or a few items."""
    pace = Pace()
    for count, busy_s in learned:
        pace.learn(count, busy_s)
    size = pace.block_items(None, lanes)
    assert size >= 1
    assert pace.item_s is None or size == 1 or size * pace.item_s <= BLOCK_S * 1.01


def test_first_item_is_soon_forgotten() -> None:
    """It is slow where the task has still to be loaded; what follows counts by the item."""
    pace = Pace()
    pace.learn(1, 0.5)
    for _ in range(30):
        count = pace.block_items(None, 2)
        pace.learn(count, 1e-5 * count)
    assert pace.item_s == pytest.approx(1e-5, rel=0.5)


def test_odd_item_among_thousands_moves_it_little() -> None:
    """One of three seconds does not make blocks of one of what takes ten microseconds."""
    pace = Pace()
    pace.learn(100_000, 1.0)
    pace.learn(1, 3.0)
    assert pace.block_items(None, 2) > 100
