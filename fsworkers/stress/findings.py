"""What a side's rounds came to, added up: counted from the board at the end of each."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fsworkers.stress import board as boards
from fsworkers.stress.histogram import Histogram
from fsworkers.stress.tally import Tally, tally

if TYPE_CHECKING:
    from fsworkers.stress.board import Board
    from fsworkers.stress.records import Message, Plan
    from fsworkers.stress.scenarios.scenario import Scenario

LEAST_S = 0.001
"""To this the begin of a side is known."""


class Findings:
    """Adds up rounds.

    Args:
        scenario: What is run.
        plan: How.
        board: Where its operations are.

    Attributes:
        tally: Operations by their end.
        waits: How long those that were done had waited, as far as it is known.
        errors: What they failed with, and how often.
        untold: Failures beyond those.
        rounds: Rounds that are over, in whatever way.
        lost: Operations of which nothing was heard, in rounds that ended by themselves.
        hung: The same, in the round that had to be ended.
        deaths: Workers killed, stopped or poisoned.
        survived: Those of them in rounds that went on to their end.
        rerun: Jobs that were handed in again.
        duplicates: Results that came once more.
        drawn_ahead: The most items drawn and not consumed yet.
        touched: Operations that were begun in rounds that are over.
        seconds: From the begin to the end of the last round.
        cut_short: How the side was ended; empty if it ended by itself.
        is_counted: Whether the board holds a round that is over, and counted.
    """

    def __init__(self, scenario: Scenario, plan: Plan, board: Board) -> None:
        self.tally = Tally()
        self.waits = Histogram()
        self.errors: Counter[str] = Counter()
        self.untold = 0
        self.rounds = 0
        self.lost = 0
        self.hung = 0
        self.deaths = 0
        self.survived = 0
        self.rerun = 0
        self.duplicates = 0
        self.drawn_ahead = 0
        self.touched = 0
        self.seconds = 0.0
        self.cut_short = ""
        self.is_counted = False
        self._board = board
        self._ops_per_job = scenario.ops_per_job(plan)
        self._poison = scenario.poison(plan)
        self._poisoned = 0

    @property
    def per_s(self) -> float:
        """Operations done a second."""
        return self.tally.done / self.seconds if self.seconds else 0.0

    def round_over(self, message: Message, strikes: int, seconds: float) -> None:
        """A round has ended by itself.

        Args:
            message: What its side says of it.
            strikes: Workers killed or stopped so far.
            seconds: Since the begin.
        """
        self.lost += self._count_board()
        self.errors.update(message.errors)
        self.untold += message.untold
        self.rerun += message.rerun
        self.duplicates += message.duplicates
        self.drawn_ahead = max(self.drawn_ahead, message.drawn_ahead)
        self._close(strikes, seconds, is_survived=not message.broken)

    def next_round(self) -> None:
        """Clear the board for one more."""
        self._board.clear()
        self.is_counted = False

    def hangs(self, strikes: int, seconds: float, patience_s: float) -> None:
        """Nothing has moved for so long, in a round or after the last."""
        self.cut_short = f"nothing had moved for {patience_s:.0f} s, so it was ended"
        if not self.is_counted:
            self.hung += self._count_board()
            self._close(strikes, seconds, is_survived=False)

    def died(self, strikes: int, seconds: float, last_words: str) -> None:
        """The side's own process has ended before it said so."""
        self.cut_short = f"its process ended: {last_words}"
        self.errors[self.cut_short] += 1
        if not self.is_counted:
            self.lost += self._count_board()
            self._close(strikes, seconds, is_survived=False)

    def _close(self, strikes: int, seconds: float, *, is_survived: bool) -> None:
        self.is_counted = True
        befallen = strikes + self._poisoned - self.deaths
        self.deaths += befallen
        self.survived += befallen if is_survived else 0
        self.rounds += 1
        self.seconds = max(LEAST_S, seconds)

    def _count_board(self) -> int:
        """Count what is on the board; how many operations have no end there."""
        board = self._board
        states = board.states.tobytes()
        delivered = board.delivered.tobytes()
        errnos = board.errnos.tobytes()
        counted = tally(states, errnos, delivered, self._ops_per_job, self._poison)
        self.tally.add(counted)
        waits_s = board.waits_s
        self.waits.add(
            waits_s[op]
            for op, state in enumerate(states)
            if state == boards.DONE
            and delivered[op // self._ops_per_job] == boards.DELIVERED
            and waits_s[op] != boards.UNKNOWN_S
        )
        self._poisoned += sum(board.attempts[op] for op in self._poison)
        self.touched += len(states) - states.count(boards.UNTOUCHED)
        return counted.open_ended
