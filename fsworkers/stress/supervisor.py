"""Runs one side of one scenario and watches it from outside, so that it may hang or die.

The side is a process tree of its own. The supervisor looks at the scoreboard and at the workers'
descriptors fifty times a second, deals out the faults, and ends the side when nothing has moved for
too long. What it finds is a ``SideResult``; it judges nothing.
"""

from __future__ import annotations

import os
import signal
from array import array
from collections import Counter
from contextlib import ExitStack, suppress
from functools import partial
from math import inf
from pathlib import Path
from threading import Event as Pause
from time import monotonic
from typing import TYPE_CHECKING

from fsworkers.errors import WorkerStartError
from fsworkers.stress import processes
from fsworkers.stress import scoreboard as board
from fsworkers.stress.counting import count_round, last_of, states_of, waits_of
from fsworkers.stress.faults import Attacker
from fsworkers.stress.model import Event, Look, Sample, SideResult
from fsworkers.stress.scenarios.registry import load_of, path_of_operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.stress.model import Brief, Report

LOOK_S = 0.02
START_S = 30.0  # for the first worker to begin
CENSUS_S = 3.0  # for workers to close what they close on other threads
TELL_S = 2.0  # for a side that hangs to tell what happened
REFUSAL_S = 5.0  # longer that a side goes on that was to be refused something, and was not
ORDINARY_S = 20.0  # and no longer goes the ordinary side: it has shown by then what it does

PATIENCE_S = {"ordinary": 4.0, "fsworkers": 10.0, "own": 20.0}
"""How long nothing may move before a side counts as hung. Ours has longer, because to say so is an
accusation; it never needs it. A function of the user's may take its time on either side."""

MOST_SAMPLES = 1000
OUTPUT_KEPT = 2000


