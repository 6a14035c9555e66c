"""Connections that an event loop lets in: each under a permit.

While there is none they stay in the kernel's backlog, and the loop does not listen: it would be
told of them over and over. It stands in the line with a callback instead of a task, which others
would find among the loop's tasks, and wait for or cancel.
"""

from __future__ import annotations

from asyncio import sleep
from functools import wraps
from typing import TYPE_CHECKING, Any

from fsworkers.graceful.budget import owners
from fsworkers.graceful.budget.budget import BUDGET
from fsworkers.graceful.budget.line import Waiter
from fsworkers.graceful.budget.reservation import Reservation
from fsworkers.graceful.budget.task_wait import acquire
from fsworkers.graceful.opening.retry import give_back
from fsworkers.graceful.socket import CONNECTION, is_quiet

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.graceful.budget.permits import Permit

PAUSE_S = 0.1
"""How long the loop does not listen after the kernel has refused it a connection."""

_in_line: dict[Any, tuple[Any, Waiter]] = {}
"""Who waits for a permit, with his loop, by the listening socket."""


def letting_in(original: Callable[..., None]) -> Callable[..., None]:
    """``BaseSelectorEventLoop._accept_connection``: there are connections to a server."""

    @wraps(original)
    def _accept_connection(self: Any, factory: Any, sock: Any, *details: Any) -> None:
        # The tasks that are started for a connection count as holders: it is this thread's.
        owners.started_by.set(owners.of_thread())
        refused = BUDGET.line.refused
        original(self, factory, sock, *details)
        if sock.fileno() < 0 or is_quiet(sock):
            return

        def listen() -> None:
            if sock.fileno() >= 0:
                self._start_serving(factory, sock, *details)

        def let_in(permit: Permit) -> None:
            permit.owner = owners.of_thread()
            block = Reservation.of([permit])
            try:
                with block:
                    _accept_connection(self, factory, sock, *details)
            finally:
                give_back(block.rest)
                if sock not in _in_line:
                    listen()

        if BUDGET.line.refused != refused:
            self._remove_reader(sock.fileno())
            self.call_later(PAUSE_S, listen)
        elif (free := BUDGET.take_if_free(CONNECTION)) is not None:
            free.give_back()  # the loop will tell of those that are left
        else:
            self._remove_reader(sock.fileno())
            _line_up(self, sock, let_in)

    return _accept_connection


def _line_up(loop: Any, sock: Any, let_in: Callable[[Permit], None]) -> None:
    def go_on() -> None:
        if _in_line.get(sock) == (loop, waiter):
            del _in_line[sock]
            if waiter.error is None:
                let_in(waiter.permits[0])
            else:  # it was ended for the others' sake
                _line_up(loop, sock, let_in)

    def wake() -> bool:
        try:
            loop.call_soon_threadsafe(go_on)
        except RuntimeError:
            return False  # the loop was closed
        return True

    waiter = Waiter(BUDGET.request(1, CONNECTION, lets_in=True), owners.NOBODY, wake)
    _in_line[sock] = loop, waiter
    BUDGET.enter(waiter)


def leaving_the_line(original: Callable[..., None]) -> Callable[..., None]:
    """``BaseSelectorEventLoop._stop_serving``: nobody is let in any more."""

    @wraps(original)
    def _stop_serving(self: Any, sock: Any) -> None:
        _leave(sock)
        original(self, sock)

    return _stop_serving


def leave_all(loop: Any) -> None:
    """A loop was closed: its servers will not be told when it is their turn."""
    for sock, (of, _) in [*_in_line.items()]:
        if of is loop:
            _leave(sock)


def _leave(sock: Any) -> None:
    _, waiter = _in_line.pop(sock, (None, None))
    if waiter is not None:
        BUDGET.abandon(waiter)


def after_a_permit(original: Callable[..., Any]) -> Callable[..., Any]:
    """``sock_accept``: a connection is awaited, then a permit, and then it is let in."""

    @wraps(original)
    async def sock_accept(self: Any, sock: Any) -> Any:
        if sock.gettimeout() != 0:
            return await original(self, sock)  # which says that it should
        request = BUDGET.request(1, CONNECTION, lets_in=True)
        while True:
            if sock.fileno() >= 0 and is_quiet(sock):
                await _readable(self, sock)
            block = Reservation.of(await acquire(request))
            refused = BUDGET.line.refused
            try:
                with block:
                    accepted, address = sock.accept()
                accepted.setblocking(False)
            except BlockingIOError:  # somebody else was faster, or the kernel refuses
                if BUDGET.line.refused != refused:
                    await sleep(PAUSE_S)
            else:
                return accepted, address
            finally:
                give_back(block.rest)

    return sock_accept


async def _readable(loop: Any, sock: Any) -> None:
    coming = loop.create_future()
    number = sock.fileno()
    reader = loop._add_reader(number, lambda: coming.done() or coming.set_result(None))  # noqa: SLF001
    try:
        await coming
    finally:
        if not reader.cancelled():  # or another task has taken its place
            loop._remove_reader(number)  # noqa: SLF001 - as asyncio does
