"""The two ways to run the jobs: a ``ProcessPoolExecutor``, as everybody does, and our pool."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from fsworkers import Pool
from fsworkers.pool.task_function import is_coroutine_function
from fsworkers.stress import scoreboard as board
from fsworkers.stress import worker_context
from fsworkers.stress.counting import MOST_OPS, gone_wrong
from fsworkers.stress.model import Layer, Report
from fsworkers.stress.scenarios.registry import load_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fsworkers import Outcome
    from fsworkers.stress.model import Brief
    from fsworkers.stress.scenarios.registry import Load
    from fsworkers.stress.scoreboard import Scoreboard

HEARD = {"done": board.DELIVERED, "failed": board.REFUSED, "skipped": board.REFUSED}
"""What an outcome tells the caller; any other tells that a worker has died."""

MOST_RERUNS = 5  # of a job whose worker was killed by us each time
GRACE_S = 2.0  # of silence, after which our pool takes a worker for hung
READY_S = 60.0

# In the workers

_made: list[tuple[worker_context.WorkerContext, Load]] = []
_making = threading.Lock()


def context_of(brief: Brief) -> tuple[worker_context.WorkerContext, Load]:
    """This worker's context, made when it is first asked for, and its load."""
    with _making:  # the first operations may come in many threads at once
        if not _made:
            load = load_of(brief)
            made = worker_context.WorkerContext(brief, load.ops, load.poison)
            if load.has_hog:
                threading.Thread(target=worker_context.hog, args=(made,), daemon=True).start()
            if load.has_leaks:
                threading.Thread(target=worker_context.collect, args=(made,), daemon=True).start()
            _made.append((made, load))
    return _made[0]


def run_one(brief: Brief, op: int) -> None:
    """Do an operation."""
    context, load = context_of(brief)
    try:
        load.work(context, op)
    finally:
        context.note_figures()


async def run_coroutine(brief: Brief, op: int) -> None:
    """The same in the event loop that the pool makes."""
    context, load = context_of(brief)
    try:
        await load.work(context, op)
    finally:
        context.note_figures()


def run_at_once(brief: Brief, ops: range) -> Counter[str]:
    """Operations at once as one writes them without a pool that does it: gathered, in threads.

    None of them ends the others. It returns what they failed with, and how often.
    """
    context, load = context_of(brief)

    async def gather() -> None:
        await asyncio.gather(*(load.work(context, op) for op in ops), return_exceptions=True)

    if is_coroutine_function(load.work):
        asyncio.run(gather())
    else:
        with ThreadPoolExecutor(len(ops)) as threads:
            for op in ops:
                threads.submit(load.work, context, op)
    taken, context.errors = context.errors, Counter()
    return taken


# In the process of a side


