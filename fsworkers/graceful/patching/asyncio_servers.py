"""Connections that an event loop lets in: each under a permit.

While there is none they stay in the kernel's backlog, and the loop does not listen: it would be
told of them over and over. It stands in the line with a bare waiter instead of a task, which
others would find among the loop's tasks, and wait for or cancel.
"""

from __future__ import annotations

from errno import ENFILE
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from fsworkers.graceful.budget import owners
from fsworkers.graceful.budget.budget import BUDGET
from fsworkers.graceful.budget.line import QueuePosition, Waiter
from fsworkers.graceful.budget.reservation import Reservation
from fsworkers.graceful.budget.task_wait import take, take_again
from fsworkers.graceful.opening import spare_connection
from fsworkers.graceful.opening.retry import EXHAUSTED, give_back
from fsworkers.graceful.opening.spare_connection import DOORSTEP
from fsworkers.graceful.socket import CONNECTION, NotLet, accept_with, is_quiet

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.graceful.budget.permits import HeldPermit, Permit

_in_line: dict[Any, _Door] = {}
"""The doors that are shut, by their sockets."""


def letting_in(original: Callable[..., None]) -> Callable[..., None]:
    """``BaseSelectorEventLoop._accept_connection``: there are connections to a server."""

    @wraps(original)
    def _accept_connection(self: Any, protocol_factory: Any, sock: Any, *details: Any) -> None:
        listen = partial(self._start_serving, protocol_factory, sock, *details)
        _Door(self, sock, lambda door: original(self, protocol_factory, door, *details), listen)()

    return _accept_connection


def leaving_the_line(original: Callable[..., None]) -> Callable[..., None]:
    """``BaseSelectorEventLoop._stop_serving``: nobody is let in any more."""

    @wraps(original)
    def _stop_serving(self: Any, sock: Any) -> None:
        door = _in_line.get(sock)
        if door is not None:
            door.leave()
        original(self, sock)

    return _stop_serving


def closing(original: Callable[..., None]) -> Callable[..., None]:
    """``BaseSelectorEventLoop.close``: its servers will not be told when it is their turn."""

    @wraps(original)
    def close(self: Any) -> None:
        if not self.is_running():
            for door in [*_in_line.values()]:
                if door.loop is self:
                    door.leave()
        original(self)

    return close


def after_a_permit(original: Callable[..., Any]) -> Callable[..., Any]:
    """``sock_accept``: a connection is awaited, then a permit, and then it is let in.

    While nobody comes, nothing is lent.
    """

    @wraps(original)
    async def sock_accept(self: Any, sock: Any) -> Any:
        await _come(self, sock)
        lent: list[HeldPermit] = [await take(CONNECTION)]
        place = QueuePosition()
        while True:
            pot = Reservation.of(lent)
            try:
                with pot:
                    return await original(self, sock)
            except OSError as error:
                if error.errno not in EXHAUSTED or not pot.rest:
                    raise
                refused, pot.rest = [one.real() for one in pot.rest], []
                lent = [*await take_again(refused, CONNECTION, place, None, error=error)]
            finally:
                give_back([*pot.rest])

    return sock_accept


async def _come(loop: Any, sock: Any) -> None:
    """Wait until there is a connection to let in, or an error to be told."""
    if sock.gettimeout() != 0 or sock.fileno() < 0 or not is_quiet(sock):
        return
    coming = loop.create_future()

    def notice() -> None:
        if not coming.done():
            coming.set_result(None)

    number = sock.fileno()
    reader = loop._add_reader(number, notice)  # noqa: SLF001 - as asyncio does
    try:
        await coming
    finally:
        if not reader.cancelled():  # or another task has taken its place
            loop._remove_reader(number)  # noqa: SLF001 - likewise


class _Door:
    """A listening socket as asyncio sees it: it lets in one for each permit, then it is shut.

    Args:
        loop: The event loop.
        sock: The socket itself.
        let_in: Accepts from the door as from the socket, until that would block.
        listen: Lets the loop be told of connections again.
    """

    def __init__(
        self,
        loop: Any,
        sock: Any,
        let_in: Callable[[_Door], None],
        listen: Callable[[], None],
    ) -> None:
        self.loop = loop
        self._sock = sock
        self._let_in = let_in
        self._listen = listen
        self._lent: list[HeldPermit] = []
        self._is_shut = False
        self._refusal: OSError | None = None
        self._place = QueuePosition()
        self._waiter: Waiter | None = None

    def __call__(self) -> None:
        """Let in who is there, and stand in the line if there was no permit for all."""
        try:
            self._let_in(self)
        finally:
            give_back(self._lent)
            self._lent = []
            if self._is_shut:
                self.loop._remove_reader(self._sock.fileno())  # noqa: SLF001 - as asyncio does
                self._line_up()

    def accept(self) -> tuple[Any, Any]:
        """``socket.accept``."""
        # The tasks that are started for a connection count as holders: it is this thread's.
        owners.started_by.set(owners.of_thread())
        try:
            return accept_with(self._lent.pop(), self._sock) if self._lent else self._sock.accept()
        except NotLet:
            self._is_shut = True
            raise
        except OSError as error:
            if error.errno not in EXHAUSTED:
                raise
            self._is_shut = True
            self._refusal = error
            raise NotLet from error

    def leave(self) -> None:
        """Stand in the line no more."""
        waiter, self._waiter = self._waiter, None
        _in_line.pop(self._sock, None)
        if waiter is not None:
            BUDGET.abandon(waiter)

    def _line_up(self) -> None:
        # It holds nothing, so no jam is ended by ending its wait.
        waiter = Waiter(1, owners.NOBODY, CONNECTION, lambda: self._call(waiter))
        self._waiter = waiter
        _in_line[self._sock] = self
        if self._refusal is None:
            BUDGET.post(waiter)
        else:
            BUDGET.post_refused(waiter, [], self._place, machine_wide=self._refusal.errno == ENFILE)
        self.loop.call_later(DOORSTEP.pause_s(), self._press, waiter)

    def _call(self, waiter: Waiter) -> bool:
        """It is this waiter's turn; on whatever thread."""
        try:
            self.loop.call_soon_threadsafe(self._go_on, waiter)
        except RuntimeError:
            return False  # the loop was closed
        return True

    def _go_on(self, waiter: Waiter) -> None:
        if self._waiter is not waiter:
            return
        if waiter.error is not None or _is_for_others():
            self.leave()
            self._line_up()
            return
        lent: list[HeldPermit] = [*map(_of_this_thread, waiter.permits)]
        waiter.permits = []
        self.leave()
        self._open(lent)

    def _press(self, waiter: Waiter) -> None:
        """It has been long: let one in on the doorstep."""
        if self._waiter is not waiter:
            return
        permit = DOORSTEP.take()
        if permit is None:
            self.loop.call_later(spare_connection.PATIENCE_S, self._press, waiter)
            return
        self.leave()
        self._open([permit])

    def _open(self, lent: list[HeldPermit]) -> None:
        was_refused = self._refusal is not None
        self._lent = lent
        self._is_shut = False
        self._refusal = None
        try:
            self()
        finally:
            if not self._is_shut:
                self._listen()
        if was_refused and self._refusal is None:
            self._place = QueuePosition()
            BUDGET.note_success()


def _of_this_thread(permit: Permit) -> Permit:
    """Who will deal with a connection is not known when it comes in."""
    permit.owner = owners.of_thread()
    return permit


def _is_for_others() -> bool:
    """Whether what was lent is a part of the reserve, and somebody waits who could go on by it."""
    line = BUDGET.line
    return BUDGET.lent > line.capacity and line.waiting > len(_in_line)
