"""What a budget makes of the limit, and of the numbers that others have below it."""

from __future__ import annotations

import pytest

from fsworkers.graceful.budget import limit
from fsworkers.graceful.budget.limit import LOOKS, Limit
from fsworkers.graceful.errors import TooFewDescriptors


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A limit, and how many numbers are open below it."""
    found = {"limit": 64, "open": 3}
    monkeypatch.setattr(limit, "soft_limit", lambda: found["limit"])
    monkeypatch.setattr(limit, "count_open_below", lambda _: found["open"])
    return found


def test_what_is_left_below_the_limit_is_lent(system: dict[str, int]) -> None:
    """Less what others have and the reserve, and no more than was asked for."""
    assert Limit(None, None).begin() == 64 - 8 - 3
    assert Limit(None, 20).begin() == 64 - 20 - 3
    assert Limit(10, None).begin() == 10
    system["open"] = 13
    assert Limit(None, None).begin(lent=10) == 64 - 8 - 3


def test_a_budget_does_not_start_with_less_than_the_minimum(system: dict[str, int]) -> None:
    """What others have too much of is waited for; a limit that never leaves it is an error."""
    system["open"] = 62
    assert Limit(None, None).begin() == 4
    system["limit"], system["open"] = 11, 3
    assert Limit(None, 4).begin() == 4
    system["limit"] = 10
    with pytest.raises(TooFewDescriptors, match="leaves 3 to lend"):
        Limit(None, 4).begin()


def test_a_limit_that_changes_is_followed_both_ways(system: dict[str, int]) -> None:
    """At once, and never below one."""
    followed = Limit(None, 8)
    ceiling = followed.begin()
    assert not followed.is_to_be_followed(ceiling)
    for changed, to_lend in ((128, 117), (32, 21), (8, 1)):
        system["limit"] = changed
        assert followed.is_to_be_followed(ceiling)
        ceiling = followed.follow(0, ceiling)
        assert ceiling == to_lend


def test_what_others_let_go_of_is_lent_once_it_is_sure(system: dict[str, int]) -> None:
    """Permits whose files are not open yet hide as many of theirs; what they take stays ours."""
    system["open"] = 50
    followed = Limit(None, 8)
    ceiling = followed.begin()
    assert ceiling == 6
    system["open"] = 20
    for _ in range(LOOKS - 1):
        # All that is open may be theirs, though 30 are lent.
        ceiling = followed.follow(30, ceiling)
        assert ceiling == 64 - 8 - 20
    system["open"] = 40
    assert followed.follow(30, ceiling) == 64 - 8 - 10
    system["open"] = 60
    assert followed.follow(0, 46) == 46
    system["open"] = 10
    assert followed.follow(0, 46, is_urgent=True) == 46
