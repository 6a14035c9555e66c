"""The process of one side: it runs rounds until it is told that it is enough, and reports.

It measures nothing of the operations: those are on the scoreboard, also when this process hangs.
When the supervisor is gone it ends itself and all that it has started.
"""

from __future__ import annotations

import os
import signal
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from time import monotonic

from fsworkers.stress.model import Report
from fsworkers.stress.processes import AGAIN, TELL
from fsworkers.stress.runners import OrdinaryRunner, PoolRunner
from fsworkers.stress.scenarios.registry import load_of
from fsworkers.stress.scoreboard import Scoreboard
from fsworkers.stress.worker_context import open_count


def main(descriptor: int) -> None:
    """Run one side."""
    os.set_inheritable(descriptor, False)
    supervisor = Connection(descriptor)
    brief = supervisor.recv()
    load = load_of(brief)
    scoreboard = Scoreboard(brief.scoreboard, load.ops)
    before = open_count()
    kind = OrdinaryRunner if brief.side == "ordinary" else PoolRunner
    runner = kind(brief, load, scoreboard)
    answers: SimpleQueue[str] = SimpleQueue()

    def listen() -> None:
        try:
            while True:
                answer = supervisor.recv()
                if answer == TELL:
                    supervisor.send(runner.report("story"))
                else:
                    answers.put(answer)
        except EOFError:
            os.killpg(0, signal.SIGKILL)

    Thread(target=listen, daemon=True).start()
    answer = AGAIN
    while answer == AGAIN:
        scoreboard.is_active[0] = True
        done = runner.run_round()
        done.ended_s = monotonic()
        scoreboard.is_active[0] = False
        supervisor.send(done)
        answer = answers.get()
    supervisor.send(Report("idle"))
    answers.get()
    end = runner.report("end")
    runner.close()
    end.leaked = max(0, open_count() - before)
    supervisor.send(end)
