"""Being interrupted: once, so that everything is cleared away, and never while that is done."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

AGAIN_S = 0.05
"""Until one that was lost comes again."""


class Interrupted(BaseException):
    """One of ``ENDING`` came: everything is to be cleared away."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


def ignore_interrupts() -> None:
    """From now on: what is being cleared away must not be interrupted."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def interrupts_as_exception() -> Iterator[None]:
    """Turn the first of ``ENDING`` into an exception.

    Further ones are ignored, also when the block was left by it: nothing but the exit follows.
    One that was ignored before, as ``nohup`` does with SIGHUP, stays so.

    Raises:
        Interrupted: Wherever the block has come to.
    """
    before = {
        number: handler
        for number in ENDING
        if (handler := signal.getsignal(number)) is not signal.SIG_IGN
    }
    hook = sys.unraisablehook

    def tell(what: sys.UnraisableHookArgs) -> None:
        lost = what.exc_value
        if not isinstance(lost, Interrupted):
            hook(what)
            return
        # It struck in a finalizer, from where nothing is raised any further.
        _unwind_at(before)
        Timer(AGAIN_S, os.kill, (os.getpid(), lost.number)).start()

    _unwind_at(before)
    sys.unraisablehook = tell
    try:
        yield
    except Interrupted:
        before.clear()
        raise
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


def _unwind_at(numbers: Iterable[int]) -> None:
    for number in numbers:
        signal.signal(number, _unwind)


def _unwind(number: int, _frame: FrameType | None) -> None:
    ignore_interrupts()
    raise Interrupted(number)
