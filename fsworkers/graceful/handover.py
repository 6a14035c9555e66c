"""Whether what those in the line lack may still be given back, by anybody at all.

A permit belongs to whoever took it, but a file may have been handed on: to a thread that reads what
another opened, to a task or a timer that closes it when it is done, to a list that outlives the
task that filled it. So it is followed what everybody can reach who is awake: from the locals of
frames and coroutines on, from what a loop has ready, timed or listens to, and from the globals that
code names. Whoever waits for a condition or a future that is met on the way may be woken by it, and
is awake as well. What is never met that way nobody can ever give back or wake, as with garbage.

Those in the line, and those behind them, are not awake: it is they who need what is missing.

Nothing here runs foreign code, as in ``reach``.
"""

from __future__ import annotations

import gc
import sys
import threading

# Straight from the interpreter: ``weakref`` itself costs as much as half of this package.
from _weakref import getweakrefs, ref
from collections import deque
from sys import getrefcount
from types import CoroutineType, FunctionType, ModuleType

from fsworkers.graceful import owners, table
from fsworkers.graceful.counter import Permit
from fsworkers.graceful.reach import closed_kinds
from fsworkers.graceful.stacks import Standstill, running_until, thread_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import CodeType, FrameType
    from typing import Any

    from fsworkers.graceful.ledger import Ticket

SEARCH_AT_MOST = 100_000
"""Objects looked through, the nearest first: some tenths of a second at most."""

_OPTIMIZED = 1
"""CO_OPTIMIZED: the locals of such code are no dictionary. Without ``inspect``, which is slow."""


def count_to_come(
    scene: Standstill,
    waiting: Sequence[Ticket],
    behind: frozenset[int],
    permits: Iterable[Permit],
    enough: int,
) -> int:
    """How many permits may still be given back by somebody who is awake.

    Args:
        scene: What all wait for.
        waiting: The line.
        behind: The places of those who are known to go on only after the line.
        permits: All that may be lent.
        enough: Not to be counted beyond this.
    """
    spread = _Spread(scene, waiting, behind, [one for one in permits if one.owner], enough)
    spread.run()
    return spread.count


