"""``socket`` under permits; each socket holds one until it is closed or collected."""

from __future__ import annotations

import select
import socket as _socket
from errno import EAGAIN
from functools import partial, wraps
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import ref

from fsworkers.graceful import os as graceful_os
from fsworkers.graceful import system, table
from fsworkers.graceful.budget import BUDGET
from fsworkers.graceful.errors import BudgetTimeout
from fsworkers.graceful.pressure import persist
from fsworkers.graceful.reservation import draw

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.graceful.counter import Lent

CONNECTION = "a connection"
"""What it is called in errors."""

_alive: dict[int, ref[_socket.socket]] = {}
_init = _socket.socket.__init__
_accept = _socket.socket.accept
_real_close = _socket.socket._real_close  # type: ignore[attr-defined]  # noqa: SLF001 - hooked
_socketpair = _socket.socketpair
_dup = _socket.socket.dup


def _keep(sock: _socket.socket, lent: Any) -> None:
    """Note a socket's permit, and give it back also when the socket is only collected."""
    number = sock.fileno()
    table.keep(number, lent)
    _alive[number] = ref(sock, partial(_collected, number, lent))


def _collected(number: int, lent: Any, gone: ref[_socket.socket]) -> None:
    if _alive.get(number) is gone:
        del _alive[number]
        # A detached number lives on without its socket.
        if not system.is_open(number):
            table.release_if(number, lent)


def _ours(sock: _socket.socket, lent: Any) -> _socket.socket:
    """The socket as one that gives its permit back on close: all do, once we are installed."""
    if type(sock)._real_close is not close_counted:  # type: ignore[attr-defined]  # noqa: SLF001 - hooked
        timeout = sock.gettimeout()
        sock = socket(sock.family, sock.type, sock.proto, sock.detach())
        sock.settimeout(timeout)
    _keep(sock, lent)
    return sock


@wraps(_init)
def init_counted(
    self: _socket.socket,
    family: int = -1,
    type: int = -1,  # noqa: A002 - socket's own name
    proto: int = -1,
    fileno: Any = None,
) -> None:
    """``socket.__init__``: a new socket waits its turn, one made of a number needs nothing."""
    if fileno is not None:
        _init(self, family, type, proto, fileno)
        return
    _, lent = persist(lambda: _init(self, family, type, proto), "a socket")
    _keep(self, lent[0])


@wraps(_real_close)
def close_counted(self: _socket.socket, *args: Any) -> None:
    """``socket.close``, giving the permit back."""
    number = self.fileno()
    # First: once it is closed, another thread may have the number.
    _alive.pop(number, None)
    lent = table.pop(number)
    try:
        _real_close(self, *args)
    finally:
        if lent is not None:
            lent.give_back()


@wraps(_accept)
def accept_counted(self: _socket.socket) -> tuple[_socket.socket, Any]:
    """``socket.accept``; the wait for a permit is a part of the socket's time-out.

    Raises:
        NotLet: The socket does not block, and no permit is free: the connection stays in the
            kernel's backlog. To let it in uncounted would eat up the reserve.
    """
    longest_s = self.gettimeout()
    if longest_s == 0:
        return _accept_now(self)
    if longest_s is None:
        accepted, lent = persist(lambda: _accept(self), CONNECTION)
    else:
        accepted, lent = _accept_within(self, longest_s)
    return _ours(accepted[0], lent[0]), accepted[1]


class NotLet(BlockingIOError):
    """There may be a connection, but no permit to let it in with."""

    def __init__(self) -> None:
        super().__init__(EAGAIN, "no descriptor is free for a connection")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


def _accept_now(sock: _socket.socket) -> tuple[_socket.socket, Any]:
    permit = draw(BUDGET) or BUDGET.take_now()
    if permit is None:
        raise NotLet
    return accept_with(permit, sock)


def accept_with(permit: Lent, sock: _socket.socket) -> tuple[_socket.socket, Any]:
    """``socket.accept`` under a permit taken before, which goes back if nobody comes in."""
    try:
        made, address = _accept(sock)
    except BaseException:
        permit.give_back()
        raise
    return _ours(made, permit), address


def _accept_within(sock: _socket.socket, longest_s: float) -> Any:
    until_s = monotonic() + longest_s

    def accept() -> Any:
        # Its own time-out begins when it is called, and that may be late.
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        if not poll.poll(max(0.0, until_s - monotonic()) * 1000):
            raise TimeoutError("timed out")
        return _accept(sock)

    if BUDGET.wait_s is not None and BUDGET.wait_s < longest_s:
        return persist(accept, CONNECTION)
    try:
        return persist(accept, CONNECTION, wait_s=longest_s)
    except BudgetTimeout as error:
        raise TimeoutError("timed out") from error


@wraps(_dup)
def dup_counted(self: _socket.socket) -> _socket.socket:
    """``socket.dup`` under a permit of its own."""
    made, lent = persist(lambda: _dup(self), "a socket")
    return _ours(made, lent[0])


@wraps(_socketpair)
def socketpair(*args: Any, **kwargs: Any) -> tuple[_socket.socket, _socket.socket]:
    """``socket.socketpair``: two at once."""
    pair, lent = persist(lambda: _socketpair(*args, **kwargs), "a pair of sockets", 2)
    return _ours(pair[0], lent.pop()), _ours(pair[1], lent.pop())


socketpair.__module__ = __name__  # where it can be found, and so pickled


class socket(_socket.socket):  # noqa: N801 - the drop-in's name is socket.socket
    """``socket.socket`` under a permit."""

    __slots__ = ()

    __init__ = init_counted
    accept = accept_counted  # type: ignore[assignment]  # wraps the original's signature
    dup = dup_counted  # type: ignore[assignment]  # likewise
    _real_close = close_counted


# For numbers, as the module has them beside the methods.
close = graceful_os.close
dup = graceful_os.dup


def _counted(original: Callable[..., _socket.socket], label: str) -> Callable[..., _socket.socket]:
    """A call that makes one socket, under a permit."""

    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> _socket.socket:
        made, lent = persist(lambda: original(*args, **kwargs), label, is_drawn_on=True)
        return _ours(made, lent[0]) if lent else made

    call.__module__ = __name__  # where it can be found, and so pickled
    return call


create_connection = _counted(_socket.create_connection, CONNECTION)
create_server = _counted(_socket.create_server, "a server")
fromfd = _counted(_socket.fromfd, "a socket")


def __getattr__(name: str) -> Any:
    return getattr(_socket, name)
