"""What became of every operation, in shared memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fsworkers.stress import scoreboard as board
from fsworkers.stress.scoreboard import Scoreboard

if TYPE_CHECKING:
    from pathlib import Path


def test_what_one_writes_another_reads(tmp_path: Path) -> None:
    """Two views of a scoreboard see the same; it outlives the one that wrote."""
    path = str(tmp_path / "board")
    ours, theirs = Scoreboard.create(path, 5), Scoreboard(path, 5)
    theirs.states[1], theirs.errnos[2], theirs.attempts[3] = board.DONE, 7, 200
    theirs.waits_s[4], theirs.pids[0] = 0.25, 1 << 30
    theirs.is_active[0] = True
    del theirs
    assert list(ours.states) == [0, board.DONE, 0, 0, 0]
    assert list(ours.errnos) == [0, 0, 7, 0, 0]
    assert list(ours.attempts) == [0, 0, 0, 200, 0]
    assert list(ours.waits_s) == [0, 0, 0, 0, 0.25]
    assert list(ours.pids) == [1 << 30, 0, 0, 0, 0]
    assert ours.is_active[0]


def test_who_was_struck_is_known(tmp_path: Path) -> None:
    """Only workers are, and of two with one number the later."""
    scoreboard = Scoreboard.create(str(tmp_path / "board"), 3)
    scoreboard.mark_struck(os.getpid())
    scoreboard.claim_row(7)
    assert not scoreboard.is_struck(os.getpid())
    scoreboard.mark_struck(os.getpid())
    assert scoreboard.is_struck(os.getpid())
    scoreboard.claim_row(7)
    assert not scoreboard.is_struck(os.getpid())
    assert not scoreboard.is_struck(1)


def test_a_result_that_comes_again_is_noticed(tmp_path: Path) -> None:
    """The first one counts as such, in each round."""
    scoreboard = Scoreboard.create(str(tmp_path / "board"), 3)
    assert scoreboard.deliver(1, board.DELIVERED)
    assert not scoreboard.deliver(1, board.DELIVERED)
    scoreboard.clear()
    assert scoreboard.deliver(1, board.REFUSED)


def test_all_of_it_has_room_on_the_disk(tmp_path: Path) -> None:
    """A hole in the mapped file would kill who writes there when the disk is full."""
    path = str(tmp_path / "board")
    Scoreboard.create(path, 50_000)
    assert os.stat(path).st_blocks * 512 >= board.scoreboard_bytes(50_000)


def test_a_new_round_begins_clean_and_workers_keep_their_rows(tmp_path: Path) -> None:
    """Clearing forgets operations and not workers."""
    scoreboard = Scoreboard.create(str(tmp_path / "board"), 3)
    assert scoreboard.rows() == []
    assert [scoreboard.claim_row(7), scoreboard.claim_row(8)] == [0, 1]
    scoreboard.states[1], scoreboard.attempts[1] = board.ASKED, 1
    scoreboard.clear()
    assert list(scoreboard.states) == list(scoreboard.attempts) == [0, 0, 0]
    assert [row[board.BASELINE] for row in scoreboard.rows()] == [7, 8]
