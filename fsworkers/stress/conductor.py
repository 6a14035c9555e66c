"""Runs one side of one scenario and watches it from outside, so that it may hang or die.

The side is a process tree of its own. The conductor looks at the board and at the workers'
descriptors fifty times a second, deals out the faults, and ends the side when nothing has moved for
too long. What it finds is a ``SideResult``; it judges nothing.
"""

from __future__ import annotations

import os
import selectors
from contextlib import ExitStack
from threading import Event as Pause
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from fsworkers.stress import board as boards
from fsworkers.stress.board import Board
from fsworkers.stress.errors import StageFailed
from fsworkers.stress.faults import Attacker
from fsworkers.stress.findings import Findings
from fsworkers.stress.processes import count_descriptors, is_alive, kill_all, members_of_session
from fsworkers.stress.records import Brief, Event, Message, Sample, SideResult
from fsworkers.stress.runners import most_frequent
from fsworkers.stress.stage import AGAIN, ENOUGH
from fsworkers.stress.starting import answer, how_it_ended, start
from fsworkers.stress.tally import has_ended, thinned

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from typing import IO

    from fsworkers.stress.scenarios.scenario import Scenario

LOOK_S = 0.02
PATIENCE_S = {"ordinary": 4.0, "fsworkers": 10.0}
"""How long nothing may move before a side counts as hung. Ours has longer, because to say so is an
accusation; it never needs it."""

OWN_PATIENCE_S = 20.0
"""With a function of the user's, on either side: it may take its time."""

ORDINARY_S = 20.0
"""The ordinary side goes on no longer than this: it has shown by then what it does."""

START_S = 30.0
REFUSAL_S = 5.0
"""How much longer a side goes on that is to be refused something by the kernel, and was not."""

CENSUS_S = 3.0
"""How long workers may take to close what they close on other threads."""

OUTPUT_KEPT = 2000


class Look(msgspec.Struct, frozen=True):
    """One look, as a display wants it.

    Attributes:
        brief: Which side of what.
        at_s: Since the first worker began.
        workers: The living workers' open descriptors.
        waiting: Operations that want a descriptor and have none.
        ended: Operations that ended in this round.
        wanted: Operations of a round.
        rounds: Rounds that are over.
        per_s: Operations that ended a second, of late.
    """

    brief: Brief
    at_s: float
    workers: list[int]
    waiting: int
    ended: int
    wanted: int
    rounds: int
    per_s: float


