"""How long a failed attempt waits for the next one."""

from __future__ import annotations

import pytest

from fsworkers.pool.retry import delay_s


@pytest.mark.parametrize(("attempt", "most_s"), [(1, 0.1), (2, 0.2), (3, 0.4), (50, 10.0)])
def test_pauses_grow_at_random_up_to_ten_seconds(attempt: int, most_s: float) -> None:
    """Nobody waits longer than is said, and no two wait for the same moment."""
    pauses = [delay_s(attempt) for _ in range(200)]
    assert all(0 <= pause <= most_s for pause in pauses)
    assert max(pauses) > most_s / 2
    assert len(set(pauses)) > 100
