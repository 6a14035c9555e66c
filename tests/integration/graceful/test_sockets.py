"""Sockets: all that makes one is counted, and a wait for a permit keeps to the time-out."""

from __future__ import annotations

ALL_BUT = """
import _socket  # whose sockets nobody counts
import socket
def all_but(count):
    return held_elsewhere(graceful.statistics().capacity - lent() - count)
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
            found = []
            def accept(number):  # by a thread that holds nothing
                try:
                    listener.accept()
                except TimeoutError as error:
                    found.append(error)
            in_threads(accept, 1)
            return found[0], time.monotonic() - begun_s
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
            def accept(number):  # by a thread that holds nothing
                try:
                    listener.accept()
                except BlockingIOError as error:
                    assert error.errno == errno.EAGAIN
                else:
                    raise AssertionError("it came in")
            in_threads(accept, 1)
            assert open_count() == before
            files.pop().close()
            listener.accept()[0].close()
            for file in files: file.close()
            caller.close()
        assert lent() == 0
    """)


def test_who_waits_for_a_connection_holds_nothing(limited) -> None:
    """Threads, with a time-out and without, and a coroutine; each is let in when somebody comes."""
    limited(f"""
        {ALL_BUT}
        graceful.install()
        listener = socket.create_server(("127.0.0.1", 0))
        hasty = socket.create_server(("127.0.0.1", 0))
        hasty.settimeout(30)
        soft = socket.create_server(("127.0.0.1", 0))
        soft.setblocking(False)
        accepted = []
        def accept(number):
            if number == 40:
                async def main():
                    accepted.append((await asyncio.get_running_loop().sock_accept(soft))[0])
                asyncio.run(main())
            else:
                accepted.append((listener if number % 2 else hasty).accept()[0])
        threads = [threading.Thread(target=accept, args=(number,)) for number in range(41)]
        for thread in threads: thread.start()
        wait_for(lambda: lent() == 3 + 3)  # three servers, and what the event loop has
        files = all_but(3)
        for turn in range(20):
            for one in (listener, hasty): call(one).close()
            wait_for(lambda: len(accepted) == 2)
            wait_for(lambda: lent() == 6 + len(files) + 2)
            while accepted: accepted.pop().close()
        call(soft).close()
        for thread in threads: thread.join(5)
        assert len(accepted) == 1 and not any(thread.is_alive() for thread in threads)
        for one in (*accepted, *files, listener, hasty, soft): one.close()
        assert lent() == 0
    """)


def test_accept_says_what_is_wrong_with_a_socket(limited) -> None:
    """At once, as the standard one: it does not listen, is closed, or of another kind."""
    limited("""
        import socket
        closed = socket.socket()
        closed.close()
        for time_out in (None, 0.1):
            for one in (socket.socket(), socket.socket(type=socket.SOCK_DGRAM), closed):
                ours = closed if one is closed else graceful.socket.socket(one.family, one.type)
                told = []
                for accept in (one.accept, lambda: graceful.socket.accept_counted(ours)):
                    for sock in (one, ours):
                        if sock is not closed: sock.settimeout(time_out)
                    try: accept()
                    except OSError as error: told.append((type(error), error.args))
                assert len(told) == 2 and told[0] == told[1], told
                one.close(); ours.close()
        assert lent() == 0
    """)


def test_a_server_and_its_clients_in_one_process_go_on_at_a_tight_limit(limited) -> None:
    """The clients hold all there is and wait to be let in, which nobody can see."""
    limited(
        """
        import socketserver, socket
        graceful.install()
        class Echo(socketserver.StreamRequestHandler):
            def handle(self):
                for line in self.rfile: self.wfile.write(line)
        class Server(socketserver.ThreadingTCPServer):
            request_queue_size = 200
        server = Server(("127.0.0.1", 0), Echo)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        answers = []
        def ask(number):
            for _ in range(3):
                with socket.create_connection(server.server_address) as connection:
                    with connection.makefile("rw") as file:
                        file.write("hello\\n")
                        file.flush()
                        answers.append(file.readline())
        in_threads(ask, 30, 20)
        server.shutdown()
        serving.join()
        server.server_close()
        assert answers == ["hello\\n"] * 90
        assert graceful.statistics().deadlocks == lent() == 0
    """,
        limit=32,
    )


