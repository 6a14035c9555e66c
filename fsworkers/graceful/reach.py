"""Who can only go on after one in the line has, by way of futures, threads, executors and events.

Two kinds of evidence. *By completion*: a thread in the line will complete a future, or end, and
someone waits for just that; so will no one else. *By reach*: a holder waits for an event or an
answer in a queue, which says nowhere who is to give it; but whoever is to give it must know it. So
everything is followed that those in the line refer to, by their coroutines and their threads'
arguments, and who waits for something found that way is presumed to be behind them. That is no
proof, as somebody else may know the event too: see ``upkeep`` for what is done on which evidence.

Nothing here runs foreign code: objects are looked through the way the garbage collector does it.
"""

from __future__ import annotations

import gc
import sys
import threading

from fsworkers.graceful import owners
from fsworkers.graceful.ledger import Ticket
from fsworkers.graceful.stacks import Standstill, thread_object, work_queues

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

SEARCH_AT_MOST = 20_000
"""Objects looked through in one search, so that it ends within some milliseconds."""


def behind(
    scene: Standstill, waiting: Sequence[Ticket], *, by_reach: bool
) -> dict[int, frozenset[int]]:
    """For each owner in the line, the places of those that can only go on after it.

    Args:
        scene: What all wait for.
        waiting: The line.
        by_reach: Whether to presume it also of those who wait for what an owner only knows.
    """
    search = _Search(scene, by_reach=by_reach)
    found: dict[int, set[int]] = {}
    for ticket in waiting:
        found.setdefault(ticket.owner, set()).update(search.from_ticket(ticket))
    for ticket in waiting:
        found[ticket.owner] |= search.from_work_behind(ticket)
    return {asker: frozenset(those) for asker, those in found.items()}


class _Search:
    """A walk from one in the line after another that sees each object once."""

    def __init__(self, scene: Standstill, *, by_reach: bool) -> None:
        self._scene = scene
        self._by_reach = by_reach
        self._left = SEARCH_AT_MOST
        # By identity: to ask an object for its hash or equality would be to run its code.
        modules = tuple(sys.modules.values())
        self._seen = {id(getattr(module, "__dict__", None)) for module in modules}
        self._closed = (*closed_kinds(), *_kinds(("_queue", "SimpleQueue")))
        self._future = getattr(sys.modules.get("asyncio"), "Future", _Nothing)
        self._stuck_threads: set[int] = set()
        self._queues = work_queues()

    def from_ticket(self, ticket: Ticket) -> set[int]:
        """The places of those behind one in the line."""
        found: set[int] = set()
        task = owners.task_of(ticket.owner)
        if task is not None:
            self._note_those_above(task, found)
            self._note_threads_that_await(task, found)
            if self._by_reach:
                self._walk([task.get_coro()], found)
        if ticket.blocks:
            self._from_thread(ticket.blocks, found)
            if self._by_reach:
                errands = self._scene.errands.get(ticket.blocks, [])
                self._walk([*gc.get_referents(thread_object(ticket.blocks)), *errands], found)
        return found

    def from_work_behind(self, ticket: Ticket) -> set[int]:
        """Those behind work that no thread of its executor can take up: all are stuck."""
        found: set[int] = set()
        for items, crew in self._queues:
            if ticket.blocks in crew and self._stuck_threads.issuperset(crew):
                for item in items:
                    self._complete(item, found)
        return found

    def _from_thread(self, ident: int, found: set[int]) -> None:
        """Note who waits for a stuck thread to end, or to complete what it is at."""
        if ident in self._stuck_threads:
            return
        self._stuck_threads.add(ident)
        self._note_threads_that_await(thread_object(ident), found)
        for errand in self._scene.errands.get(ident, []):
            self._complete(errand, found)

    def _complete(self, errand: Any, found: set[int]) -> None:
        """Note who waits for a piece of work: an asyncio future, or an executor's work item."""
        future = getattr(errand, "future", errand)
        if issubclass(type(future), self._future):
            self._note_those_above(future, found)
            return
        self._note_threads_that_await(getattr(future, "_condition", None), found)
        # asyncio chains its own futures by such callbacks.
        self._walk(list(getattr(future, "_done_callbacks", ())), found)

    def _note_threads_that_await(self, awaited: Any, found: set[int]) -> None:
        if awaited is None:
            return
        for ident, waited in self._scene.waits.items():
            if waited is awaited and ident not in self._stuck_threads:
                found.add(ident)
                self._from_thread(ident, found)

    def _note_those_above(self, future: Any, found: set[int]) -> None:
        for task in owners.tasks_above(future):
            if -id(task) not in found and not self._scene.is_timed(task):
                found.add(-id(task))
                self._note_threads_that_await(task, found)

    def _walk(self, roots: list[Any], found: set[int]) -> None:
        """Follow what is referred to, noting who waits for it."""
        pending = list(roots)
        while pending and self._left > 0:
            one = pending.pop()
            if id(one) in self._seen or not gc.is_tracked(one):
                continue
            self._seen.add(id(one))
            self._left -= 1
            kind = type(one)
            if issubclass(kind, self._future):
                # When a task ends is up to its own coroutine, not to who knows it.
                if not hasattr(one, "get_coro"):
                    self._note_those_above(one, found)
            elif issubclass(kind, threading.Condition):
                self._note_threads_that_await(one, found)
            elif kind is _FUNCTION:
                pending += [one.__closure__, one.__defaults__, one.__kwdefaults__]
            elif not issubclass(kind, self._closed):
                pending += gc.get_referents(one)


class _Nothing:
    """Of which there is no instance."""


_FUNCTION = type(behind)


def closed_kinds() -> tuple[type[Any], ...]:
    """What leads everywhere, and to nothing that one object in particular refers to."""
    from fsworkers.graceful.counter import Counter  # noqa: PLC0415 - it needs this module

    frame = sys._getframe()  # noqa: SLF001 - for the types
    kinds: list[type[Any]] = [type, type(sys), type(frame), type(frame.f_code), threading.Thread]
    return (
        *kinds,
        Counter,
        Ticket,
        Standstill,
        *_kinds(
            ("asyncio", "AbstractEventLoop"),
            ("asyncio", "Future"),
            ("_contextvars", "Context"),
            ("concurrent.futures", "Executor"),
        ),
    )


def _kinds(*wanted: tuple[str, str]) -> list[type[Any]]:
    """Classes of modules, as far as those are loaded."""
    found: list[type[Any]] = []
    for module, name in wanted:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None:
            found.append(kind)
    return found
