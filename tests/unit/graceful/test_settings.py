"""``configure`` takes what makes sense, and tells the rest by the argument's name."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest

from fsworkers import graceful
from fsworkers.graceful.budget.budget import BUDGET, Budget
from fsworkers.graceful.budget.reservation import reserve

NONSENSE: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"max_open_files": 0}, ValueError),
    ({"max_open_files": -1}, ValueError),
    ({"max_open_files": 2.5}, TypeError),
    ({"max_open_files": True}, TypeError),
    ({"max_open_files": "8"}, TypeError),
    ({"reserve": -50}, ValueError),
    ({"reserve": 1.5}, TypeError),
    ({"reserve": False}, TypeError),
    ({"wait_s": -1}, ValueError),
    ({"wait_s": math.nan}, ValueError),
    ({"wait_s": math.inf}, ValueError),
    ({"wait_s": 1e12}, ValueError),
    ({"wait_s": "1"}, TypeError),
    ({"wait_s": True}, TypeError),
]


@pytest.fixture(autouse=True)
def _as_it_was():
    yield
    graceful.configure()


def settings() -> tuple[object, ...]:
    """All that ``configure`` sets."""
    return graceful.limits().budget, graceful.limits().reserve, BUDGET.wait_s


@pytest.mark.parametrize(("arguments", "error"), NONSENSE, ids=str)
def test_nonsense_is_refused_and_changes_nothing(
    arguments: dict[str, Any], error: type[Exception]
) -> None:
    """The message names the argument and what it was."""
    graceful.configure(max_open_files=9, reserve=5, wait_s=7)
    before = settings()
    ((name, value),) = arguments.items()
    with pytest.raises(error, match=f"^{name} is .*not .*{value}"):
        graceful.configure(**{"max_open_files": 10, "reserve": 6, "wait_s": 8, **arguments})
    assert settings() == before


def test_edges_and_numbers_of_other_kinds_are_taken() -> None:
    """None kept back, no wait at all, the longest that there is, more than there can be."""
    wait_s: Any = Fraction(1, 4)
    graceful.configure(max_open_files=1, reserve=0, wait_s=0)
    assert settings() == (1, 0, 0)
    graceful.configure(max_open_files=10**9, wait_s=wait_s)
    assert graceful.limits().budget < 10**9
    assert BUDGET.wait_s == 0.25
    graceful.configure(wait_s=1e9)
    graceful.open(__file__).close()


@pytest.mark.parametrize("value", [2.5, True, "3", float("nan")])
def test_counts_are_integers_wherever_they_are_asked_for(value: Any) -> None:
    """Of budgets and of reservations."""
    budget = Budget(3)
    for ask in (Budget, budget.resize, lambda count: reserve(count, budget=budget)):
        with pytest.raises(TypeError, match="is an integer"):
            ask(value)
        with pytest.raises(ValueError, match="at least 1, not 0"):
            ask(0)
    with pytest.raises(ValueError, match="from 0"):
        Budget(3, wait_s=-1)
    assert budget.statistics().capacity == 3
