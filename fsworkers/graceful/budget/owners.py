"""Who asks for descriptors: a thread, or, once ``graceful.aio`` is loaded, an asyncio task.

An owner is a number that no other thread or task ever has: positive for a thread, negative for a
task. Neither a thread's ident nor an object's ``id`` would do, as both are used again at once: who
comes next would be taken for the holder of what another left open.
"""

from __future__ import annotations

import threading

# Straight from the interpreter: ``weakref`` itself costs as much as half of this package.
from _weakref import ref
from contextvars import ContextVar
from itertools import count
from threading import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Callable
    from typing import Any

started_by: ContextVar[int] = ContextVar("the owner that borrowed in this context", default=0)
"""Tasks, and what ``asyncio.to_thread`` runs, begin with what was set where they were started."""

NOBODY = -1
"""One who waits and holds nothing: a server before the connection that it is to let in."""

_numbers = count(2)
_here = threading.local()
_idents: dict[int, int] = {}
_tasks: dict[int, tuple[ref[Task[Any]], int]] = {}
_owners_of_tasks: dict[int, int] = {}


class _Presence:
    """Goes with the thread that it is local to."""

    __slots__ = ("_owner",)

    def __init__(self, owner: int) -> None:
        self._owner = owner

    def __del__(self) -> None:
        _idents.pop(self._owner, None)


def of_thread() -> int:
    """The owner number of this thread."""
    try:
        owner: int = _here.owner
    except AttributeError:
        owner = next(_numbers)
        _idents[owner] = get_ident()
        _here.owner = owner
        _here.presence = _Presence(owner)
    return owner


identify: Callable[[], int] = of_thread
"""The owner that asks now; ``graceful.aio`` replaces it by one that knows tasks."""


def of_task(task: Task[Any]) -> int:
    """The owner number of a task that runs on this thread."""
    return _owners_of_tasks.get(id(task)) or _meet(task)


def _meet(task: Task[Any]) -> int:
    owner, place = -next(_numbers), id(task)

    def forget(_gone: ref[Task[Any]]) -> None:
        # Before its memory is used again.
        _owners_of_tasks.pop(place, None)
        _tasks.pop(owner, None)

    _tasks[owner] = ref(task, forget), get_ident()
    _owners_of_tasks[place] = owner
    return owner


def thread_of(owner: int) -> int:
    """The ident of the thread an owner runs on, for a task its loop's; 0 if it is gone."""
    if owner > 0:
        return _idents.get(owner, 0)
    known = _tasks.get(owner)
    return known[1] if known else 0


def describe(owner: int) -> str:
    """An owner's name for messages."""
    if owner == NOBODY:
        return "a server"
    if owner < 0:
        task = task_of(owner)
        return f"task {task.get_name()}" if task is not None else "a task that ended"
    ident = thread_of(owner)
    for thread in threading.enumerate():
        if thread.ident == ident:
            return f"thread {thread.name}"
    return "a thread that ended"


def task_of(owner: int) -> Task[Any] | None:
    """The task behind an owner's number, while there is one."""
    known = _tasks.get(owner) if owner < 0 else None
    return known[0]() if known else None
