"""The one who looks after a line that may not move by itself.

A thread that lives only while somebody waits. At each look it follows a changed limit, lets one
more operation try after the kernel refused (foreign closes are invisible to us), and does what is
due about a line that stands still. Nothing is done by it that a release of ours would do at once.
"""

from __future__ import annotations

import gc
import sys
from _thread import allocate_lock, get_ident, start_new_thread

# Straight from the interpreter: ``weakref`` itself costs as much as half of this package.
from _weakref import ref
from functools import partial
from os import urandom
from time import monotonic, thread_time

from fsworkers.graceful.budget import descriptor_table, owners
from fsworkers.graceful.budget.deadlock import COLLECT, GIVE_UP, RESCUE, StallClock, all_wait
from fsworkers.graceful.budget.throttle import Throttle
from fsworkers.graceful.errors import DescriptorDeadlock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from threading import Lock
    from typing import Any

LOOK_S = 0.25
"""Between two looks at a line that waits for releases of our own."""

SOON_S = 0.02
"""From the first look to the second: most waits are over by then."""

TRIES = 3
"""Looks at a line that is given up before somebody is told of it who may be in the way."""

AFTER_ERROR_S = 1.0
"""Until the next look when one went wrong."""

_LONGEST_PAUSE_S = 10.0
"""Between two searches for garbage that were of no use."""


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

    Attributes:
        is_running: Whether there is a thread that does.
    """

    def __init__(self, budget: Any) -> None:
        self._budget = ref(budget)
        self._alarm = allocate_lock()
        self._stall = StallClock()
        self._collecting = Throttle(_LONGEST_PAUSE_S)
        self._is_knot = False
        self._thread = 0
        self.is_running = False

    def begin(self) -> None:
        """Under the lock: see that somebody looks."""
        if self.is_running:
            return
        alarm = allocate_lock()
        alarm.acquire()
        self._alarm = alarm
        try:
            start_new_thread(self._run, (alarm,))
        except RuntimeError:
            return  # no thread to be had now; whoever begins to wait next tries again
        self.is_running = True

    def is_here(self) -> bool:
        """Whether this is its thread: finalizers that it has found must not wait for it."""
        return self._thread == get_ident()

    def hurry(self) -> None:
        """Look sooner: the time to the next look has changed."""
        try:
            self._alarm.release()
        except RuntimeError:
            return  # it is awake already

    def _run(self, alarm: Lock) -> None:
        self._thread = get_ident()
        try:
            self._look_on(alarm)
        finally:
            # The next thread may have this ident again, and is not the watchdog.
            if self._thread == get_ident():
                self._thread = 0

    def _look_on(self, alarm: Lock) -> None:
        longest_s = SOON_S
        while (budget := self._budget()) is not None:
            try:
                wait_s = self.look(budget)
            except Exception:  # noqa: BLE001 - told, and no reason to leave those who wait alone
                sys.excepthook(*sys.exc_info())
                wait_s = longest_s = AFTER_ERROR_S
            del budget
            if wait_s is None:
                return
            alarm.acquire(timeout=min(wait_s, longest_s))
            longest_s = LOOK_S

    def look(self, budget: Any) -> float | None:
        """Look once; seconds until the next look, ``None`` when nobody waits."""
        budget.follow_limit()
        descriptor_table.sweep()
        step = budget.update(partial(self._judge, budget))
        if step is None:
            return None
        if step == COLLECT:
            self._has_found_garbage(budget)
        elif step == GIVE_UP and self._is_knot:
            if not self._has_found_garbage(budget, is_sure=True) and not budget.lend_more():
                budget.update(partial(self._end_one, budget))
        elif step == GIVE_UP:
            self._tell(budget)
        line, now_s = budget.line, monotonic()
        wait_s = StallClock.COLLECT_AGAIN_S if self._stall.is_pressing(now_s) else LOOK_S
        if line.capacity < line.ceiling:
            wait_s = max(0.001, min(wait_s, line.next_try_s - now_s))
        return wait_s

    def _judge(self, budget: Any, now_s: float) -> int | None:
        """Under the lock: what is due; ``None`` when nobody waits, and then this is over."""
        line = budget.line
        first = line.head(now_s)
        if first is None and not budget.unwoken:
            self.is_running = False
            return None
        # Whoever was first and gave up has moved: those who come later have not stood for long. Who
        # is served and refused by the kernel has not, and is in the line or not in turn.
        is_refused = line.refusals_in_row > 0
        served = None if is_refused else (line.served, first and first.order)
        step = self._stall.next_step(
            served, budget.returns, line.arrivals, now_s, budget.deadlock_after_s
        )
        if step == GIVE_UP:
            holders = {*budget.permits.owners()} - {0}
            self._is_knot = all_wait(line.in_line(), holders, owners.thread_of)
        urgent = line.most_urgent(now_s) if step == RESCUE else None
        if urgent is not None and budget.can_rescue(urgent):
            line.rescue(urgent, budget.lent)
        return step

    def _has_found_garbage(self, budget: Any, *, is_sure: bool = False) -> bool:
        """Whether unreachable files gave descriptors back, if it is time to look for some.

        While everybody waits nobody makes garbage, so the collector does not come by itself.
        """
        if not is_sure and not self._collecting.is_due(monotonic()):
            return False
        returns, begun_s = budget.returns, thread_time()
        gc.collect()
        has_found: bool = budget.returns != returns
        now_s = monotonic()
        self._collecting.note(now_s, thread_time() - begun_s, was_of_use=has_found)
        if has_found:
            self._stall.note_find(now_s)
        return has_found

    def _tell(self, budget: Any) -> None:
        """Say who keeps the line waiting, once; not yet if one may just be trying again."""
        if self._stall.has_been_told or self._stall.given_up_times < TRIES:
            return
        self._stall.has_been_told = True
        import logging  # noqa: PLC0415 - rare, and loads much

        logging.getLogger("fsworkers.graceful").warning(
            "%d wait for a descriptor, and nothing has moved for %g s; held by %s",
            budget.line.waiting,
            budget.deadlock_after_s,
            "; ".join(budget.largest_holders()) or "nobody",
        )

    def _end_one(self, budget: Any, now_s: float) -> None:
        """Under the lock: end the youngest of those whose end gives something back."""
        line = budget.line
        waiting = line.in_line()
        if not waiting:
            return
        self._stall.begin_anew(now_s)
        those = [one for one in waiting if one.is_holder] or waiting
        youngest = ([one for one in those if not one.request.lets_in] or those)[-1]
        error = DescriptorDeadlock(
            youngest.request.label,
            line.capacity,
            budget.largest_holders(),
            [f"{owners.describe(one.owner)} for {one.count}" for one in waiting[:5]],
        )
        line.deadlocks += 1
        line.fail(youngest, error, now_s)
        budget.unwoken[id(youngest)] = youngest
