"""Sockets: all that makes one is counted, and a wait for a permit keeps to the time-out."""

from __future__ import annotations

ALL_BUT = """
import _socket  # whose sockets nobody counts
import socket
def all_but(count):
    return [graceful.open(FILE) for _ in range(graceful.statistics().capacity - lent() - count)]
def call(listener):
    caller = _socket.socket(_socket.AF_INET)
    caller.connect(listener.getsockname())
    return caller
""".replace("\n", "\n        ")


def test_all_that_makes_sockets_is_counted(limited) -> None:
    """A server, what it lets in, and a socket made of another's number; with and without us."""
    limited("""
        import inspect, pickle, socket
        sock = graceful.socket
        for install in (lambda: None, graceful.install):
            install()
            before = open_count()
            server = sock.create_server(("127.0.0.1", 0))
            caller = sock.create_connection(server.getsockname())
            accepted, address = server.accept()
            assert address == caller.getsockname() and accepted.gettimeout() is None
            again = sock.fromfd(caller.fileno(), caller.family, caller.type)
            assert again.getsockname() == caller.getsockname()
            assert lent() == open_count() - before == 4
            for one in (server, caller, accepted, again): one.close()
            assert lent() == open_count() - before == 0
            for name in ("create_server", "create_connection", "fromfd"):
                ours, theirs = getattr(sock, name), getattr(socket, name)
                assert pickle.loads(pickle.dumps(ours)) is ours
                assert inspect.signature(ours) == inspect.signature(theirs)
    """)


def test_a_wait_for_a_permit_is_a_part_of_the_sockets_time_out(limited) -> None:
    """As is the wait for a connection after it; the budget's own longest wait may be shorter."""
    limited(f"""
        {ALL_BUT}
        def fails(listener):
            begun_s = time.monotonic()
            try:
                listener.accept()
            except TimeoutError as error:
                return error, time.monotonic() - begun_s
            raise AssertionError("it came in")
        with graceful.socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0.1)
            files = all_but(0)
            caller = call(listener)
            error, waited_s = fails(listener)
            assert str(error) == "timed out" and 0.1 <= waited_s < 1, waited_s
            assert not isinstance(error, graceful.BudgetTimeout)
            graceful.configure(wait_s=0.01)
            error, waited_s = fails(listener)
            assert isinstance(error, graceful.BudgetTimeout)
            while len(files) > 5: files.pop().close()
            listener.accept()[0].close()
            error, waited_s = fails(listener)
            assert str(error) == "timed out" and 0.1 <= waited_s < 1, waited_s
            for file in files: file.close()
            caller.close()
        assert lent() == 0
    """)


def test_a_socket_that_does_not_block_lets_nobody_in_uncounted(limited) -> None:
    """It says that it would block, as for want of a connection."""
    limited(f"""
        {ALL_BUT}
        graceful.install()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            files = all_but(0)
            caller = call(listener)
            before = open_count()
            try:
                listener.accept()
            except BlockingIOError as error:
                assert error.errno == errno.EAGAIN
            else:
                raise AssertionError("it came in")
            assert open_count() == before
            files.pop().close()
            listener.accept()[0].close()
            for file in files: file.close()
            caller.close()
        assert lent() == 0
    """)
