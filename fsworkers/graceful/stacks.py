"""What all threads and tasks wait for at one moment, read off their stacks.

Only frames of the standard library and our own are opened: reading the locals of a frame keeps them
alive as long as it runs, and these run briefly or hold nothing that would be missed.
"""

from __future__ import annotations

import gc
import sys
import threading
from threading import get_ident

from fsworkers.graceful import owners

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType, FrameType
    from typing import Any


class Standstill:
    """The waits of threads and tasks.

    Attributes:
        waits: For each thread that waits without a time-out, what for: a condition, another thread
            that it joins, or the task that its event loop is to complete.
        errands: For each thread, the work of executors that it is at.
        tops: For each thread, its innermost frame.
        loops: For each thread that runs one, its event loop.
    """

    def __init__(self) -> None:
        self.waits: dict[int, Any] = {}
        self.errands: dict[int, list[Any]] = {}
        self.tops: dict[int, FrameType] = {}
        self.loops: dict[int, Any] = {}
        self._timed: dict[int, frozenset[int]] = {}
        self._servants: set[int] = set()
        waiting = _waiting_code()
        opened = _opened_code()
        servants = _servants_code()
        for ident, frame in sys._current_frames().items():  # noqa: SLF001 - the documented way
            self.tops[ident] = frame
            self._read(ident, frame, waiting, opened, servants)
        for ident, loop in owners.loops().items():
            if ident in self.tops:
                self.loops.setdefault(ident, loop)

    def suspended(self, held: Iterable[int]) -> dict[int, int]:
        """Those of the owners that wait for something untimed; the others will go on by themselves.

        Returns:
            By owner, the identity of what it waits for.
        """
        found = {owner: self._awaited_by(owner) for owner in held}
        return {owner: id(awaited) for owner, awaited in found.items() if awaited is not None}

    def blocked(self, held: Iterable[int], behind: frozenset[int]) -> frozenset[int]:
        """Those of the holders that are ``behind`` one in the line, or on a thread that stands.

        ``behind`` has their places.
        """
        standing = self.standing(behind)
        return frozenset(
            owner
            for owner in held
            if owners.place_of(owner) in behind or owners.thread_of(owner) in standing
        )

    def standing(self, asleep: frozenset[int]) -> frozenset[int]:
        """The threads at those places, but not those that run an event loop.

        Such a thread waits for the task that its loop is to complete: other tasks go on.
        """
        return frozenset(place for place in asleep if not _is_task(self.waits.get(place)))

    def is_timed(self, task: Any) -> bool:
        """Whether a task goes on by itself: it runs, sleeps, or waits with a time-out."""
        waiter = getattr(task, "_fut_waiter", None)
        if waiter is None:
            return True
        loop = task.get_loop()
        if id(loop) not in self._timed:
            self._timed[id(loop)] = _timed_by(loop)
        return not self._timed[id(loop)].isdisjoint((id(waiter), id(task)))

    def awake(self) -> list[int]:
        """The threads that go on by themselves.

        All but ours, those that wait without a time-out or for work, and those whose event loops
        wait for something to do.
        """
        idle = _idle_code()
        return [
            ident
            for ident, top in self.tops.items()
            if ident != get_ident()
            and id(top.f_code) not in idle
            and ident not in self._servants
            and not self.is_blocked(ident)
            and not (ident in self.loops and top.f_code.co_name == "select")
        ]

    def count_timers(self) -> int:
        """The timers of all event loops: one less may mean that somebody went to sleep."""
        return sum(len(getattr(loop, "_scheduled", ())) for loop in self.loops.values())

    def is_blocked(self, ident: int) -> bool:
        """Whether a thread itself waits without a time-out, with its event loop if it has one."""
        awaited = self.waits.get(ident)
        return awaited is not None and not _is_task(awaited)

    def is_running(self, task: Any) -> bool:
        """Whether a task does not wait, as far as can be told: of some loops it cannot."""
        if task.done():
            return False
        return getattr(task, "_fut_waiter", None) is None or not _is_legible(task.get_loop())

    def thread_of_loop(self, loop: Any) -> int:
        """The ident of the thread that runs a loop, or 0."""
        return next((ident for ident, one in self.loops.items() if one is loop), 0)

    def tasks(self, standing: frozenset[int]) -> list[Any]:
        """The tasks of all event loops but those whose threads are ``standing``."""
        asyncio = sys.modules.get("asyncio")
        if asyncio is None:
            return []
        loops = [loop for ident, loop in self.loops.items() if ident not in standing]
        return [task for loop in loops for task in asyncio.all_tasks(loop)]

    def _awaited_by(self, owner: int) -> Any:
        """What an owner waits for without a time-out, or ``None``."""
        task = owners.task_of(owner)
        if task is not None and not self.is_timed(task):
            return getattr(task, "_fut_waiter", None)
        awaited = self.waits.get(owners.thread_of(owner))
        if _is_task(awaited) and (owner < 0 or self.is_timed(awaited)):
            return None  # the thread runs an event loop, which goes on
        return awaited

    def _read(
        self,
        ident: int,
        frame: FrameType | None,
        waiting: frozenset[int],
        opened: dict[int, tuple[str, ...]],
        servants: frozenset[int],
    ) -> None:
        if frame is not None and id(frame.f_code) in waiting:
            local = frame.f_locals
            if local.get("timeout") in (None, -1):
                self.waits[ident] = local.get("self")
        while frame is not None:
            if id(frame.f_code) in servants and frame.f_locals.get("task") is None:
                self._servants.add(ident)
            names = opened.get(id(frame.f_code))
            if names is not None:
                self._note(ident, *map(frame.f_locals.get, names))
            frame = frame.f_back

    def _note(self, ident: int, one: Any, future: Any = None) -> None:
        if future is not None:
            self.waits.setdefault(ident, future)
        elif hasattr(one, "run_forever"):
            self.loops.setdefault(ident, one)
        else:
            self.errands.setdefault(ident, []).append(one)


