"""How often something costly may be done again."""

from __future__ import annotations

from fsworkers.graceful.budget.throttle import Throttle


def test_what_was_of_no_use_is_not_done_again_soon() -> None:
    """It may take a thousandth of the time, and never pauses for longer than agreed."""
    sparing = Throttle(10.0)
    assert sparing.is_due(0.0)
    sparing.note(100.0, 0.005, was_of_use=False)
    assert not sparing.is_due(104.9)
    assert sparing.is_due(105.0)
    sparing.note(105.0, 3.0, was_of_use=False)
    assert not sparing.is_due(114.9)
    assert sparing.is_due(115.0)


def test_what_was_of_use_may_be_done_again_at_once() -> None:
    """Whatever it cost."""
    sparing = Throttle(10.0)
    sparing.note(100.0, 3.0, was_of_use=True)
    assert sparing.is_due(100.0)
