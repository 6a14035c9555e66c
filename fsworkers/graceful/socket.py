"""``socket`` under permits; each socket holds one until it is closed or collected."""

from __future__ import annotations

import select
import socket as _socket
from errno import EAGAIN, EBADF, ENFILE, ENOPROTOOPT
from functools import partial, wraps
from os import register_at_fork, strerror
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import ref

from fsworkers.graceful import os as graceful_os
from fsworkers.graceful.budget import descriptor_table, kernel
from fsworkers.graceful.budget.budget import BUDGET
from fsworkers.graceful.errors import BudgetTimeout
from fsworkers.graceful.opening.retry import is_refusal, run_with_permits

if TYPE_CHECKING:
    from collections.abc import Callable


CONNECTION = "a connection"
"""What it is called in errors."""

_alive: dict[int, ref[_socket.socket]] = {}
_turns: dict[int, Lock] = {}
register_at_fork(after_in_child=_turns.clear)  # who had his turn is not in there
_init = _socket.socket.__init__
_accept = _socket.socket.accept
_real_close = _socket.socket._real_close  # type: ignore[attr-defined]  # noqa: SLF001 - hooked


def _keep(sock: _socket.socket, lent: Any) -> None:
    """Note a socket's permit, and give it back also when the socket is only collected."""
    number = sock.fileno()
    descriptor_table.keep(number, lent)
    _alive[number] = ref(sock, partial(_collected, number, lent))


def _collected(number: int, lent: Any, gone: ref[_socket.socket]) -> None:
    if _alive.get(number) is gone:
        del _alive[number]
        # A detached number lives on without its socket.
        if not kernel.is_open(number):
            descriptor_table.release_if(number, lent)


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
    _, lent = run_with_permits(lambda: _init(self, family, type, proto), "a socket")
    _keep(self, lent[0])


@wraps(_real_close)
def close_counted(self: _socket.socket, *args: Any) -> None:
    """``socket.close``, giving the permit back."""
    number = self.fileno()
    # First: once it is closed, another thread may have the number.
    _alive.pop(number, None)
    lent = descriptor_table.pop(number)
    try:
        _real_close(self, *args)
    finally:
        if lent is not None:
            lent.give_back()


@wraps(_accept)
def accept_counted(self: _socket.socket) -> tuple[_socket.socket, Any]:
    """``socket.accept``; nothing is lent before somebody is there to be let in.

    The wait for a permit is a part of the socket's time-out. Where another process is faster to let
    a connection in, the permit is kept for the next one.

    Raises:
        BlockingIOError: The socket does not block, and no permit is free: the connection stays in
            the kernel's backlog. To let it in uncounted would eat up the reserve.
    """
    longest_s = self.gettimeout()
    if longest_s == 0:
        return _accept_now(self)
    if not _is_listening(self):
        return _accept(self)  # which says what is wrong
    until_s = None if longest_s is None else monotonic() + longest_s
    while True:
        left_s = None if until_s is None else max(0.0, until_s - monotonic())
        if not _poll(self, left_s):
            raise TimeoutError("timed out")
        if BUDGET.wait_s is not None and left_s is not None and BUDGET.wait_s < left_s:
            left_s = None  # then that is what ends the wait
        try:
            accepted, lent = run_with_permits(
                partial(_accept_in_turn, self), CONNECTION, lets_in=True, wait_s=left_s
            )
        except _NobodyThereError:
            continue
        except BudgetTimeout as error:
            if left_s is None:
                raise
            raise TimeoutError("timed out") from error
        return _ours(accepted[0], lent[0]), accepted[1]


class _NobodyThereError(Exception):
    """Another thread has let the connection in."""


def _accept_in_turn(sock: _socket.socket) -> tuple[_socket.socket, Any]:
    """Of many threads that saw somebody come, one lets them in and no other waits in there."""
    with _turns.setdefault(sock.fileno(), Lock()):
        if not _poll(sock, 0):
            raise _NobodyThereError
        return _accept(sock)


def _accept_now(sock: _socket.socket) -> tuple[_socket.socket, Any]:
    not_now = BlockingIOError(EAGAIN, "no descriptor is free for a connection")
    permit = BUDGET.take_if_free(CONNECTION)
    if permit is None:
        raise not_now
    try:
        made, address = _accept(sock)
    except BaseException as error:
        permit.give_back()
        if is_refusal(error):
            BUDGET.shrink(machine_wide=error.errno == ENFILE)
            raise not_now from error
        raise
    return _ours(made, permit), address


def is_quiet(sock: _socket.socket) -> bool:
    """Whether a listening socket has no connection to let in, and no error to tell."""
    return _is_listening(sock) and not _poll(sock, 0)


def _is_listening(sock: _socket.socket) -> bool:
    try:
        return bool(sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ACCEPTCONN))
    except OSError as error:
        return error.errno == ENOPROTOOPT  # this platform does not tell


def _poll(sock: _socket.socket, wait_s: float | None) -> bool:
    """Wait until somebody is there, for so long; whether somebody is."""
    number = sock.fileno()
    if number < 0:  # another thread has closed it
        raise OSError(EBADF, strerror(EBADF))
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(None if wait_s is None else wait_s * 1000))


def _counted(original: Callable[..., Any], label: str, count: int = 1) -> Callable[..., Any]:
    """A call that makes one socket, or several, under as many permits."""

    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        made, lent = run_with_permits(
            lambda: original(*args, **kwargs), label, count, is_drawn_on=True
        )
        if not lent:  # installed, the sockets have drawn them
            return made
        if count == 1:
            return _ours(made, lent[0])
        return tuple(map(_ours, made, lent))

    call.__module__ = __name__  # where it can be found, and so pickled
    return call


create_connection = _counted(_socket.create_connection, CONNECTION)
create_server = _counted(_socket.create_server, "a server")
fromfd = _counted(_socket.fromfd, "a socket")
socketpair = _counted(_socket.socketpair, "a pair of sockets", 2)
dup_counted = _counted(_socket.socket.dup, "a socket")
# For numbers, as the module has them beside the methods.
close, dup = graceful_os.close, graceful_os.dup


class socket(_socket.socket):  # noqa: N801 - the drop-in's name is socket.socket
    """``socket.socket`` under a permit."""

    __slots__ = ()

    __init__ = init_counted
    accept = accept_counted  # type: ignore[assignment]  # wraps the original's signature
    dup = dup_counted
    _real_close = close_counted


def __getattr__(name: str) -> Any:
    return getattr(_socket, name)