class Supervisor:
    """Watches one side of one scenario.

    ``show`` is called with each look, and ``obey``, which may raise: the side is ended then.
    """

    def __init__(
        self, brief: Brief, show: Callable[[Look], None], obey: Callable[[], None]
    ) -> None:
        self._brief = brief
        self._show = show
        self._obey = obey
        self._load = load = load_of(brief)
        self._scoreboard = board.Scoreboard.create(brief.scoreboard, load.ops)
        self._attacker = Attacker(load, brief.plan, self._scoreboard.mark_struck)
        self._result = SideResult(brief.side)
        self._waits_s = array("f")
        self._workers: dict[int, int] = {}  # living ones, and what each had open at its begin
        self._rows_met: set[int] = set()
        self._begun_s: float | None = None
        self._moved_s = monotonic()
        self._moved = (0, 0, 0)
        self._poisoned = 0
        self._is_counted = False  # the round that the scoreboard shows
        self._has_ended = False
        self._has_gone_wrong = False

    def run(self) -> SideResult:
        """Run it to its end, whatever that is.

        Raises:
            WorkerStartError: It never came so far as to run a job.
        """
        with ExitStack() as stack:
            stack.callback(os.unlink, self._brief.scoreboard)
            self._process, self._side = processes.start_side(self._brief)
            stack.enter_context(self._side)
            stack.callback(processes.kill_session, self._process)
            stack.callback(self._attacker.stop)
            has_hung = self._watch()
            if self._has_ended:
                self._result.processes_left = len(processes.members_of_session(self._process.pid))
            elif has_hung and self._begun_s is not None:
                self._note_hang()
            else:
                self._note_death()
        self._fill_in()
        return self._result

    def _watch(self) -> bool:
        """Take reports and look, until the side has ended or hangs; whether it hangs."""
        patience_s = PATIENCE_S["own" if self._brief.plan.call else self._brief.side]
        while True:
            is_alive = self._process.poll() is None
            report = self._receive(LOOK_S if is_alive else 0.0)
            if report is not None:
                self._hear(report)
            self._obey()
            now = monotonic()
            self._look(now)
            if report is None and not is_alive:
                return False
            if now - self._moved_s > (START_S if self._begun_s is None else patience_s):
                return True

    def _receive(self, wait_s: float) -> Report | None:
        """What the side reports, if it says something before so long has passed."""
        with suppress(EOFError, OSError):  # it has ended
            if self._side.poll(wait_s):
                report: Report = self._side.recv()
                return report
        return None

    def _answer(self, text: str) -> None:
        with suppress(OSError):  # likewise
            self._side.send(text)

    def _hear(self, report: Report) -> None:
        self._moved_s = monotonic()
        result = self._result
        result.layer = report.layer or result.layer
        if report.kind == "round":
            self._look(self._moved_s)
            result.errors = dict(report.errors + Counter(result.errors))
            result.rerun += report.rerun
            result.duplicates += report.duplicates
            result.drawn_ahead = max(result.drawn_ahead, report.drawn_ahead)
            result.lost += self._count_round(report.ended_s)
            self._tell(report)
            is_enough = self._is_enough()
            if not is_enough:
                self._scoreboard.clear()
                self._is_counted = False
            self._answer(processes.ENOUGH if is_enough else processes.AGAIN)
        elif report.kind == "idle":
            self._attacker.stop()
            self._take_census()
            self._answer(processes.ENOUGH)
        else:
            self._has_ended = True
            result.master_leaked = report.leaked
            self._tell(report)

    def _is_enough(self) -> bool:
        """Whether the round that is over was the last."""
        most_s = ORDINARY_S if self._brief.side == "ordinary" else inf
        duration_s = min(self._brief.plan.duration_s, most_s)
        more_s = REFUSAL_S if self._is_refusal_missing() else 0.0
        return self._at(self._moved_s) >= duration_s + more_s

    def _is_refusal_missing(self) -> bool:
        """Whether the kernel has refused our side nothing, where that is the point."""
        layer = self._result.layer
        return self._load.is_refused and layer is not None and not layer.refused

    def _count_round(self, ended_s: float) -> int:
        """Add the scoreboard to the result; how many operations nothing was heard of."""
        result, scoreboard = self._result, self._scoreboard
        if self._is_counted:
            return 0  # it was over before
        unheard, waits_s = count_round(result, scoreboard, self._load)
        self._waits_s.extend(waits_s)
        self._poisoned += sum(scoreboard.attempts[op] for op in self._load.poison)
        befallen = self._attacker.strikes + self._poisoned - result.deaths
        result.deaths += befallen
        result.survived += 0 if unheard else befallen
        result.rounds += 1
        result.seconds = max(0.001, self._at(ended_s))
        self._is_counted = True
        return unheard

    def _note_hang(self) -> None:
        """Nothing has moved for too long, in a round or after the last."""
        silent_s = monotonic() - self._moved_s
        self._result.cut_short = f"nothing had moved for {silent_s:.0f} s, so it was ended"
        self._answer(processes.TELL)
        self._tell(self._receive(TELL_S))
        self._result.hung += self._count_round(monotonic())

    def _note_death(self) -> None:
        """The side's own process ended, or no worker ever began."""
        output = Path(f"{self._brief.scoreboard}.output").read_text("utf-8", "replace")
        words, code = output[-OUTPUT_KEPT:].strip(), self._process.returncode or 0
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with {code}"
        if self._begun_s is None:
            which = f"the {self._brief.side} side of {self._brief.scenario}"
            raise WorkerStartError(f"no worker began to work on {which}", words)
        cut_short = f"its process ended {how}: {words.rpartition(chr(10))[2]}".removesuffix(": ")
        self._result.cut_short = cut_short
        self._result.errors[cut_short] = 1
        self._tell(None)
        self._result.lost += self._count_round(monotonic())

    def _tell(self, report: Report | None) -> None:
        """Keep what happened last, unless it was told already of a round that went wrong."""
        if self._has_gone_wrong or self._brief.side == "ordinary":
            return
        path = partial(path_of_operation, self._brief)
        states = states_of(self._scoreboard, self._load, path)
        told = [(self._at(at), text) for at, text in report.story] if report else []
        self._result.story = states + last_of(self._events(), told)
        self._has_gone_wrong = bool(states)

    def _events(self) -> list[Event]:
        return sorted(self._result.events + self._attacker.events, key=lambda one: one.at_s)

    def _at(self, now: float) -> float:
        return 0.0 if self._begun_s is None else now - self._begun_s

    def _look(self, now: float) -> None:
        self._meet_workers(now)
        result, at_s = self._result, self._at(now)
        counts = {pid: processes.open_count_of(pid) for pid in self._workers}
        for pid, count in counts.items():
            if count is None:
                del self._workers[pid]
                result.events.append(Event(at_s, "gone", pid))
        opened = [count for count in counts.values() if count is not None]
        if opened:
            result.peak = max(result.peak or 0, *opened)
        states = self._scoreboard.states.tobytes()
        waiting = states.count(board.ASKED)
        ended = sum(states.count(state) for state in (board.DONE, board.FAILED, board.WRONG))
        unheard = self._scoreboard.delivered.tobytes().count(board.UNDELIVERED)
        moved = (ended, len(self._rows_met), unheard)
        if moved != self._moved:
            self._moved, self._moved_s = moved, now
        if self._begun_s is None:
            return
        result.samples.append(Sample(at_s, max(opened, default=-1), waiting))
        if len(result.samples) > MOST_SAMPLES:
            del result.samples[::2]
        if self._scoreboard.is_active[0]:
            self._attacker.act(at_s, self._workers)
        rounds, per_s = result.rounds, (result.done + ended) / max(LOOK_S, at_s)
        wanted = self._load.ops
        self._show(Look(self._brief, at_s, opened, waiting, ended, wanted, rounds, per_s))

    def _meet_workers(self, now: float) -> None:
        for row, figures in enumerate(self._scoreboard.rows()):
            pid = int(figures[board.PID])
            if row in self._rows_met or not pid:  # or it is just writing its row
                continue
            self._rows_met.add(row)
            if self._begun_s is None:
                self._begun_s = figures[board.BEGUN_S]
            self._workers[pid] = int(figures[board.BASELINE])
            self._result.events.append(Event(self._at(now), "worker", pid))

    def _take_census(self) -> None:
        """Compare what living workers have open with what they had before their first job."""
        until_s = monotonic() + CENSUS_S
        while True:
            looks = [(processes.open_count_of(pid) or 0, own) for pid, own in self._workers.items()]
            self._result.leaked = sum(max(0, count - own) for count, own in looks)
            if not self._result.leaked or monotonic() >= until_s:
                return
            Pause().wait(LOOK_S)

    def _fill_in(self) -> None:
        """What is only known at the end."""
        result = self._result
        result.wanted = self._load.ops * max(1, result.rounds)
        result.per_s = result.done / result.seconds if result.seconds else 0.0
        result.waits = waits_of(self._waits_s)
        result.events = self._events()
        sums = [int(sum(figures)) for figures in zip(*self._scoreboard.rows(), strict=True)]
        result.served, result.overtaken = sums[board.SERVED], sums[board.OVERTAKEN]
        result.rescued, result.deadlocks = sums[board.RESCUED], sums[board.DEADLOCKS]
        result.injected = self._attacker.injected
        if self._is_refusal_missing():
            result.injected += "; nothing was refused, so nothing was proved: ask for more --files"
        if "EMFILE" in result.failed and self._load.spares is None:
            result.peak = max(result.peak or 0, self._brief.plan.limit)  # no look has seen it
