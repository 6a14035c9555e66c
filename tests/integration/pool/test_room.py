"""A pool that holds back while the machine has no room for more."""

from __future__ import annotations

import logging

import pytest

from fsworkers.pool.executor import Pool
from fsworkers.pool.master import loop
from fsworkers.pool.room import Machine, Room
from fsworkers.pool.settings import PoolSettings


def test_it_goes_on_by_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It looks again and again, and says only once that it waits."""
    loads = [9.0, 0.0, 9.0, 9.0]

    def look() -> Machine:
        return Machine(0, loads.pop(0) if loads else 0.0)

    monkeypatch.setattr(loop, "look_at_machine", look)
    monkeypatch.setattr(loop, "LOOK_AT_MACHINE_S", 0.01)
    pool = Pool.of(PoolSettings(workers=1, room=Room(load=1)))
    with pool, caplog.at_level(logging.WARNING, "fsworkers"):
        assert {one.value for one in pool.map(abs, range(300))} == {*range(300)}
        while loads:  # the next call looks on
            assert [one.value for one in pool.map(abs, [1])] == [1]
    assert [one.getMessage()[:15] for one in caplog.records] == ["9 processes run"]
