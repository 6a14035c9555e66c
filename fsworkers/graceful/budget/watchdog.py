"""The one who looks after a line that may not move by itself.

A thread that lives only while somebody waits. At each look it follows a changed limit, lets one
more operation try after the kernel refused (foreign closes are invisible to us), and finds holders
that wait for one another. Nothing is done by it that a release of ours would do at once.
"""

from __future__ import annotations

import sys
from _thread import allocate_lock, start_new_thread

# Straight from the interpreter: ``weakref`` itself costs as much as half of this package.
from _weakref import ref
from os import urandom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from threading import Lock
    from typing import Protocol

    class Looker(Protocol):
        """Whose line is looked after."""

        def tick(self, turn: int) -> float | None:
            """Look once; seconds until the next look, ``None`` when nobody waits."""


LOOK_S = 0.25
"""Between two looks at a line that waits for releases of our own."""

SOON_S = 0.02
"""From the first look to the second: most waits are over by then, and a knot is seen to be one."""

AFTER_ERROR_S = 1.0
"""Until the next look when one went wrong."""


def backoff_s(streak: int, *, machine_wide: bool) -> float:
    """Seconds to the next try after ``streak`` refusals in a row, jittered over half of it.

    From 10 ms to 0.25 s for this process's limit. When the machine is out, from 40 ms to 2 s; its
    jitter keeps many processes from coming back together.

    tenacity is not used here: loading it opens files, at the very moment when none can be opened.
    """
    first_s, longest_s = (0.04, 2.0) if machine_wide else (0.01, 0.25)
    wait_s: float = min(longest_s, first_s * 2 ** min(streak, 16))
    # ``random`` would cost every worker 3 ms at its start.
    return wait_s * (0.5 + urandom(1)[0] / 510)


class Watchdog:
    """Looks after one budget's line; ends when nobody waits.

    ``turn`` tells the one thread in charge from any that is late in ending: it changes, under the
    budget's lock, whenever a new one is to begin.
    """

    __slots__ = ("_alarm", "_counter", "is_running", "turn")

    def __init__(self, counter: Looker) -> None:
        self._counter = ref(counter)
        self._alarm = allocate_lock()
        self.is_running = False
        self.turn = 0

    def begin(self) -> None:
        """Under the lock: begin to look. Interrupted in here, it is begun again: that harms not."""
        turn = self.turn + 1
        alarm = allocate_lock()
        alarm.acquire()
        self._alarm = alarm
        self.turn = turn
        try:
            start_new_thread(self._run, (alarm, turn))
        except RuntimeError:
            return  # no thread to be had now; whoever begins to wait next tries again
        self.is_running = True

    def end(self) -> None:
        """Under the lock: settle that there is nothing to look after any more."""
        self.is_running = False

    def hurry(self) -> None:
        """Look sooner: the time to the next look has changed."""
        try:
            self._alarm.release()
        except RuntimeError:
            return  # it is awake already

    def _run(self, alarm: Lock, turn: int) -> None:
        longest_s = SOON_S
        while True:
            counter = self._counter()
            if counter is None:
                return
            try:
                wait_s = counter.tick(turn)
            except Exception:  # noqa: BLE001 - told, and no reason to leave those who wait alone
                sys.excepthook(*sys.exc_info())
                wait_s = longest_s = AFTER_ERROR_S
            del counter
            if wait_s is None or turn != self.turn:
                return
            alarm.acquire(timeout=min(wait_s, longest_s))
            longest_s = LOOK_S
