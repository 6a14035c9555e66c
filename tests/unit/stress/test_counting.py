"""Counting a scoreboard, and the story of what went wrong."""

from __future__ import annotations

from errno import EDEADLK, EMFILE
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.stress import scoreboard as board
from fsworkers.stress.counting import (
    count_round,
    end_of,
    error_name,
    last_of,
    states_of,
    waits_of,
)
from fsworkers.stress.model import Event, SideResult
from fsworkers.stress.scenarios.registry import Load
from fsworkers.stress.scoreboard import Scoreboard

if TYPE_CHECKING:
    from pathlib import Path

LOAD = Load(lambda _context, _op: None, 4, poison=frozenset({3}))


def all_done(tmp_path: Path) -> Scoreboard:
    """Four operations that were done and delivered, each after a tenth of a second."""
    made = Scoreboard.create(str(tmp_path / "board"), 4)
    for op in range(4):
        made.states[op], made.delivered[op], made.waits_s[op] = board.DONE, board.DELIVERED, 0.1
    return made


@pytest.mark.parametrize(
    ("state", "heard", "end"),
    [
        (board.DONE, board.DELIVERED, "done"),
        (board.DONE, board.UNDELIVERED, "unheard"),
        (board.ASKED, board.DELIVERED, "unheard"),
        (board.DONE, board.REFUSED, "failed"),
        (board.FAILED, board.UNDELIVERED, "failed"),
        (board.WRONG, board.DELIVERED, "wrong"),
        (board.FAILED, board.CRASHED, "unmeant"),
    ],
)
def test_what_the_caller_heard_counts(state: int, heard: int, end: str) -> None:
    """Read and right is not enough, and what was reported as failed has failed."""
    assert end_of(state, heard, is_poison=False) == end


def test_a_round_is_added(tmp_path: Path) -> None:
    """Each operation is in one of the counts; failures go by the name of their errno."""
    scoreboard = all_done(tmp_path)
    scoreboard.states[1], scoreboard.errnos[1] = board.FAILED, EMFILE
    scoreboard.delivered[2] = board.UNDELIVERED
    scoreboard.delivered[3] = board.CRASHED
    result = SideResult("fsworkers", failed={"EMFILE": 1}, done=10)
    unheard, waits_s = count_round(result, scoreboard, LOAD)
    assert (result.done, result.failed, result.crashed, unheard) == (11, {"EMFILE": 2}, 1, 1)
    assert waits_s == pytest.approx([0.1])


def test_only_waits_that_are_known_count(tmp_path: Path) -> None:
    """Not those of operations that can't tell."""
    scoreboard = all_done(tmp_path)
    scoreboard.waits_s[2] = board.UNKNOWN_S
    assert len(count_round(SideResult("fsworkers"), scoreboard, LOAD)[1]) == 3
    assert waits_of([]) is None


@given(st.lists(st.floats(1e-6, 1e4), min_size=1, max_size=200))
def test_percentiles_are_of_the_waits(waits_s: list[float]) -> None:
    """In order, within the waits, and the maximum is exact."""
    waits = waits_of(waits_s)
    assert waits is not None
    assert min(waits_s) * 0.999 <= waits.p50_s <= waits.p99_s * 1.001
    assert waits.p99_s <= waits.max_s * 1.001
    assert waits.max_s == max(waits_s)


def test_errors_go_by_the_name_of_their_errno() -> None:
    """An error without one is ``other``; of two names the one that is ours."""
    assert [error_name(one) for one in (EMFILE, EDEADLK, 0)] == ["EMFILE", "EDEADLK", "other"]


def test_the_story_begins_with_what_was_begun(tmp_path: Path) -> None:
    """What state it was in, of the first ones; the others are counted."""
    scoreboard = all_done(tmp_path)
    for op in range(3):
        scoreboard.states[op], scoreboard.delivered[op] = board.UNTOUCHED, board.UNDELIVERED
    scoreboard.states[2], scoreboard.attempts[2], scoreboard.pids[2] = board.HELD, 2, 77
    first, second, third = states_of(scoreboard, LOAD, "file {}".format)
    assert first.startswith("operation 2 (file 2): in possession of its descriptor, attempt 2 in")
    assert second.startswith("operation 0 (file 0): never begun")
    assert third.endswith("the caller has heard nothing")


def test_the_story_puts_both_sources_in_order() -> None:
    """What the supervisor saw and what the dispatcher remembers, the last of it."""
    events = [Event(0.5, "kill", 7, "SIGKILL"), Event(0.7, "gone", 7)]
    told = [(0.1, "worker 0 sent: operation 3"), (0.6, "worker 0 died (killed by SIGKILL)")]
    assert last_of(events, told) == [
        "0.100 s: worker 0 sent: operation 3",
        "0.500 s: process 7 gets SIGKILL",
        "0.600 s: worker 0 died (killed by SIGKILL)",
        "0.700 s: process 7 has ended",
    ]
    assert len(last_of(events * 50, told)) == 30
