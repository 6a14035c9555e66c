"""The one who looks after a line that may not move by itself.

A thread that lives only while somebody waits. At each look it follows a changed limit, lets one
more operation try after the kernel refused (foreign closes are invisible to us), and finds holders
that wait for one another. Nothing is done by it that a release of ours would do at once.
"""

from __future__ import annotations

from _thread import allocate_lock, start_new_thread

# Straight from the interpreter: ``weakref`` itself costs as much as half of this package.
from _weakref import ref
from os import urandom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fsworkers.graceful.counter import Counter

LOOK_S = 0.25
"""Between two looks at a line that waits for releases of our own."""

GROW_S = 0.05
"""Between two steps back up after pressure."""


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


class Watch:
    """Looks after one budget's line; ends when nobody waits."""

    __slots__ = ("_alarm", "_budget", "running")

    def __init__(self, budget: Counter) -> None:
        self._budget = ref(budget)
        self._alarm = allocate_lock()
        self.running = False

    def start(self) -> None:
        """Begin to look, unless it does already."""
        self._alarm = allocate_lock()
        self._alarm.acquire()
        try:
            start_new_thread(self._run, (self._alarm,))
        except RuntimeError:
            # No thread to be had now; whoever begins to wait next tries again.
            self.running = False

    def hurry(self) -> None:
        """Look sooner: the time to the next look has changed."""
        try:
            self._alarm.release()
        except RuntimeError:
            return  # it is awake already

    def _run(self, alarm: object) -> None:
        while True:
            budget = self._budget()
            if budget is None:
                return
            wait_s = budget.look()
            del budget
            if wait_s is None or alarm is not self._alarm:
                return
            self._alarm.acquire(timeout=wait_s)
