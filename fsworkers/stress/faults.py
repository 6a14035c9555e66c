"""What is done to a side while it works: kills, stops, sinking limits, a refusing kernel.

When and whom is drawn from the seed (``schedule`` is pure); ``Attacker`` does it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

from fsworkers.stress.processes import can_squeeze, set_soft_limit
from fsworkers.stress.records import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fsworkers.stress.records import Plan
    from fsworkers.stress.scenarios.scenario import Faults

FIRST_S = 0.3
SQUEEZE_EVERY_S = 0.25
SQUEEZE_S = 0.08
INJECT_EVERY = 60
"""Every so many opens of a thread are refused: seldom enough that each has others to wait for."""


def schedule(faults: Faults, seed: int, *, is_endless: bool) -> Iterator[tuple[float, str]]:
    """When to kill or stop a worker, in seconds from the begin, in order.

    Args:
        faults: How many of each, and how far apart.
        seed: Decides order and distances.
        is_endless: Go on in the same rhythm for as long as the run lasts.
    """
    random = Random(seed)
    at_s = FIRST_S
    while True:
        kinds = ["kill"] * faults.kills + ["stop"] * faults.stops
        random.shuffle(kinds)
        for kind in kinds:
            yield at_s, kind
            at_s += faults.every_s * random.uniform(0.7, 1.3)
        if not (is_endless and kinds):
            return


def squeezed(limit: int, own: int, spares: float, draw: float) -> int:
    """A limit to lower to: between what must be spared and half of what is left above that.

    Args:
        limit: The limit as it is; the answer may be higher if there is nothing to take away.
        own: Descriptors that a worker had before its first job.
        spares: The share of the limit to leave beside those.
        draw: From 0 to 1, where between.
    """
    least = own + max(1, int(limit * spares))
    return least + int((limit - least) * draw / 2)


class Attacker:
    """Carries out a scenario's faults on one side.

    Args:
        faults: What to do.
        plan: The limit and the seed.
        tell_struck: Called with a worker's pid before it is killed or stopped.

    Attributes:
        events: What was done, and when.
        injected: How the kernel was made to refuse, in words.
    """

    def __init__(self, faults: Faults, plan: Plan, tell_struck: Callable[[int], None]) -> None:
        self.events: list[Event] = []
        self._tell_struck = tell_struck
        self.injected = ""
        self._faults = faults
        self._plan = plan
        self._random = Random(plan.seed)
        self._schedule = schedule(faults, plan.seed, is_endless=plan.duration_s > 0)
        self._next = next(self._schedule, None)
        self._next_squeeze_s = FIRST_S / 3
        self._squeezed: dict[int, float] = {}
        self._squeezes = 0
        self._tracer: subprocess.Popen[bytes] | None = None
        self._is_tracer_tried = False
        self._no_tracer = "it was over too soon"

    def act(self, at_s: float, workers: dict[int, int]) -> None:
        """Do what is due.

        Args:
            at_s: Seconds since the begin.
            workers: Living workers' pids, and what each had open before its first job.
        """
        self._release(at_s)
        if not workers:
            return
        if self._next is not None and at_s >= self._next[0]:
            self._strike(at_s, self._next[1], sorted(workers))
            self._next = next(self._schedule, None)
        if self._faults.squeezes and can_squeeze() and at_s >= self._next_squeeze_s:
            self._next_squeeze_s = at_s + SQUEEZE_EVERY_S
            self._squeeze(at_s, workers)
        if self._faults.injects and len(workers) >= self._plan.workers:
            self._inject(at_s, workers)

    def _strike(self, at_s: float, kind: str, pids: list[int]) -> None:
        pid = self._random.choice(pids)
        number = signal.SIGKILL if kind == "kill" else signal.SIGSTOP
        self._tell_struck(pid)
        with suppress(ProcessLookupError):  # it has ended by itself
            os.kill(pid, number)
            self.events.append(Event(at_s, kind, pid, number.name))

    def _squeeze(self, at_s: float, workers: dict[int, int]) -> None:
        pid = self._random.choice(sorted(workers))
        low = squeezed(self._plan.limit, workers[pid], self._faults.spares, self._random.random())
        if low < self._plan.limit and set_soft_limit(pid, low):
            self._squeezed[pid] = at_s + SQUEEZE_S
            self._squeezes += 1
            self.events.append(Event(at_s, "squeeze", pid, f"limit {low}"))

    def _release(self, at_s: float) -> None:
        for pid, until_s in list(self._squeezed.items()):
            if at_s >= until_s:
                del self._squeezed[pid]
                set_soft_limit(pid, self._plan.limit)
                self.events.append(Event(at_s, "release", pid, f"limit {self._plan.limit}"))

    def _inject(self, at_s: float, workers: dict[int, int]) -> None:
        """Let strace answer ENFILE in the kernel's stead; once, for the workers of that moment."""
        if self._is_tracer_tried:
            return
        self._is_tracer_tried = True
        strace = shutil.which("strace")
        if strace is None:
            self._no_tracer = "strace is not installed"
            return
        when = f"{INJECT_EVERY}+{INJECT_EVERY}"
        command = [strace, "-f", "-qq", "-o", os.devnull, "-e", "trace=openat"]
        command += ["-e", f"inject=openat:error=ENFILE:when={when}"]
        command += [part for pid in workers for part in ("-p", str(pid))]
        self._tracer = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.events.append(Event(at_s, "inject", self._tracer.pid, "ENFILE by strace"))

    def stop(self) -> None:
        """Do nothing more, and undo what can be undone."""
        self._release(float("inf"))
        if self.injected or not (self._faults.squeezes or self._faults.injects):
            return
        means = [f"EMFILE by lowering the limit {self._squeezes} times (prlimit)"]
        if self._faults.spares and not self._squeezes:
            means = ["the limit not lowered: it was over too soon, or too little would be left"]
        if not can_squeeze():
            means = ["EMFILE not injected: this system has no prlimit"]
        if self._faults.injects:
            means.append(self._stop_tracer())
        self.injected = "; ".join(means)

    def _stop_tracer(self) -> str:
        if self._tracer is None:
            return f"ENFILE not injected: {self._no_tracer}"
        has_worked = self._tracer.poll() is None
        self._tracer.terminate()
        try:
            self._tracer.wait(5)
        except subprocess.TimeoutExpired:
            self._tracer.kill()
            self._tracer.wait()
        self._tracer = None
        if not has_worked:
            return "ENFILE not injected: strace may not attach here"
        return f"ENFILE in every {INJECT_EVERY}th openat of a thread (strace)"
