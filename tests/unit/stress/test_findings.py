"""Adding up rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fsworkers.stress import board as boards
from fsworkers.stress.board import Board
from fsworkers.stress.findings import Findings
from fsworkers.stress.records import Message, Plan
from fsworkers.stress.scenarios.registry import find_scenario

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLAN = Plan(files=4, workers=2, concurrency=4)


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    """A board on which four operations were done and delivered."""
    with Board.create(str(tmp_path / "board"), 4, 1) as made:
        for op in range(4):
            made.asked(op)
            made.granted(op, 0.1)
            made.ended(op, is_right=True)
        made.delivered[0] = boards.DELIVERED
        yield made


@pytest.fixture
def findings(board: Board) -> Findings:
    """What is found on it."""
    return Findings(find_scenario("open-storm"), PLAN, board)


def test_what_happens_after_the_last_round_counts_no_operation_again(findings: Findings) -> None:
    """A pool that hangs or dies as it closes: its round stands, and how it ended is told."""
    findings.round_over(Message("round"), 0, 1.0)
    findings.hangs(0, 9.0, 10.0)
    assert (findings.tally.done, findings.hung, findings.rounds) == (4, 0, 1)
    assert findings.cut_short == "nothing had moved for 10 s, so it was ended"
    findings.died(0, 9.0, "Aborted")
    assert (findings.tally.done, findings.lost, findings.rounds) == (4, 0, 1)
    assert findings.cut_short == "its process ended: Aborted"


def test_a_round_cut_short_is_counted(findings: Findings, board: Board) -> None:
    """In the middle of a further round, what had not ended is hung."""
    findings.round_over(Message("round"), 0, 1.0)
    findings.next_round()
    board.asked(2)
    findings.hangs(0, 9.0, 10.0)
    assert (findings.tally.done, findings.hung, findings.rounds) == (4, 4, 2)


def test_only_waits_that_ended_well_and_are_known_count(findings: Findings, board: Board) -> None:
    """Not those of operations whose result never came, nor of those that can't tell."""
    board.asked(3)
    board.ended(3, is_right=True)
    findings.round_over(Message("round"), 0, 1.0)
    waits = findings.waits.waits()
    assert waits is not None
    assert sum(waits.counts.values()) == 3
    findings.next_round()
    board.ended(0, is_right=True)
    findings.round_over(Message("round"), 0, 2.0)
    assert findings.waits.waits() == waits
