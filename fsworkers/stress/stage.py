"""The process of one side: ``python -m fsworkers.stress.stage``, in a session of its own.

It reads its brief from stdin, runs rounds until it is told that it is enough, and says so on stdout
one JSON line at a time. It measures nothing of the operations: those are on the board, where the
conductor finds them even when this process hangs. When the conductor is gone it ends itself and
all that it has started.
"""

from __future__ import annotations

import os
import signal
import threading
from queue import SimpleQueue
from time import monotonic

import msgspec

from fsworkers.graceful.budget.kernel import open_numbers
from fsworkers.stress.board import Board
from fsworkers.stress.processes import children_of
from fsworkers.stress.records import Brief, Message
from fsworkers.stress.runners import most_frequent, runner_of
from fsworkers.stress.scenarios.registry import scenario_of

AGAIN, ENOUGH = b"again\n", b"enough\n"
"""What the conductor answers: one more round, or go on to the end."""


class Line:
    """The line to the conductor: messages go out, answers come in.

    What workers print must not come between: stdout is turned into stderr for everybody else.
    """

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.set_inheritable(self._out, False)
        os.dup2(2, 1)
        self._answers: SimpleQueue[bytes] = SimpleQueue()

    def read(self) -> bytes:
        """Read one line, ``b""`` at the end.

        From the bare descriptor: a thread that waits in ``sys.stdin`` holds its lock, and children
        that are forked meanwhile wait for it in vain when they close their copy.
        """
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(0, 1)
            if not byte:
                return b""
            line += byte
        return line

    def listen(self) -> None:
        """Take answers from now on, and end everything when none can come any more."""
        threading.Thread(target=self._listen, name="stage-line", daemon=True).start()

    def _listen(self) -> None:
        while answer := self.read():
            self._answers.put(answer)
        os.killpg(0, signal.SIGKILL)

    def say(self, message: Message) -> None:
        """Send a message."""
        os.write(self._out, msgspec.json.encode(message) + b"\n")

    def ask(self, message: Message) -> bytes:
        """Send a message and wait for its answer."""
        self.say(message)
        return self._answers.get()


def main() -> None:
    """Run one side."""
    line = Line()
    brief = msgspec.json.decode(line.read(), type=Brief)
    scenario = scenario_of(brief)
    line.listen()
    before = len(open_numbers() or ())
    plan = brief.plan
    with Board(brief.board, scenario.ops(plan), scenario.job_count(plan)) as board:
        runner = runner_of(scenario, brief, board)
        answer = AGAIN
        while answer == AGAIN:
            board.is_active = True
            done = runner.run_round()
            ended_s = monotonic()
            board.is_active = False
            errors = most_frequent(done.errors)
            answer = line.ask(
                Message(
                    "round",
                    errors=errors,
                    untold=done.errors.total() - sum(errors.values()),
                    broken=done.broken,
                    rerun=done.rerun,
                    duplicates=done.duplicates,
                    drawn_ahead=done.drawn_ahead,
                    ended_s=ended_s,
                    layer=runner.layer(),
                )
            )
        line.ask(Message("idle"))
        layer = runner.layer()
        runner.close()
    line.say(
        Message(
            "end",
            descriptors_before=before,
            descriptors_after=len(open_numbers() or ()),
            children_after=tuple(children_of(os.getpid())),
            layer=layer,
        )
    )


if __name__ == "__main__":
    main()
