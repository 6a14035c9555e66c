"""How a worker runs its jobs: one after another, in threads, or in an event loop.

Each way takes a job from the backlog only while it has a free slot, so at the threshold pulling
stops, and goes on as soon as one job ends. Jobs of different runs may need different ways; the
main thread goes from one to the next at the point where they meet.
"""

from __future__ import annotations

import threading
from time import perf_counter
from typing import TYPE_CHECKING

from fsworkers.pool.functions import TaskFunction, attempt, attempt_coroutine

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    from fsworkers.pool.backlog import Assignment, Backlog


class Slots:
    """Runs the jobs of a backlog on the calling thread until the backlog is closed."""

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        self._runner: asyncio.Runner | None = None

    def run(self) -> None:
        """Run jobs until no more will come."""
        backlog = self._backlog
        while backlog.wait_for_job():
            assignment = backlog.take_nowait()
            if assignment is None:
                continue
            backlog.put_back(assignment)
            task = assignment[2]
            if task.is_coroutine:
                self._run_in_loop(task)
            elif task.slots > 1:
                _ThreadSlots(backlog, task).run()
            else:
                self._run_serially(task)
        if self._runner is not None:
            self._runner.close()

    def _run_serially(self, task: TaskFunction) -> None:
        """The fast way: no hop, no lock, no queue between the job and this thread."""
        backlog = self._backlog
        running, finish, take = backlog.running, backlog.finished.append, backlog.jobs.popleft
        while True:
            try:
                assignment = take()
            except IndexError:
                break
            if assignment is None:
                backlog.wake_courier()
                continue
            job_id, item, mine = assignment
            if mine is not task:
                backlog.put_back(assignment)
                break
            started = perf_counter()
            running[0] = job_id, started
            finish(attempt(job_id, item, task, started))
        running.pop(0, None)

    def _run_in_loop(self, task: TaskFunction) -> None:
        import asyncio  # noqa: PLC0415  (60 ms that plain functions need not wait for)

        if self._runner is None:
            self._runner = asyncio.Runner()
        self._runner.run(_LoopSlots(self._backlog, task).run())


class _ThreadSlots:
    """Plain functions that mostly wait: as many threads as there are slots."""

    def __init__(self, backlog: Backlog, task: TaskFunction) -> None:
        self._backlog = backlog
        self._task = task
        self._free = threading.Semaphore(task.slots)

    def run(self) -> None:
        """Run jobs until one of another task comes, or none will come any more."""
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (only this way needs it)

        with ThreadPoolExecutor(self._task.slots) as threads:
            while self._backlog.wait_for_job() and self._start_one(threads):
                pass

    def _start_one(self, threads: ThreadPoolExecutor) -> bool:
        self._free.acquire()
        assignment = self._backlog.take_nowait()
        if assignment is None:
            self._free.release()
            return True
        if assignment[2] is not self._task:
            self._backlog.put_back(assignment)
            self._free.release()
            return False
        threads.submit(self._run_one, assignment)
        return True

    def _run_one(self, assignment: Assignment) -> None:
        job_id, item, task = assignment
        backlog = self._backlog
        started = perf_counter()
        backlog.running[job_id] = job_id, started
        backlog.finished.append(attempt(job_id, item, task, started))
        del backlog.running[job_id]
        self._free.release()
        if backlog.is_empty:
            backlog.wake_courier()


class _LoopSlots:
    """Coroutine functions: one event loop, at most ``slots`` of them in flight."""

    def __init__(self, backlog: Backlog, task: TaskFunction) -> None:
        self._backlog = backlog
        self._task = task
        self._active: set[asyncio.Task[None]] = set()
        self._is_done = False

    async def run(self) -> None:
        """Run jobs until one of another task comes, or none will come any more."""
        import asyncio  # noqa: PLC0415  (loaded by the caller)

        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(arrived.set)

        self._backlog.wake_slots = wake
        try:
            while not self._is_done and not self._backlog.is_closed:
                arrived.clear()
                while self._has_free_slot and not self._backlog.is_empty:
                    slot = loop.create_task(self._run_in_turn())
                    self._active.add(slot)
                    slot.add_done_callback(self._active.discard)
                    await asyncio.sleep(0)  # it takes its first job
                if not self._is_done:
                    await arrived.wait()
            if self._active:
                await asyncio.wait(self._active)
        finally:
            self._backlog.wake_slots = None

    @property
    def _has_free_slot(self) -> bool:
        return not self._is_done and len(self._active) < self._task.slots

    async def _run_in_turn(self) -> None:
        """One slot: take jobs one after another while there are any."""
        backlog = self._backlog
        while not self._is_done and (assignment := backlog.take_nowait()) is not None:
            job_id, item, task = assignment
            if task is not self._task:
                backlog.put_back(assignment)
                self._is_done = True
                if backlog.wake_slots is not None:
                    backlog.wake_slots()
                return
            started = perf_counter()
            backlog.running[job_id] = job_id, started
            backlog.finished.append(await attempt_coroutine(job_id, item, task, started))
            del backlog.running[job_id]
        backlog.wake_courier()
