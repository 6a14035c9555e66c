"""What is done to a side while it works, as the seed decides: kills, stops, sinking limits."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

from fsworkers.stress.model import Event
from fsworkers.stress.processes import set_soft_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fsworkers.stress.model import Plan
    from fsworkers.stress.scenarios.registry import Load

FIRST_S = 0.3
SQUEEZE_EVERY_S = 0.25
SQUEEZE_S = 0.08
INJECT_EVERY = 60  # opens of a thread: seldom enough that each has others to wait for


def schedule(load: Load, seed: int, *, is_endless: bool) -> Iterator[tuple[float, str]]:
    """When to kill or stop a worker, in seconds from the begin; if endless, on in that rhythm."""
    random = Random(seed)
    at_s = FIRST_S
    while True:
        kinds = ["kill"] * load.kills + ["stop"] * load.stops
        random.shuffle(kinds)
        for kind in kinds:
            yield at_s, kind
            at_s += load.every_s * random.uniform(0.7, 1.3)
        if not (is_endless and kinds):
            return


def squeezed(limit: int, own: int, spares: float, draw: float) -> int:
    """A limit to lower to, the lower the less is drawn (0 to 1), and higher if it can't be.

    Spared is what a worker had of its own before its first job, and a share of the limit.
    """
    least = own + max(1, int(limit * spares))
    return least + int((limit - least) * draw / 2)


class Attacker:
    """Carries out what a load says; ``tell_struck`` is called before a worker is struck."""

    def __init__(self, load: Load, plan: Plan, tell_struck: Callable[[int], None]) -> None:
        self.events: list[Event] = []
        self.injected = ""  # how the kernel was made to refuse, in words
        self.strikes = 0  # workers that were killed or stopped
        self._tell_struck = tell_struck
        self._load = load
        self._plan = plan
        self._random = Random(plan.seed)
        self._schedule = schedule(load, plan.seed, is_endless=plan.duration_s > 0)
        self._next = next(self._schedule, None)
        self._next_squeeze_s = FIRST_S / 3
        self._squeezed: dict[int, float] = {}
        self._squeezes = 0
        self._tracer: subprocess.Popen[bytes] | None = None

    def act(self, at_s: float, workers: dict[int, int]) -> None:
        """Do what is due, to living workers: their pids, and what each had open at its begin."""
        self._release(at_s)
        if not workers:
            return
        if self._next is not None and at_s >= self._next[0]:
            self._strike(at_s, self._next[1], self._random.choice(sorted(workers)))
            self._next = next(self._schedule, None)
        if self._load.spares is not None and at_s >= self._next_squeeze_s:
            self._next_squeeze_s = at_s + SQUEEZE_EVERY_S
            pid, draw = self._random.choice(sorted(workers)), self._random.random()
            low = squeezed(self._plan.limit, workers[pid], self._load.spares, draw)
            if low < self._plan.limit and set_soft_limit(pid, low):
                self._squeezed[pid] = at_s + SQUEEZE_S
                self._squeezes += 1
                self.events.append(Event(at_s, "squeeze", pid, f"limit {low}"))
        if self._load.is_refused and not self._tracer and len(workers) >= self._plan.workers:
            self._inject(at_s, workers)

    def _strike(self, at_s: float, kind: str, pid: int) -> None:
        number = signal.SIGKILL if kind == "kill" else signal.SIGSTOP
        self._tell_struck(pid)
        with suppress(ProcessLookupError):  # it has ended by itself
            os.kill(pid, number)
            self.strikes += 1
            self.events.append(Event(at_s, kind, pid, number.name))

    def _release(self, at_s: float) -> None:
        for pid, until_s in list(self._squeezed.items()):
            if at_s >= until_s:
                del self._squeezed[pid]
                set_soft_limit(pid, self._plan.limit)
                self.events.append(Event(at_s, "release", pid, f"limit {self._plan.limit}"))

    def _inject(self, at_s: float, workers: dict[int, int]) -> None:
        """Let strace answer ENFILE in the kernel's stead; once, for the workers of that moment."""
        inject = f"inject=openat:error=ENFILE:when={INJECT_EVERY}+{INJECT_EVERY}"
        command = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=openat", "-e", inject]
        command += [part for pid in workers for part in ("-p", str(pid))]
        if shutil.which("strace"):
            nowhere = subprocess.DEVNULL
            self._tracer = subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere)
            self.events.append(Event(at_s, "inject", self._tracer.pid, "ENFILE by strace"))

    def stop(self) -> None:
        """Do nothing more, and undo what can be undone."""
        self._release(float("inf"))
        if self.injected or self._load.spares is None:
            return
        self.injected = f"EMFILE: limit lowered {self._squeezes} times, where it can be (prlimit)"
        if self._load.is_refused:
            is_traced = self._tracer is not None and self._tracer.poll() is None
            with_it = f"in every {INJECT_EVERY}th openat of a thread (strace)"
            without = "not injected: over too soon, no strace, or it may not attach here"
            self.injected += f"; ENFILE {with_it if is_traced else without}"
        if self._tracer is not None:
            self._tracer.terminate()
            self._tracer.wait()
