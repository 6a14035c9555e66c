"""Who asks for descriptors: a thread, or, once ``graceful.aio`` is loaded, an asyncio task.

An owner is a number that no other thread or task ever has: positive for a thread, negative for a
task. Neither a thread's ident nor an object's ``id`` would do, as both are used again at once: who
comes next would be taken for the holder of what another left open.
"""

from __future__ import annotations

import threading

# Straight from the interpreter: ``weakref`` itself costs as much as half of this package.
from _weakref import ref
from itertools import count
from threading import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Callable, Iterable
    from typing import Any

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


def place_of(owner: int) -> int:
    """Where an owner is: a thread's ident, or a task's ``id`` made negative; 0 if it is gone.

    Unlike its number a place is known also of those who never asked, and for as long as they live.
    """
    if owner > 0:
        return _idents.get(owner, 0)
    task = task_of(owner)
    return 0 if task is None else -id(task)


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


def loops() -> dict[int, Any]:
    """The event loops of tasks that are not done, by the ident of their thread."""
    known = [(ident, one()) for one, ident in tuple(_tasks.values())]
    return {ident: task.get_loop() for ident, task in known if task is not None and not task.done()}


def awaiting(askers: Iterable[int]) -> dict[int, frozenset[int]]:
    """For each asking task, the places of tasks that can only go on after it does.

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
    pending = [future]
    seen: set[int] = {id(future)}
    while pending:
        for callback, _context in getattr(pending.pop(), "_callbacks", None) or ():
            for above in _woken_by(callback):
                if id(above) not in seen:
                    seen.add(id(above))
                    pending.append(above)
                    if hasattr(above, "get_coro"):
                        found.append(above)
    return found


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