def test_a_socket_that_does_not_block_lets_in_while_there_is_room(limited) -> None:
    """Whatever else is in force: nothing was lent before, a reservation, tracing; by selectors."""
    limited(f"""
        {ALL_BUT}
        import selectors
        graceful.install()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            def let_in():
                caller = call(listener)
                accepted = listener.accept()[0]
                caller.close()
                return accepted
            accepted = [let_in() for _ in range(3)]
            with graceful.reserve(2):
                accepted.append(let_in())
                in_threads(lambda number: accepted.append(let_in()), 1)
            graceful.BUDGET.trace(on=True)
            accepted.append(let_in())
            with selectors.DefaultSelector() as selector:
                selector.register(listener, selectors.EVENT_READ)
                callers = [call(listener) for _ in range(3)]
                while len(accepted) < 9:
                    assert selector.select(5)
                    accepted.append(listener.accept()[0])
                for caller in callers: caller.close()
            for one in accepted: one.close()
        assert lent() == graceful.statistics().waits == 0
    """)


def test_a_forked_child_lets_in_whatever_another_thread_was_at(limited) -> None:
    """Its parent's threads, who were just letting somebody in, are not in it."""
    limited(f"""
        {ALL_BUT}
        from fsworkers.graceful import socket as ours
        listener = graceful.socket.create_server(("127.0.0.1", 0))
        caller = call(listener)
        at_it, go_on = threading.Event(), threading.Event()
        real = ours._accept
        def accept(sock):
            at_it.set()
            assert go_on.wait(10)
            return real(sock)
        ours._accept = accept
        thread = threading.Thread(target=lambda: listener.accept()[0].close())
        thread.start()
        assert at_it.wait(5)
        child = os.fork()
        if not child:
            ours._accept = real
            listener.settimeout(5)
            listener.accept()[0].close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        again = call(listener)
        go_on.set()
        thread.join(5)
        assert not thread.is_alive()
        for one in (caller, again, listener): one.close()
        assert lent() == 0
    """)


def test_a_listener_that_is_closed_meanwhile_says_so(limited) -> None:
    """To a thread that stands in the line with somebody to let in, as the standard one would."""
    limited(f"""
        {ALL_BUT}
        listener = graceful.socket.create_server(("127.0.0.1", 0))
        files = all_but(0)
        caller = call(listener)
        errors = []
        def accept():
            try:
                listener.accept()
            except OSError as error:
                errors.append(error.errno)
        thread = threading.Thread(target=accept)
        thread.start()
        wait_for(lambda: graceful.statistics().waiting)
        listener.close()
        for file in files: file.close()
        thread.join(5)
        assert errors == [errno.EBADF], errors
        caller.close()
        assert lent() == 0
    """)


def test_one_of_two_that_await_a_connection_may_be_cancelled(limited) -> None:
    """The other one is told of it, as with the standard loop."""
    limited(f"""
        {ALL_BUT}
        graceful.install()
        async def main():
            loop = asyncio.get_running_loop()
            with socket.create_server(("127.0.0.1", 0)) as listener:
                listener.setblocking(False)
                first = asyncio.create_task(loop.sock_accept(listener))
                await asyncio.sleep(0.01)
                second = asyncio.create_task(loop.sock_accept(listener))
                await asyncio.sleep(0.01)
                first.cancel()
                await asyncio.sleep(0.01)
                caller = call(listener)
                (await asyncio.wait_for(second, 5))[0].close()
                caller.close()
        asyncio.run(main())
        assert lent() == 0
    """)
