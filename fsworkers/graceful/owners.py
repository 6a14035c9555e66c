"""Who asks for descriptors: a thread, or, once ``graceful.aio`` is loaded, an asyncio task.

An owner is a number: a thread's ident as it is, a task's ``id`` made negative. That a plain thread
costs nothing more than ``get_ident`` is the point: it is on every file's path.
"""

from __future__ import annotations

import threading

# Straight from the interpreter: ``weakref`` itself costs as much as half of this package.
from _weakref import ref
from threading import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Callable, Iterable
    from typing import Any

identify: Callable[[], int] = get_ident
"""The owner that asks now; ``graceful.aio`` replaces it by one that knows tasks."""

_tasks: dict[int, tuple[ref[Task[Any]], int]] = {}


def of_task(task: Task[Any]) -> int:
    """The owner number of a task that runs on this thread."""
    owner = -id(task)
    if owner not in _tasks:
        _tasks[owner] = ref(task, lambda _gone: _tasks.pop(owner, None)), get_ident()
    return owner


def thread_of(owner: int) -> int:
    """The thread an owner runs on: its own ident, or that of the task's loop; 0 if it is gone."""
    if owner > 0:
        return owner
    known = _tasks.get(owner)
    return known[1] if known else 0


def describe(owner: int) -> str:
    """An owner's name for messages."""
    if owner < 0:
        task = task_of(owner)
        return f"task {task.get_name()}" if task is not None else "a task that ended"
    for thread in threading.enumerate():
        if thread.ident == owner:
            return f"thread {thread.name}"
    return "a thread that ended"


def task_of(owner: int) -> Task[Any] | None:
    """The task behind an owner's number, while there is one."""
    known = _tasks.get(owner) if owner < 0 else None
    return known[0]() if known else None


def awaiting(askers: Iterable[int]) -> dict[int, frozenset[int]]:
    """For each asking task, the owners of tasks that can only go on after it does.

    Followed from each asking task upwards, as ``tasks_above`` has it.
    """
    above: dict[int, frozenset[int]] = {}
    for owner in askers:
        task = task_of(owner)
        if task is not None:
            above[owner] = frozenset(-id(one) for one in tasks_above(task))
    return above


def tasks_above(future: Any) -> list[Any]:
    """The tasks that await a future, and those that await them.

    Followed through the callbacks that asyncio's ``gather``, ``wait_for``, ``wait``, ``shield`` and
    task groups put on what they wait for. A wait through an event or a queue leaves no such trace:
    see ``reach``.
    """
    found: list[Any] = []
    _climb(future, found, set())
    return found


def _climb(future: Any, found: list[Any], seen: set[int]) -> None:
    if id(future) in seen:
        return
    seen.add(id(future))
    for callback, _context in getattr(future, "_callbacks", None) or ():
        for above in _woken_by(callback):
            if hasattr(above, "get_coro") and id(above) not in seen:
                found.append(above)
            _climb(above, found, seen)


def _woken_by(callback: Any) -> list[Any]:
    """The futures and tasks that a done-callback wakes."""
    reached: list[Any] = [getattr(callback, "__self__", None), *getattr(callback, "args", ())]
    for cell in getattr(callback, "__closure__", None) or ():
        try:
            reached.append(cell.cell_contents)
        except ValueError:
            continue
    group = getattr(reached[0], "_parent_task", None)
    return [one for one in (*reached, group) if hasattr(one, "add_done_callback")]
