"""Thousands of opens at once, in peace and with other code, leaks and a refusing kernel about."""

from __future__ import annotations

import asyncio
import threading
from time import perf_counter
from typing import TYPE_CHECKING

from fsworkers.stress.scenarios.scenario import Faults, Job, Scenario, gathered

if TYPE_CHECKING:
    from fsworkers.stress.records import Plan
    from fsworkers.stress.station import Station

MOST_THREADS = 200
"""A thread costs its stack; the rest of a storm are coroutines."""


class OpenStorm(Scenario):
    """Coroutines and threads open, hold, read and close, all at once."""

    name = "open-storm"
    proves = "more files wanted open than there are descriptors: all are read, each in its turn"

    def ops(self, plan: Plan) -> int:
        """Each file once."""
        return plan.files

    def ops_per_job(self, plan: Plan) -> int:
        """What a worker wants open at one time."""
        return plan.concurrency

    def run(self, station: Station, job: Job) -> None:
        """Start them all, a fifth of them as threads, and wait for the last."""
        _, first, count = job
        thread_count = min(count // 5, MOST_THREADS)
        threads = [
            threading.Thread(target=self.in_thread, args=(station, op))
            for op in range(first, first + thread_count)
        ]
        asyncio.run(self._storm(station, threads, range(first + thread_count, first + count)))
        for thread in threads:
            thread.join()

    async def _storm(self, station: Station, threads: list[threading.Thread], ops: range) -> None:
        for thread in threads:
            thread.start()
        await gathered([self.in_loop(station, op) for op in ops])

    def in_thread(self, station: Station, op: int) -> None:
        """One operation, blocking."""
        try:
            station.read_and_hold(op, hold_s=station.hold_s(op))
        except OSError:
            return  # the board has it

    async def in_loop(self, station: Station, op: int) -> None:
        """One operation, as a coroutine."""
        try:
            await read_in_loop(station, op)
        except OSError:
            return  # the board has it


async def read_in_loop(station: Station, op: int) -> None:
    """Open, hold, read and check one file in the event loop.

    Raises:
        OSError: It could not be opened.
    """
    board = station.board
    board.asked(op)
    begun = perf_counter()
    try:
        async with station.kit.open_async(station.path(op)) as file:
            board.granted(op, perf_counter() - begun)
            await asyncio.sleep(station.hold_s(op))
            data = await file.read()
        board.ended(op, is_right=station.is_right(op, data))
    except OSError as error:
        station.failed(op, error)
        raise


class ForeignHog(OpenStorm):
    """The storm, with other code in the same process that takes and frees descriptors."""

    name = "foreign-hog"
    proves = "other code takes sockets and pipes and frees them: no open fails for it"
    has_hog = True

    def ops(self, plan: Plan) -> int:
        """Half of the files."""
        return max(1, plan.files // 2)


class KernelRefuses(OpenStorm):
    """The storm, with a kernel that refuses although the budget had granted."""

    name = "kernel-refuses"
    proves = "EMFILE and ENFILE from the kernel itself never reach the caller"
    # Starting an event loop takes three, two of them at once, and the layer keeps four.
    faults = Faults(squeezes=True, spares=0.25, injects=True, must_refuse=True)

    def ops(self, plan: Plan) -> int:
        """A third of the files: a traced worker is slow."""
        return max(1, plan.files // 3)

    def ops_per_job(self, plan: Plan) -> int:
        """Small enough for every worker to have some."""
        return max(1, min(plan.concurrency, self.ops(plan) // (2 * plan.workers)))


class Leak(Scenario):
    """Files are opened and never closed: the garbage collector finds them, some day."""

    name = "fd-leak"
    has_leaks = True
    proves = "files that nobody closes give their descriptors back when they are collected"

    def ops(self, plan: Plan) -> int:
        """Half of the files."""
        return max(1, plan.files // 2)

    def ops_per_job(self, plan: Plan) -> int:
        """As many as a worker would want open at one time."""
        return plan.concurrency

    def run(self, station: Station, job: Job) -> None:
        """Open, read and drop, one after another; every other one in a reference cycle."""
        _, first, count = job
        for op in range(first, first + count):
            station.board.asked(op)
            begun = perf_counter()
            try:
                file = station.kit.open(station.path(op))
            except OSError as error:
                station.failed(op, error)
                continue
            station.board.granted(op, perf_counter() - begun)
            station.board.ended(op, is_right=station.is_right(op, file.read()))
            if op % 2:
                cycle: list[object] = [file]
                cycle.append(cycle)
