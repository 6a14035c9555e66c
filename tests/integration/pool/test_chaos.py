"""Seeded chaos: each file has exactly one outcome whatever happens to the workers."""

from __future__ import annotations

import pytest

from benchmarks.chaos import survive_elsewhere


@pytest.mark.timeout(130)
@pytest.mark.parametrize("seed", [0, 12, 19])
def test_short_chaos_is_survived(seed: int) -> None:
    """A hundred files, some of which kill, stop or block their worker, under fire from outside."""
    assert survive_elsewhere(seed, 100)["broken"] == []


@pytest.mark.slow
@pytest.mark.timeout(130)
@pytest.mark.parametrize("seed", range(100, 130))
def test_long_chaos_is_survived(seed: int) -> None:
    """The same at length, with many seeds."""
    assert survive_elsewhere(seed, 600)["broken"] == []