class _Spread:
    """Follows references from all who are awake, and notes whom and what it meets.

    Args:
        scene: What all wait for.
        waiting: The line.
        behind: As in ``count_to_come``.
        lent: The permits that are lent.
        enough: How many of them end the search.

    Attributes:
        count: Permits that may come back, as found so far.
    """

    def __init__(
        self,
        scene: Standstill,
        waiting: Sequence[Ticket],
        behind: frozenset[int],
        lent: list[Permit],
        enough: int,
    ) -> None:
        self.count = 0
        self._enough = enough
        self._scene = scene
        above = owners.awaiting(ticket.owner for ticket in waiting).values()
        self._asleep = behind.union(*above, (owners.place_of(one.owner) for one in waiting))
        blocks = {ticket.blocks for ticket in waiting}
        self._standing = scene.standing(self._asleep) | blocks
        self._awake: set[int] = set()
        self._pending: deque[Any] = deque()
        # By identity: to ask an object for its hash or equality would be to run its code.
        modules = tuple(sys.modules.values())
        self._seen = {id(getattr(module, "__dict__", None)) for module in modules}
        self._lent: dict[int, set[int]] = {}
        for one in lent:
            self._lent.setdefault(owners.place_of(one.owner), set()).add(id(one))
        self._open = {id(one) for one in lent}
        self._numbers = dict(table.entries())
        self._socket: Any = getattr(sys.modules.get("_socket"), "socket", _Nothing)
        self._future = getattr(sys.modules.get("asyncio"), "Future", _Nothing)
        self._closed = closed_kinds()
        self._sleepers: dict[int, list[int]] = {}
        for ident, awaited in scene.waits.items():
            self._sleepers.setdefault(id(awaited), []).append(ident)
        self._tasks = scene.tasks(self._standing)
        self._coroutines = {id(task.get_coro()): -id(task) for task in self._tasks}

    def run(self) -> None:
        """Begin with those who are awake, and go on until nothing new is met, or enough."""
        for ident in self._scene.awake():
            self._wake_thread(ident)
        for ident, loop in self._scene.loops.items():
            if ident not in self._standing and not self._scene.is_blocked(ident):
                self._pending += _at_hand(loop)
        for task in self._tasks:
            if self._scene.is_running(task):
                self._wake_task(task)
        left = SEARCH_AT_MOST
        while self._pending and left > 0 and self.count < self._enough:
            one = self._pending.popleft()
            if id(one) not in self._seen and gc.is_tracked(one):
                self._seen.add(id(one))
                left -= 1
                self._meet(one)

    def _meet(self, one: Any) -> None:  # noqa: C901 - one branch for each kind of object
        kind = type(one)
        if kind is Permit:
            self._find({id(one)})
        elif issubclass(kind, self._future):
            self._meet_future(one)
        elif issubclass(kind, threading.Condition):
            self._wake_sleepers(one)
        elif issubclass(kind, threading.Thread):
            # What it runs is its own, unless it is awake.
            own = object.__getattribute__(one, "__dict__").items()
            self._pending += [value for name, value in own if not name.startswith("_")]
        elif kind is FunctionType:
            self._pending += [one.__closure__, one.__defaults__, one.__kwdefaults__]
            self._pending += _named_by(one.__code__, one.__globals__)
        elif kind is CoroutineType:
            place = self._coroutines.get(id(one))
            if place is None or place in self._awake:
                self._pending += gc.get_referents(one)
            else:
                self._seen.discard(id(one))  # its task may be woken yet
        elif issubclass(kind, ref):
            self._pending.append(ref.__call__(one))
        elif issubclass(kind, type):
            self._pending += _kept_by(one)
        elif not issubclass(kind, self._closed):
            if issubclass(kind, self._socket):
                lent = self._numbers.get(self._socket.fileno(one))
                if lent is not None:
                    self._find({id(lent.real())})
            self._pending += gc.get_referents(one)
            self._pending += _called_after(one)

    def _meet_future(self, future: Any) -> None:
        if getattr(future, "_state", "") != "PENDING":
            self._pending.append(getattr(future, "_result", None))
        elif not hasattr(future, "get_coro"):
            # When a task ends is up to its own coroutine, not to who knows it.
            self._wake_those_above(future)

    def _wake_those_above(self, future: Any) -> None:
        for task in owners.tasks_above(future):
            self._wake_task(task)
        self._wake_sleepers(future)
        self._pending += [call for call, _ in getattr(future, "_callbacks", None) or ()]

    def _wake_sleepers(self, awaited: Any) -> None:
        for ident in self._sleepers.get(id(awaited), ()):
            if self._scene.is_blocked(ident):
                self._wake_thread(ident)
            elif ident not in self._standing:
                # Its loop has been waiting for just that task: it goes on after the loop.
                self._go_on(ident, _beyond(self._scene.tops.get(ident), running_until()))

    def _wake_task(self, task: Any) -> None:
        place = -id(task)
        if place in self._asleep or place in self._awake or task.done():
            return
        if self._scene.thread_of_loop(task.get_loop()) in self._standing:
            return
        self._awake.add(place)
        self._find(self._lent.get(place, set()))
        self._pending.append(task.get_coro())
        self._wake_those_above(task)

    def _wake_thread(self, ident: int) -> None:
        if ident in self._standing or ident in self._awake:
            return
        self._awake.add(ident)
        top = self._scene.tops.get(ident)
        loop = self._scene.loops.get(ident)
        if loop is None:
            self._go_on(ident, top)
        else:
            # It is at a call of its loop's; what called the loop is not its turn yet.
            self._look_into(top, running_until())
            self._pending += _at_hand(loop)

    def _go_on(self, ident: int, frame: FrameType | None) -> None:
        """Note a thread that goes on from a frame to its end."""
        self._look_into(frame)
        self._find(self._lent.get(ident, set()))
        thread = thread_object(ident)
        if thread is not None:
            self._pending += gc.get_referents(thread)
            self._wake_sleepers(thread)

    def _look_into(self, frame: FrameType | None, until: CodeType | None = None) -> None:
        while frame is not None and frame.f_code is not until:
            local = _locals_of(frame)
            self._pending += local
            self._pending += _named_by(frame.f_code, frame.f_globals, local)
            frame = frame.f_back

    def _find(self, permits: set[int]) -> None:
        self.count += len(permits & self._open)
        self._open -= permits


