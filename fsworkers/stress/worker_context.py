"""What a load finds in its worker: how to open things, the scoreboard, and who disturbs it.

It is made in each worker before the first job; the soft limit is lowered there and nowhere else,
the same on both sides.
"""

from __future__ import annotations

import _socket
import gc
import os
import posix
import resource
import threading
from collections import Counter
from contextlib import suppress
from errno import errorcode
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self

from fsworkers import graceful
from fsworkers.stress import scoreboard as board
from fsworkers.stress.order_check import OrderCheck, watch_line
from fsworkers.stress.workspace import is_right, path_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.stress.model import Brief

MOST_CHARACTERS = 160
REST_S = 0.005  # between two goes of the hog
LONGEST_S = 0.008  # that it keeps what it takes


class WorkerContext:
    """How to open things as everybody does, or waiting one's turn; and where to note it."""

    open: Callable[..., Any]
    open_async: Callable[..., Any]
    walk: Callable[..., Any]
    scandir: Callable[..., Any]

    def __init__(self, brief: Brief, ops: int, poison: frozenset[int]) -> None:
        self.brief = brief
        self.poison = poison
        self.errors: Counter[str] = Counter()  # what operations were ended by
        self.scoreboard = board.Scoreboard(brief.scoreboard, ops)
        self._order = OrderCheck()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (brief.plan.limit, hard))
        if brief.side == "ordinary":
            import aiofiles  # noqa: PLC0415, TID251  (the very thing to compare with)

            self.open, self.open_async = open, aiofiles.open
            self.walk, self.scandir = os.walk, os.scandir
        else:
            from fsworkers.graceful import aio  # noqa: PLC0415  (takes asyncio along)

            self.open, self.open_async = graceful.open, aio.open
            self.walk, self.scandir = graceful.os.walk, graceful.os.scandir
            graceful.configure(deadlock_after_s=graceful.BUDGET.deadlock_after_s)
            watch_line(self._order)
        self._row = self.scoreboard.claim_row(open_count())

    def hold_s(self, op: int) -> float:
        """How long an operation holds what it has opened: up to 4 ms, by the seed (Knuth)."""
        return ((op + self.brief.plan.seed * 7919) * 2_654_435_761 & 0xFFFFFFFF) / 2**32 * 0.004

    def pause(self, op: int, *, factor: int) -> None:
        """Hold what an operation has open, ``factor`` times as long as a plain file."""
        threading.Event().wait(factor * self.hold_s(op))

    def path(self, op: int) -> str:
        """The file of an operation."""
        return path_of(self.brief.folder, op % self.brief.plan.files)

    def is_right(self, op: int, data: bytes) -> bool:
        """Whether ``data`` is what that file holds."""
        return is_right(data, op % self.brief.plan.files)

    def note_figures(self) -> None:
        """Write what the layer and the order check have counted to this worker's row."""
        if self.brief.side == "fsworkers":
            seen = graceful.statistics()
            self.scoreboard.note(self._row, board.SERVED, self._order.served)
            self.scoreboard.note(self._row, board.OVERTAKEN, self._order.overtaken)
            self.scoreboard.note(self._row, board.RESCUED, seen.rescued)
            self.scoreboard.note(self._row, board.DEADLOCKS, seen.deadlocks)


class Operation:
    """An operation, entered on the scoreboard as it goes; its error is noted and goes on."""

    def __init__(self, context: WorkerContext, op: int) -> None:
        self._context = context
        self._board = context.scoreboard
        self._op = op
        self._begun_s = 0.0

    def __enter__(self) -> Self:
        """It wants its first descriptor."""
        op = self._op
        self._board.attempts[op] = min(255, self._board.attempts[op] + 1)
        self._board.pids[op] = os.getpid()
        self._board.waits_s[op] = board.UNKNOWN_S
        self._board.states[op] = board.ASKED
        self._begun_s = perf_counter()
        return self

    def granted(self) -> None:
        """It has its first descriptor."""
        self._board.waits_s[self._op] = perf_counter() - self._begun_s
        self._board.states[self._op] = board.HELD

    def ended(self, *, is_right: bool) -> None:
        """It went through; was its content what it should be?"""
        self._board.states[self._op] = board.DONE if is_right else board.WRONG

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, Exception):
            number = getattr(error, "errno", None)
            is_known = isinstance(number, int) and 0 < number < 256
            self._board.errnos[self._op] = number if is_known else 0
            self._board.states[self._op] = board.FAILED
            self._context.errors[described(error)] += 1


def hog(context: WorkerContext) -> None:
    """Take sockets and pipes and free them again while a round lasts, for ever.

    It goes below whatever ``install`` replaces, as a C library would, so neither side sees it.
    """
    plan = context.brief.plan
    random = Random(plan.seed)
    never = threading.Event()
    while True:
        never.wait(REST_S)
        if not context.scoreboard.is_active[0]:
            continue
        count = random.randrange(2, max(2, plan.limit // 4) + 1)
        taken: list[int] = []
        with suppress(OSError):  # nothing is left to take: even better
            while len(taken) < count:
                pair = _socket.socketpair() if random.random() < 0.5 else None
                taken += [one.detach() for one in pair] if pair else posix.pipe()
        never.wait(random.random() * LONGEST_S)
        for number in taken:
            posix.close(number)


def collect(context: WorkerContext) -> None:
    """Collect garbage once a round is over, for ever: what was leaked must have come back then."""
    never = threading.Event()
    while True:
        never.wait(REST_S)
        if not context.scoreboard.is_active[0]:
            gc.collect()
            never.wait(10 * REST_S)


def open_count() -> int:
    """How many descriptors this process has open; one more is taken to look, and not counted."""
    return len(posix.listdir("/dev/fd")) - 1


def described(error: BaseException) -> str:
    """An error in a few words, the same for every file."""
    name = type(error).__name__
    if isinstance(error, OSError) and error.errno is not None:
        return f"{name}: {errorcode.get(error.errno, error.errno)}"
    return f"{name}: {error}"[:MOST_CHARACTERS]