def thread_object(ident: int) -> threading.Thread | None:
    """The thread with that number."""
    found = threading._active.get(ident)  # type: ignore[attr-defined]  # noqa: SLF001 - no other way
    return found if isinstance(found, threading.Thread) else None


def work_queues() -> list[tuple[Any, frozenset[int]]]:
    """The work that waits for a thread of an executor, and those threads' numbers."""
    executors = sys.modules.get("concurrent.futures.thread")
    crews: dict[int, tuple[Any, list[int]]] = {}
    for thread, queue in tuple(getattr(executors, "_threads_queues", {}).items()):
        if thread.is_alive():
            crews.setdefault(id(queue), (queue, []))[1].append(thread.ident)
    return [(_items(queue), frozenset(idents)) for queue, idents in crews.values()]


def _items(queue: Any) -> list[Any]:
    """What is in a ``SimpleQueue``, which lets nobody look: in a list until Python 3.13."""
    found: list[Any] = []
    for one in gc.get_referents(queue):
        found += one if type(one) is list else [one]
    return found


def _is_task(one: Any) -> bool:
    return hasattr(one, "get_coro")


def _waiting_code() -> frozenset[int]:
    """The code of waits for the object that is its ``self``, without a time-out unless it has one.

    Events, barriers, queues and futures of threads all wait on a condition.
    """
    methods = [threading.Condition.wait, threading.Thread.join]
    methods += [getattr(threading.Thread, "_wait_for_tstate_lock", threading.Thread.join)]
    return frozenset(id(method.__code__) for method in methods)


def _opened_code() -> dict[int, tuple[str, ...]]:
    """The code whose frames say what a thread is at, with the names of the locals that say it."""
    return _codes(
        ("asyncio.base_events", "BaseEventLoop.run_forever", ("self",)),
        ("asyncio.base_events", "BaseEventLoop.run_until_complete", ("self", "future")),
        ("concurrent.futures.thread", "_WorkItem.run", ("self",)),
        (f"{__package__}.aio.crew", "_deliver", ("future",)),
    )


def _servants_code() -> frozenset[int]:
    """The code of threads of a pool of threads that do only what others ask for: their task."""
    found = _codes(
        ("multiprocessing.pool", "Pool._handle_workers", ()),
        ("multiprocessing.pool", "worker", ()),
    )
    return frozenset(found)


def _idle_code() -> frozenset[int]:
    """The code at the top of the stack of a thread that waits for work, or for the end."""
    found = _codes(
        ("concurrent.futures.thread", "_worker", ()),
        (f"{__package__}.aio.crew", "Crew._work", ()),
        (f"{__package__}.watch", "Watch._run", ()),
        ("multiprocessing.pool", "Pool._handle_tasks", ()),
        ("multiprocessing.pool", "Pool._handle_results", ()),
        ("threading", "_shutdown", ()),
    )
    return frozenset(found)


def _codes(*wanted: tuple[str, str, tuple[str, ...]]) -> dict[int, tuple[str, ...]]:
    """The code of functions of modules, as far as those are loaded, with what is asked of it.

    By identity: the hash of code is that of all its constants.
    """
    found = {id(_code(module, path)): names for module, path, names in wanted}
    found.pop(id(None), None)
    return found


def _code(module: str, path: str) -> CodeType | None:
    place: Any = sys.modules.get(module)
    for name in path.split("."):
        place = getattr(place, name, None)
    code: CodeType | None = getattr(place, "__code__", None)
    return code


def _timed_by(loop: Any) -> frozenset[int]:
    """The identities of futures and tasks that a timer of their loop is going to wake."""
    timed: set[int] = set()
    for handle in tuple(getattr(loop, "_scheduled", ())):
        if not handle.cancelled():
            timed.update(map(id, getattr(handle, "_args", None) or ()))
            bound_to = getattr(getattr(handle, "_callback", None), "__self__", None)
            if type(bound_to).__module__.startswith("asyncio."):
                timed.add(id(getattr(bound_to, "_task", None)))
                timed.update(map(id, getattr(bound_to, "_waiters", None) or ()))
    return frozenset(timed)


def _is_legible(loop: Any) -> bool:
    """Whether a loop lets see what it has to do, as asyncio's own do."""
    return hasattr(loop, "_ready") and hasattr(loop, "_scheduled")


def running_until() -> CodeType | None:
    """The code that an event loop's calls are made from."""
    return _code("asyncio.base_events", "BaseEventLoop.run_forever")