class SideRun:
    """One side of one scenario.

    Args:
        scenario: The scenario.
        brief: What the side is told.
        show: Called with each look.
    """

    def __init__(self, scenario: Scenario, brief: Brief, show: Callable[[Look], None]) -> None:
        plan = brief.plan
        self._scenario = scenario
        self._brief = brief
        self._plan = plan
        self._show = show
        self._duration_s = plan.duration_s
        if brief.side == "ordinary":
            self._duration_s = min(plan.duration_s, ORDINARY_S)
        self._patience_s = PATIENCE_S[brief.side] if plan.call is None else OWN_PATIENCE_S
        self._samples: list[Sample] = []
        self._events: list[Event] = []
        self._workers: dict[int, int] = {}
        self._rows_seen = 0
        self._unmet: list[int] = []
        self._peak: int | None = None
        self._leaked = 0
        self._begun_s: float | None = None
        self._moved_s = 0.0
        self._moved: tuple[int, int, int] = (0, 0, 0)
        self._end: Message | None = None
        self._left: list[int] = []

    def run(self) -> SideResult:
        """Run it to its end, whatever that is.

        Raises:
            StageFailed: It never came so far as to run a job.
        """
        with ExitStack() as stack:
            ops, jobs = self._scenario.ops(self._plan), self._scenario.job_count(self._plan)
            self._board = stack.enter_context(Board.create(self._brief.board, ops, jobs))
            self._findings = Findings(self._scenario, self._plan, self._board)
            self._attacker = Attacker(self._scenario.faults, self._plan, self._board.mark_struck)
            output = stack.enter_context(open(f"{self._brief.board}.stderr", "w+b"))
            stage = stack.enter_context(start(self._brief, output))
            stack.callback(self._clear_away, stage)
            stack.callback(self._attacker.stop)
            has_hung = self._conduct(stage)
            if self._end is None and (self._begun_s is None or not has_hung):
                self._note_death(stage, output)
            elif has_hung:
                at_s = self._at(monotonic())
                self._findings.hangs(self._strikes(), at_s, self._patience_s)
            rows = [self._board.row(row) for row in range(self._board.row_count())]
            self._board.remove()
        return self._result(rows)

    def _conduct(self, stage: subprocess.Popen[bytes]) -> bool:
        """Answer the stage and look, until it has ended or hangs; whether it hangs."""
        assert stage.stdout is not None
        os.set_blocking(stage.stdout.fileno(), False)
        self._moved_s = monotonic()
        started_s = self._moved_s
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(stage.stdout, selectors.EVENT_READ)
            next_look_s = monotonic()
            while True:
                if selector.select(max(0.0, next_look_s - monotonic())):
                    chunk = os.read(stage.stdout.fileno(), 65_536)
                    if not chunk:
                        self._look(monotonic())
                        return False
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        self._hear(stage, msgspec.json.decode(line, type=Message))
                    if self._end is not None:
                        stage.wait()
                        return False
                now = monotonic()
                if now >= next_look_s:
                    next_look_s = now + LOOK_S
                    self._look(now)
                    if stage.poll() is not None and not selector.select(0):
                        return False  # its forked children may hold its end of the pipe open
                    patience_s = START_S if self._begun_s is None else self._patience_s
                    if now - max(self._moved_s, started_s) > patience_s:
                        return True

    def _hear(self, stage: subprocess.Popen[bytes], message: Message) -> None:
        self._moved_s = monotonic()
        if message.kind == "round":
            self._look(self._moved_s)
            self._findings.round_over(message, self._strikes(), self._at(message.ended_s))
            is_enough = self._is_enough(message)
            if not is_enough:
                self._findings.next_round()
            answer(stage, ENOUGH if is_enough else AGAIN)
        elif message.kind == "idle":
            self._attacker.stop()
            self._take_census()
            answer(stage, ENOUGH)
        else:
            self._end = message

    def _is_enough(self, message: Message) -> bool:
        """Whether the round that is over was the last."""
        left_s = self._duration_s - self._at(self._moved_s)
        if self._is_refusal_missing(message):
            left_s += REFUSAL_S
        return left_s <= 0

    def _is_refusal_missing(self, message: Message) -> bool:
        """Whether the kernel has refused our side nothing, where that is the point."""
        layer = message.layer
        return self._scenario.faults.must_refuse and layer is not None and not layer.refused

    def _note_death(self, stage: subprocess.Popen[bytes], output: IO[bytes]) -> None:
        """The side's own process ended, or no worker ever began.

        Raises:
            StageFailed: The latter.
        """
        output.seek(0)
        words = output.read()[-OUTPUT_KEPT:].decode(errors="replace").strip()
        how = how_it_ended(stage)
        if self._begun_s is None:
            words = words or f"no worker began to work; {START_S:.0f} s are given for it ({how})"
            raise StageFailed(self._scenario.name, self._brief.side, words)
        last = words.rpartition("\n")[2] or how
        self._findings.died(self._strikes(), self._at(monotonic()), last)

    def _strikes(self) -> int:
        """How many workers were killed or stopped so far."""
        return sum(one.kind in {"kill", "stop"} for one in self._attacker.events)

    def _at(self, now: float) -> float:
        return 0.0 if self._begun_s is None else now - self._begun_s

    # Looking

    def _look(self, now: float) -> None:
        self._meet_workers(now)
        at_s = self._at(now)
        opened = []
        for pid in list(self._workers):
            count = count_descriptors(pid)
            if count is not None:
                opened.append(count)
            elif not is_alive(pid):
                del self._workers[pid]
                self._events.append(Event(at_s, "gone", pid))
        states = self._board.states.tobytes()
        waiting = states.count(boards.ASKED)
        ended = sum(states.count(state) for state in (boards.DONE, boards.FAILED, boards.WRONG))
        moved = (ended, self._rows_seen, has_ended(self._board.delivered.tobytes()))
        if moved != self._moved:
            self._moved, self._moved_s = moved, now
        if opened:
            self._peak = max(self._peak or 0, *opened)
        if self._begun_s is None:
            return
        total = self._findings.touched + (0 if self._findings.is_counted else ended)
        self._samples.append(Sample(at_s, max(opened, default=-1), waiting, total))
        self._samples = thinned(self._samples)
        if self._board.is_active:
            self._attacker.act(at_s, self._workers)
        self._show(
            Look(self._brief, at_s, opened, waiting, ended, self._board.ops, self._findings.rounds,
                 self._rate(at_s, total))
        )  # fmt: skip

    def _rate(self, at_s: float, ended: int) -> float:
        """Operations ended a second, over the last second or so."""
        for sample in reversed(self._samples):
            if at_s - sample.at_s >= 1.0:
                return (ended - sample.ended) / (at_s - sample.at_s)
        return ended / at_s if at_s > 0 else 0.0

    def _meet_workers(self, now: float) -> None:
        count = self._board.row_count()
        self._unmet += range(self._rows_seen, count)
        self._rows_seen = count
        for row in list(self._unmet):
            figures = self._board.row(row)
            pid = figures[boards.PID]
            if not pid:
                continue  # it is just writing its row, or died of something as it did
            self._unmet.remove(row)
            if self._begun_s is None:
                self._begun_s = now - boards.age_s(figures[boards.BEGUN_MS], now)
            self._workers[pid] = figures[boards.BASELINE]
            self._events.append(Event(self._at(now), "worker", pid))

    def _take_census(self) -> None:
        """Compare what living workers have open with what they had before their first job."""
        until_s = monotonic() + CENSUS_S
        while True:
            self._leaked = sum(
                max(0, (count_descriptors(pid) or 0) - baseline)
                for pid, baseline in self._workers.items()
            )
            if not self._leaked or monotonic() >= until_s:
                return
            Pause().wait(LOOK_S)

    def _clear_away(self, stage: subprocess.Popen[bytes]) -> None:
        """See what is left of the side, and end it."""
        if self._end is not None:
            self._left = [pid for pid in members_of_session(stage.pid) if pid != stage.pid]
        while left := members_of_session(stage.pid):
            kill_all(left)
            stage.poll()
        stage.wait()

    def _injected(self, end: Message) -> str:
        """How the kernel was made to refuse, and whether it did."""
        told = self._attacker.injected
        if self._is_refusal_missing(end):
            told += "; but the kernel refused nothing, so nothing was proved: ask for more --files"
        return told

    def _highest(self) -> int | None:
        """The peak; looks from outside may have missed it, but EMFILE says that all were taken."""
        if "EMFILE" in self._findings.tally.failed and not self._scenario.faults.squeezes:
            return max(self._peak or 0, self._plan.limit)
        return self._peak

    def _result(self, rows: list[tuple[int, ...]]) -> SideResult:
        end = self._end or Message("end")
        found = self._findings
        errors = most_frequent(found.errors)
        return SideResult(
            side=self._brief.side,
            wanted=self._board.ops * max(1, found.rounds),
            done=found.tally.done,
            failed=dict(found.tally.failed),
            wrong=found.tally.wrong,
            lost=found.lost,
            hung=found.hung,
            crashed=found.tally.crashed,
            unmeant=found.tally.unmeant,
            duplicates=found.duplicates,
            peak=self._highest(),
            waits=found.waits.waits(),
            seconds=found.seconds,
            per_s=found.per_s,
            deaths=found.deaths,
            survived=found.survived,
            rerun=found.rerun,
            rounds=found.rounds,
            cut_short=found.cut_short,
            drawn_ahead=found.drawn_ahead,
            served=sum(row[boards.SERVED] for row in rows),
            overtaken=sum(row[boards.OVERTAKEN] for row in rows),
            rescued=sum(row[boards.RESCUED] for row in rows),
            deadlocks=sum(row[boards.DEADLOCKS] for row in rows),
            leaked=self._leaked,
            processes_left=len({*self._left, *end.children_after}),
            master_leaked=max(0, end.descriptors_after - end.descriptors_before),
            errors=errors,
            untold=found.untold + found.errors.total() - sum(errors.values()),
            injected=self._injected(end),
            layer=end.layer,
            samples=self._samples,
            events=sorted([*self._events, *self._attacker.events], key=lambda one: one.at_s),
        )
