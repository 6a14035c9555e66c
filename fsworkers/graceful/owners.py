"""Who asks for descriptors: a thread, or, once ``graceful.aio`` is loaded, an asyncio task.

An owner is a number: a thread's ident as it is, a task's ``id`` made negative. That a plain thread
costs nothing more than ``get_ident`` is the point: it is on every file's path.
"""

from __future__ import annotations

import threading
from threading import get_ident
from weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Callable
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
        known = _tasks.get(owner)
        task = known[0]() if known else None
        return f"task {task.get_name()}" if task is not None else "a task that ended"
    for thread in threading.enumerate():
        if thread.ident == owner:
            return f"thread {thread.name}"
    return "a thread that ended"


def awaits(owner: int, askers: frozenset[int]) -> bool:
    """Whether a task awaits, directly or through ``gather``, a task that is one of ``askers``.

    A task that waits through an event, a queue or a task group is not seen through: asyncio keeps
    no link from the waiter to those it waits for.
    """
    known = _tasks.get(owner)
    task = known[0]() if known else None
    return task is not None and _reaches(getattr(task, "_fut_waiter", None), askers, depth=32)


def _reaches(awaited: Any, askers: frozenset[int], depth: int) -> bool:
    if awaited is None or depth == 0 or awaited.done():
        return False
    if -id(awaited) in askers:
        return True
    children = getattr(awaited, "_children", None) or (getattr(awaited, "_fut_waiter", None),)
    return any(_reaches(child, askers, depth - 1) for child in children)