class _Nothing:
    """Of which there is no instance."""


def _beyond(frame: FrameType | None, code: CodeType | None) -> FrameType | None:
    """The frame that called some code."""
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return frame


def _at_hand(loop: Any) -> list[Any]:
    """What an event loop is going to call, or may be told to from outside."""
    found: list[Any] = [*getattr(loop, "_ready", ()), *getattr(loop, "_scheduled", ())]
    # Not by its ``get_map``: the loop changes that meanwhile, and this is one step.
    keys = tuple(getattr(getattr(loop, "_selector", None), "_fd_to_key", {}).values())
    found += [key.data for key in keys]
    return [one for one in found if not _is_cancelled(one)]


def _is_cancelled(handle: Any) -> bool:
    return getattr(handle, "_cancelled", False) is True


def _named_by(code: CodeType, known: dict[str, Any], local: Iterable[Any] = ()) -> list[Any]:
    """The globals that code names, itself or in functions inside it; of programs' own modules.

    Also in modules that it knows, by their name or as ``local``: ``settings.files``.
    """
    if not _is_of_a_program(known.get("__name__")):
        return []
    names: set[str] = set()
    pending = [code]
    while pending:
        one = pending.pop()
        names.update(one.co_names)
        pending += [inner for inner in one.co_consts if type(inner) is type(code)]
    found: list[Any] = []
    scopes = [known, *filter(None, map(_scope_of, local))]
    for scope in scopes:  # which grows
        for name in names.intersection(scope):
            value = scope.get(name)  # another thread may just be deleting it
            if issubclass(type(value), ModuleType):
                inner = _scope_of(value)
                if inner is not None and not any(inner is one for one in scopes):
                    scopes.append(inner)
            else:
                found.append(value)
    return found


def _is_of_a_program(module: Any) -> bool:
    """Whether a module of that name is neither the standard library's nor ours."""
    if type(module) is not str or module.startswith(f"{__package__}."):
        return False
    top = module.partition(".")[0]
    return top == "__main__" or top not in sys.stdlib_module_names


def _scope_of(one: Any) -> dict[str, Any] | None:
    """The globals of a program's module; ``None`` for whatever else."""
    if not issubclass(type(one), ModuleType):
        return None
    scope: dict[str, Any] = object.__getattribute__(one, "__dict__")
    return scope if _is_of_a_program(scope.get("__name__")) else None


def _kept_by(kind: type[Any]) -> list[Any]:
    """What a program's class has as attributes of its own: its methods name globals, too."""
    own = type.__getattribute__(kind, "__dict__")
    if not _is_of_a_program(own.get("__module__")):
        return []
    return [*own.values(), *type.__getattribute__(kind, "__bases__")]


def _called_after(one: Any) -> list[Any]:
    """What is called when an object is gone: the callbacks of references, and finalizers."""
    found = [ref.__getattribute__(weak, "__callback__") for weak in getweakrefs(one)]
    finalize: Any = getattr(sys.modules.get("weakref"), "finalize", _Nothing)
    return [
        finalize._registry.get(call) if type(call) is finalize else call  # noqa: SLF001
        for call in found
    ]


def _locals_of(frame: FrameType) -> list[Any]:
    """The values of a frame's locals.

    Before Python 3.13 they are copied into a dictionary that the frame keeps, and with it all that
    is in there. It is emptied again, unless somebody else has it: a debugger, or a ``locals()``.
    """
    names = frame.f_locals
    values = list(names.values())
    if (
        type(names) is dict
        and frame.f_code.co_flags & _OPTIMIZED
        and frame.f_trace is None
        and getrefcount(names) <= _UNSHARED
    ):
        names.clear()
    return values


def _count_unshared() -> int:
    """The references to a dictionary of locals that nobody else has."""
    names = sys._getframe().f_locals  # noqa: SLF001 - the documented way
    return getrefcount(names)


_UNSHARED = _count_unshared()
