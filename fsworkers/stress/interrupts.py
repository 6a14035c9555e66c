"""Being interrupted: noted at once, obeyed where nothing is left half done."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """One of ``ENDING`` came: everything is to be cleared away."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


@contextmanager
def interrupts_noted() -> Iterator[Callable[[], None]]:
    """Note ``ENDING`` instead of being ended by them; yields what obeys the first that came.

    Call it now and then, where work may stop: it raises ``Interrupted``. So does the end of the
    block. What clears away does not call it, so it is not interrupted, however often somebody
    tries. One that was ignored before, as ``nohup`` does with SIGHUP, stays so.
    """
    noted: list[int] = []

    def obey() -> None:
        if noted:
            raise Interrupted(noted[0])

    before = {number: signal.getsignal(number) for number in ENDING}
    for number, how in before.items():
        if how is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: noted.append(number))
    try:
        yield obey
        obey()
    finally:
        if not noted:  # otherwise nothing but the exit follows, and it too is not interrupted
            for number, how in before.items():
                signal.signal(number, how)