class OrdinaryRunner:
    """A ``ProcessPoolExecutor``; a new one when it has broken."""

    def __init__(self, brief: Brief, load: Load, scoreboard: Scoreboard) -> None:
        self._brief = brief
        self._load = load
        self._scoreboard = scoreboard
        self._executor: ProcessPoolExecutor | None = None

    def run_round(self) -> Report:
        """Submit everything, take results as they come; the scoreboard has what became of each.

        Who must bring side by side by himself cuts the work into equal shares, none too large.
        """
        done, is_broken, load = Report("round"), False, self._load
        workers = self._brief.plan.workers
        size = min(load.at_once or 1, -(-load.ops // workers))
        executor = self._executor = self._executor or ProcessPoolExecutor(workers)
        futures: dict[Future[Any], range] = {}
        try:
            for first in range(0, load.ops, size):
                ops = range(first, min(first + size, load.ops))
                work: Callable[[], Any] = partial(run_one, self._brief, first)
                if load.at_once is not None:
                    work = partial(run_at_once, self._brief, ops)
                futures[executor.submit(work)] = ops
        except BrokenProcessPool:
            is_broken = True
        for future in as_completed(futures):
            error = future.exception()
            done.errors.update([worker_context.described(error)] if error else future.result())
            if isinstance(error, BrokenProcessPool):
                is_broken = True
            else:
                for op in futures[future]:
                    self._scoreboard.deliver(op, board.REFUSED if error else board.DELIVERED)
            threading.Event().wait(load.consume_s)
        if is_broken:
            self.close()
            self._executor = None
        return done

    def report(self, kind: str) -> Report:
        """It has nothing to tell."""
        return Report(kind)

    def close(self) -> None:
        """Shut the executor down."""
        if self._executor is not None:
            self._executor.shutdown()


class PoolRunner:
    """Our pool."""

    def __init__(self, brief: Brief, load: Load, scoreboard: Scoreboard) -> None:
        self._load = load
        self._scoreboard = scoreboard
        is_coroutine = is_coroutine_function(load.work)
        self._function = partial(run_coroutine if is_coroutine else run_one, brief)
        self._calls: list[Sequence[int]] = []  # the operations of each map call
        workers = brief.plan.workers
        self._pool = Pool(workers, slots=load.at_once, grace=GRACE_S, ready_timeout=READY_S)

    def run_round(self) -> Report:
        """Map over the operations, take outcomes as they come; the scoreboard has them.

        What our own kills met too often is handed in again; some may meet it once more.
        """
        done = Report("round")
        killed = self._map(range(self._load.ops), done)
        done.rerun = len(killed)
        for _ in range(MOST_RERUNS):
            killed = self._map(killed, done)
        for op in killed:
            done.errors["a worker was killed over it in every run"] += 1
            self._scoreboard.deliver(op, board.CRASHED)
        told = self.report("round")
        done.layer, done.story = told.layer, told.story
        return done

    def _map(self, ops: Sequence[int], done: Report) -> list[int]:
        """Map over operations; those whose worker was killed by us."""
        self._calls.append(ops)
        ahead = 0

        def draw() -> Iterator[int]:
            nonlocal ahead
            for op in ops:
                ahead += 1
                done.drawn_ahead = max(done.drawn_ahead, ahead)
                yield op

        killed: list[int] = []
        for outcome in self._pool.map(self._function, draw()):
            ahead -= 1
            threading.Event().wait(self._load.consume_s)
            if self._was_killed_by_us(outcome):
                killed.append(outcome.path)
                continue
            heard = HEARD.get(outcome.status, board.CRASHED)
            done.duplicates += not self._scoreboard.deliver(outcome.path, heard)
            if outcome.status != "done" and outcome.path not in self._load.poison:
                text = outcome.error or outcome.status
                done.errors[text[: worker_context.MOST_CHARACTERS]] += 1
        return killed

    def _was_killed_by_us(self, outcome: Outcome) -> bool:
        """Whether its last worker was struck, and poison never came to killing one itself.

        The pool judges a job by a worker that it had for itself, so the last one tells. If it
        died before the job had entered it on the scoreboard, how it died does.
        """
        op = outcome.path
        if op in self._load.poison:
            return outcome.status == "timed_out"
        if outcome.status in HEARD:
            return False
        has_begun = self._scoreboard.attempts[op] >= outcome.attempts
        is_killed = outcome.status == "timed_out" or "SIGKILL" in (outcome.error or "")
        is_struck = self._scoreboard.is_struck(self._scoreboard.pids[op])
        return is_struck or (is_killed and not has_begun)

    def report(self, kind: str) -> Report:
        """The layer's figures, and what happened to the workers and to jobs that went wrong."""
        seen = self._pool.statistics()
        layer = Layer(**asdict(seen.descriptors), restarts=seen.restarts, retries=seen.retries)
        wrong = gone_wrong(self._scoreboard, self._load)[:MOST_OPS]
        told = []
        for one in self._pool.story():
            text = f"worker {one.lane} {one.what}"
            ops = self._calls[one.call][one.start : one.stop] if one.call >= 0 else ()
            if ops:
                text += f": operation {ops[0]}" + f" to {ops[-1]}" * (len(ops) > 1)
            if not ops or any(op in ops for op in wrong):
                told.append((one.at, text))
        return Report(kind, layer=layer, story=told)

    def close(self) -> None:
        """Shut the pool down."""
        self._pool.shutdown()
