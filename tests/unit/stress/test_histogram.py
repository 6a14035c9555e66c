"""Waiting times in buckets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.stress.histogram import GROWTH, Histogram, bound_s, bucket_of

DURATIONS = st.floats(min_value=1e-6, max_value=1e4)


@given(DURATIONS)
def test_a_bucket_holds_what_belongs_there(seconds: float) -> None:
    """A duration is at most its bucket's bound, and above the bound before."""
    bucket = bucket_of(seconds)
    assert seconds <= bound_s(bucket) * (1 + 1e-6)
    assert bucket == 0 or seconds > bound_s(bucket - 1) * (1 - 1e-6)


@given(st.lists(DURATIONS, min_size=1, max_size=200), st.sampled_from([0.5, 0.99, 1.0]))
def test_percentiles_are_right_to_an_eighth(durations: list[float], share: float) -> None:
    """A percentile is not below the true one, and at most a bucket's width above."""
    histogram = Histogram()
    histogram.add(durations)
    true = sorted(durations)[max(0, -int(-share * len(durations) // 1) - 1)]
    assert true * (1 - 1e-6) <= histogram.percentile(share) <= true * GROWTH * (1 + 1e-6)


def test_nothing_counted_is_nought() -> None:
    """Without a duration every figure is 0."""
    assert Histogram().waits() is None


def test_the_maximum_is_exact() -> None:
    """The maximum is no bucket's bound."""
    histogram = Histogram()
    histogram.add([0.1, 0.123456])
    waits = histogram.waits()
    assert waits is not None
    assert waits.max_s == pytest.approx(0.123456)
