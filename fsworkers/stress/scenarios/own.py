"""The user's own function over the user's own files, with few descriptors and kills."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsworkers.pool.task_function import is_coroutine_function
from fsworkers.stress.scenarios.scenario import Faults, Job, Scenario
from fsworkers.tasks.callables import load_callable

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.stress.records import Brief, Plan
    from fsworkers.stress.station import Station

NAME = "own-task"


class OwnTask(Scenario):
    """A function under attack: few descriptors, a limit that sinks at moments, kills.

    Args:
        call: The function as MODULE:FUNCTION.
        path_count: How many files it is run over.
        is_concurrent: Whether it is a coroutine function.
    """

    name = NAME
    proves = "your function over your files: none fails for want of a descriptor, none is lost"
    # Room for a subprocess with three pipes.
    faults = Faults(kills=2, every_s=0.5, squeezes=True, spares=0.35)

    def __init__(self, call: str, path_count: int, *, is_concurrent: bool) -> None:
        self.call = call
        self.path_count = path_count
        self.is_concurrent = is_concurrent

    @classmethod
    def of(cls, brief: Brief) -> OwnTask:
        """The one that a brief asks for.

        Raises:
            TaskNotFound: There is no such function.
        """
        call = brief.plan.call or ""
        paths = read_paths(brief.own_paths or "")
        return cls(call, len(paths), is_concurrent=is_coroutine_function(load_callable(call, {})))

    def ops(self, plan: Plan) -> int:
        """Each file once."""
        return self.path_count

    def ops_per_job(self, plan: Plan) -> int:
        """One."""
        return 1

    def slots(self, plan: Plan) -> int | None:
        """Coroutines side by side; plain functions one at a time, as they may not bear threads."""
        return plan.concurrency if self.is_concurrent else None

    def batch_ops(self, plan: Plan) -> int:
        """An equal share for each worker, at most as many as it wants at one time."""
        if not self.is_concurrent:
            return 1
        return max(1, min(plan.concurrency, -(-self.path_count // plan.workers)))

    def run(self, station: Station, job: Job) -> None:
        """Call it on one file."""
        op = job[1]
        station.board.asked(op)
        function, path = _function(self.call), read_paths(station.brief.own_paths or "")[op]
        try:
            function(path)
        except Exception as error:
            station.failed(op, error)
            raise
        station.board.ended(op, is_right=True)

    async def run_one(self, station: Station, op: int) -> None:
        """Await it on one file."""
        station.board.asked(op)
        function, path = _function(self.call), read_paths(station.brief.own_paths or "")[op]
        try:
            await function(path)
        except Exception as error:
            station.failed(op, error)
            raise
        station.board.ended(op, is_right=True)


@cache
def read_paths(own_paths: str) -> tuple[str, ...]:
    """The paths in the file that the conductor wrote."""
    return tuple(map(os.fsdecode, Path(own_paths).read_bytes().split(b"\0")[:-1]))


@cache
def _function(call: str) -> Callable[[str], Any]:
    return load_callable(call, {})
