"""The scenarios, in the order in which they run: each a load, and what is done to it.

A load is one function for both sides, of a ``WorkerContext``, which opens files the side's own way,
and the number of an operation, which is a file to work on.
"""

from __future__ import annotations

import asyncio
import os
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from fsworkers.names import printable
from fsworkers.pool.task_function import is_coroutine_function
from fsworkers.stress.scenarios import files, libraries
from fsworkers.stress.worker_context import Operation
from fsworkers.stress.workspace import path_of
from fsworkers.tasks.callables import load_callable

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.stress.model import Brief, Plan
    from fsworkers.stress.worker_context import WorkerContext


class Load(NamedTuple):
    """What is run, how much of it, and what is done to it meanwhile."""

    work: Callable[[WorkerContext, int], Any]
    ops: int  # operations of a round
    at_once: int | None = None  # operations that a worker runs side by side; None for one
    poison: frozenset[int] = frozenset()  # operations that kill their worker
    consume_s: float = 0.0  # how long the caller takes over each outcome
    has_hog: bool = False  # other code takes and frees descriptors in the workers
    has_leaks: bool = False  # files are left to the garbage collector
    kills: int = 0  # workers to kill by SIGKILL
    stops: int = 0  # workers to stop by SIGSTOP
    every_s: float = 0.8  # between two of them; in a longer run they go on in this rhythm
    spares: float | None = None  # lower the limit at moments, and leave this share beside the own
    is_refused: bool = False  # until the kernel has refused something, also by strace


class Scenario(NamedTuple):
    """A name as ``--scenario`` takes it, what holds if it is passed, and its load for a plan."""

    name: str
    proves: str
    load: Callable[[Plan], Load]


def _storm(plan: Plan, share: int, **how: Any) -> Load:
    """A share of the files, and as many at once as a worker is to want open."""
    ops = max(1, plan.files // share)
    return Load(files.read_in_loop_or_thread, ops, at_once=plan.concurrency, **how)


def _poisonous(ops: int, most: int, seed: int) -> frozenset[int]:
    """Which operations kill their worker: at most ``most``, and never all."""
    return frozenset(Random(seed).sample(range(ops), min(most, ops - 1)))


def _poison_file(plan: Plan) -> Load:
    ops = max(1, plan.files // 8)
    return Load(files.read_or_die, ops, poison=_poisonous(ops, 3, plan.seed))


def _everything(plan: Plan) -> Load:
    """A bounded number; each runs again by itself when its worker dies, so not a thousand."""
    ops = min(plan.files, 800)
    return Load(
        everything, ops, at_once=min(plan.concurrency, 64), poison=_poisonous(ops, 2, plan.seed),
        has_hog=True, has_leaks=True, kills=2, stops=1, every_s=1.5,
        spares=0.6,  # a reservation of four must be possible beside the hog and the reserve
    )  # fmt: skip


async def everything(context: WorkerContext, op: int) -> None:
    """One of the kinds of operations, by turns."""
    files.die_of_poison(context, op)
    kind = op % 8
    if kind == 4:
        await files.hold_and_wait(context, op)
    elif kind > 4:
        work = (files.leak, libraries.use, libraries.walk)[kind - 5]
        await asyncio.to_thread(work, context, op)
    else:
        await files.read_in_loop(context, op)


SCENARIOS = (
    Scenario(
        "open-storm",
        "more files wanted open than there are descriptors: all are read, each in its turn",
        lambda plan: _storm(plan, 1),
    ),
    Scenario(
        "hold-and-wait",
        "when all who hold a descriptor wait for another, the knot is found and undone",
        lambda plan: Load(files.hold_and_wait, min(plan.files, 200), at_once=plan.concurrency),
    ),
    Scenario(
        "foreign-hog",
        "other code takes sockets and pipes and frees them: no open fails for it",
        lambda plan: _storm(plan, 2, has_hog=True),
    ),
    Scenario(
        "fd-leak",
        "files that nobody closes give their descriptors back when they are collected",
        lambda plan: Load(files.leak, max(1, plan.files // 2), has_leaks=True),
    ),
    Scenario(
        "scandir-storm",
        "a walk finds every file, where os.walk takes a refused directory for an empty one",
        lambda plan: Load(
            libraries.walk, plan.files // 10 or 1, at_once=min(plan.concurrency, 200)
        ),
    ),
    Scenario(
        "third-party",
        "code that never heard of the layer waits its turn too, through install()",
        lambda plan: Load(libraries.use, min(plan.files, 400), at_once=min(plan.concurrency, 100)),
    ),
    Scenario(
        "kernel-refuses",
        "EMFILE and ENFILE from the kernel itself never reach the caller",
        # A third of the files: a traced worker is slow. Starting a loop takes three descriptors.
        lambda plan: _storm(plan, 3, spares=0.25, is_refused=True),
    ),
    Scenario(
        "kill-workers",
        "workers that are killed or stopped are replaced, and every file is done all the same",
        lambda plan: Load(
            files.read_and_hold, min(plan.files, 600 * plan.workers), kills=3, stops=1, every_s=0.4
        ),
    ),
    Scenario(
        "poison-file",
        "a file that kills its worker is reported as crashed, and costs no other file anything",
        _poison_file,
    ),
    Scenario(
        "slow-consumer",
        "a slow consumer slows the pool down; input is drawn a little ahead, not all at once",
        lambda plan: Load(files.read_and_hold, 250 * plan.workers, consume_s=0.005 / plan.workers),
    ),
    Scenario("everything", "all of the above at the same time", _everything),
)

NAMES = tuple(one.name for one in SCENARIOS)


# The user's own function


def _own(plan: Plan) -> Load:
    """Coroutines run side by side; plain functions one at a time, as they may not bear threads."""
    is_coroutine = is_coroutine_function(own_function(plan.call))
    # What is spared is room for a subprocess with three pipes.
    return Load(
        await_own if is_coroutine else call_own, plan.files, kills=2, every_s=0.5, spares=0.35,
        at_once=plan.concurrency if is_coroutine else None,
    )  # fmt: skip


def call_own(context: WorkerContext, op: int) -> None:
    """Call it on one file."""
    with Operation(context, op) as operation:
        own_function(context.brief.plan.call)(own_paths(context.brief.folder)[op])
        operation.ended(is_right=True)


async def await_own(context: WorkerContext, op: int) -> None:
    """Await it on one file."""
    with Operation(context, op) as operation:
        await own_function(context.brief.plan.call)(own_paths(context.brief.folder)[op])
        operation.ended(is_right=True)


@cache
def own_function(call: str | None) -> Callable[[str], Any]:
    """The function, as MODULE:FUNCTION names it."""
    return load_callable(call or "", {})


OWN_PATHS = "own-paths"
"""The file in a run's folder that lists the user's files, NUL-separated."""


@cache
def own_paths(folder: str) -> tuple[str, ...]:
    """The user's files."""
    return tuple(map(os.fsdecode, Path(folder, OWN_PATHS).read_bytes().split(b"\0")[:-1]))


OWN = Scenario(
    "own-task",
    "your function over your files: none fails for want of a descriptor, none is lost",
    _own,
)

BY_NAME = {one.name: one for one in (*SCENARIOS, OWN)}


def load_of(brief: Brief) -> Load:
    """What a side is to run."""
    return BY_NAME[brief.scenario].load(brief.plan)


def path_of_operation(brief: Brief, op: int) -> str:
    """What an operation works on, for people to read."""
    if brief.plan.call is None:
        return path_of("", op % brief.plan.files).lstrip("/")
    return printable(own_paths(brief.folder)[op])
