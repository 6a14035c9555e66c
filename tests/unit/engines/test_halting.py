"""Rules for when a run has failed enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.engines.halting import Halting
from fsworkers.errors import BadSetting

counts = st.dictionaries(
    st.sampled_from(["done", "failed", "skipped", "timed_out", "crashed", "cancelled"]),
    st.integers(0, 50),
)


@pytest.mark.parametrize("text", ["now,fail=1", "soon,fail=10%", "soon,fail=3", "now,fail=0.5%"])
def test_rule_is_written_as_it_is_read(text: str) -> None:
    """A rule survives the way through text."""
    assert str(Halting.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "now", "fail=1", "later,fail=1", "soon,fail=0", "soon,fail=-1", "soon,fail=1.5",
     "soon,fail=101%", "soon,fail=0%", "soon,fail=x", "soon,done=1", "soon,fail=1,fail=2"],
)  # fmt: skip
def test_what_is_no_rule_is_refused(text: str) -> None:
    """The error says how one is written."""
    with pytest.raises(BadSetting, match="soon,fail=10%"):
        Halting.parse(text)


@given(counts, st.integers(1, 40))
def test_count_is_of_everything_that_went_wrong(outcomes: dict[str, int], most: int) -> None:
    """Failures are what failed, timed out or crashed; what was skipped or cancelled is none."""
    failures = sum(outcomes.get(status, 0) for status in ("failed", "timed_out", "crashed"))
    rule = Halting.parse(f"soon,fail={most}")
    assert rule.is_crossed(outcomes) == (failures >= most)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("failed", "done", "is_crossed"), [(1, 0, False), (2, 2, False), (3, 27, True), (3, 28, False)]
)
def test_percentage_needs_three_failures(failed: int, done: int, is_crossed: bool) -> None:
    """Ten percent of what came to an outcome so far, but never one or two files alone."""
    rule = Halting.parse("now,fail=10%")
    assert rule.is_crossed({"failed": failed, "done": done}) == is_crossed
