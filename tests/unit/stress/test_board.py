"""What became of every operation, in shared memory."""

from __future__ import annotations

import os
from errno import EMFILE
from typing import TYPE_CHECKING

from fsworkers.stress import board as boards
from fsworkers.stress.board import Board

if TYPE_CHECKING:
    from pathlib import Path


def test_what_one_writes_another_reads(tmp_path: Path) -> None:
    """Two views of a board see the same; it outlives the one that wrote."""
    path = str(tmp_path / "board")
    with Board.create(path, 5, 2) as ours:
        with Board(path, 5, 2) as theirs:
            theirs.asked(0)
            theirs.granted(0, 0.25)
            theirs.ended(0, is_right=True)
            theirs.asked(1)
            theirs.failed(1, OSError(EMFILE, "no"))
            theirs.asked(2)
            theirs.failed(2, ValueError("no errno"))
            theirs.delivered[1] = boards.DELIVERED
        assert list(ours.states) == [boards.DONE, boards.FAILED, boards.FAILED, 0, 0]
        assert list(ours.errnos[1:3]) == [EMFILE, boards.OTHER_ERROR]
        assert ours.waits_s[0] == 0.25
        assert ours.pids[0] == os.getpid()
        assert ours.count(boards.FAILED) == 2
        assert list(ours.delivered) == [boards.UNDELIVERED, boards.DELIVERED]


def test_who_was_struck_is_known(tmp_path: Path) -> None:
    """Only workers are, and of two with one number the later."""
    with Board.create(str(tmp_path / "board"), 3, 3) as board:
        board.mark_struck(os.getpid())
        board.claim_row(7)
        assert not board.is_struck(os.getpid())
        board.mark_struck(os.getpid())
        assert board.is_struck(os.getpid())
        board.claim_row(7)
        assert not board.is_struck(os.getpid())
        assert not board.is_struck(1)


def test_a_result_that_comes_again_is_noticed(tmp_path: Path) -> None:
    """The first one counts as such, in each round."""
    with Board.create(str(tmp_path / "board"), 3, 3) as board:
        assert board.deliver(1, boards.DELIVERED)
        assert not board.deliver(1, boards.DELIVERED)
        board.clear()
        assert board.deliver(1, boards.REFUSED)


def test_all_of_it_has_room_on_the_disk(tmp_path: Path) -> None:
    """A hole in the mapped file would kill who writes there when the disk is full."""
    path = str(tmp_path / "board")
    with Board.create(path, 50_000, 50_000) as board:
        assert os.stat(path).st_blocks * 512 >= boards.board_bytes(50_000, 50_000)
        board.claim_row(7)
        board.remove()
        board.asked(49_999)
    assert not list(tmp_path.iterdir())


def test_a_new_round_begins_clean_and_workers_keep_their_rows(tmp_path: Path) -> None:
    """Clearing forgets operations and not workers."""
    with Board.create(str(tmp_path / "board"), 3, 3) as board:
        assert board.row_count() == 0
        assert [board.claim_row(7), board.claim_row(8)] == [0, 1]
        board.asked(1)
        board.clear()
        assert board.count(boards.UNTOUCHED) == 3
        assert list(board.attempts) == [0, 0, 0]
        assert board.row_count() == 2
        assert board.row(1)[boards.BASELINE] == 8
