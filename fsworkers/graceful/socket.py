"""``socket`` under permits; each socket holds one until it is closed or collected."""

from __future__ import annotations

import socket as _socket
from functools import partial, wraps
from typing import Any
from weakref import ref

from fsworkers.graceful import os as graceful_os
from fsworkers.graceful import system, table
from fsworkers.graceful.budget import BUDGET
from fsworkers.graceful.pressure import persist

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
    """``socket.accept``.

    A socket that does not block, as event loops use it, never waits for a permit: when none is
    free the connection is let in uncounted, out of the reserve.
    """
    if self.gettimeout() == 0:
        permit = BUDGET.take_now()
        lent: list[Any] = [] if permit is None else [permit]
        try:
            accepted = _accept(self)
        except BaseException:
            for one in lent:
                one.give_back()
            raise
    else:
        accepted, lent = persist(lambda: _accept(self), "a connection")
    if not lent:
        return accepted
    return _ours(accepted[0], lent[0]), accepted[1]


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


def create_connection(*args: Any, **kwargs: Any) -> _socket.socket:
    """``socket.create_connection`` under a permit."""
    made, lent = persist(
        lambda: _socket.create_connection(*args, **kwargs), "a connection", is_drawn_on=True
    )
    return _ours(made, lent[0]) if lent else made


def __getattr__(name: str) -> Any:
    return getattr(_socket, name)
