"""Event loops after ``install``: what they take for themselves, open, and let in."""

from __future__ import annotations

import pytest

CLIENTS = '''
CLIENTS = """
import asyncio, resource, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
async def ask(number):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    writer.write(b"x")
    answer = await reader.read()
    writer.close()
    return len(answer)
async def main():
    assert set(await asyncio.gather(*map(ask, range(int(sys.argv[2]))))) == {4096}
asyncio.run(main())
"""
'''

ALL_BUT = """
import _socket  # whose sockets nobody counts
def all_but(count):
    return held_elsewhere(graceful.statistics().capacity - lent() - count)
def call(address):
    caller = _socket.socket(_socket.AF_INET)
    caller.connect(address)
    return caller
async def until(condition):
    while not condition():
        await asyncio.sleep(0)
"""


def _indented(code: str) -> str:
    return code.replace("\n", "\n        ")


def test_more_connections_than_there_are_descriptors(limited) -> None:
    """They stay in the backlog until it is their turn, and the reserve stays what it is."""
    limited(
        f"""
        {_indented(CLIENTS)}
        import posix  # whose listdir nobody makes wait
        graceful.install()
        from fsworkers.graceful import aio
        problems = []
        numbers = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
        seen = []
        async def answer(reader, writer):
            seen.append(len(posix.listdir(numbers)))
            await reader.read(1)
            writer.write(await aio.read_bytes(FILE))
            writer.close()
        async def main():
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda loop, context: problems.append(context))
            server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=400)
            port = server.sockets[0].getsockname()[1]
            clients = await asyncio.create_subprocess_exec(
                sys.executable, "-c", CLIENTS, str(port), "150"
            )
            assert await clients.wait() == 0
            server.close()
            await server.wait_closed()
        asyncio.run(main())
        assert not problems and len(seen) == 150 and max(seen) <= 60, (problems, max(seen))
        seen = graceful.statistics()
        assert seen.lent == 0 and seen.refused == 0 and seen.deadlocks == 0, seen
    """,
        hard=512,
    )


def test_a_server_that_is_closed_while_it_waits_leaves_the_line(limited) -> None:
    """Also one whose loop ends without a word; nothing is lost."""
    limited(f"""
        {_indented(ALL_BUT)}
        graceful.install()
        async def main(is_closed):
            server = await asyncio.start_server(lambda *both: None, "127.0.0.1", 0)
            address = server.sockets[0].getsockname()
            files = all_but(0)
            before = lent()
            caller = call(address)
            await until(lambda: graceful.statistics().waiting)
            if is_closed:
                server.close()
                await server.wait_closed()
                assert graceful.statistics().waiting == 0 and lent() == before - 1
            caller.close()
            return server, files
        for is_closed in (True, False):
            server, files = asyncio.run(main(is_closed))
            for file in files: file.close()
            for sock in server.sockets: sock._sock.close()
            del server
            wait_for(lambda: gc.collect() is None or lent() == 0)
            assert graceful.statistics().waiting == 0
    """)


def test_a_connection_comes_in_when_a_file_is_closed(limited) -> None:
    """Through a server and through ``sock_accept``; other tasks go on meanwhile."""
    limited(f"""
        {_indented(ALL_BUT)}
        import socket
        graceful.install()
        async def through_a_server(listener, came):
            async def answer(reader, writer):
                came.append(lent())
                writer.close()
            return await asyncio.start_server(answer, sock=listener)
        async def through_sock_accept(listener, came):
            async def accept():
                made, _ = await asyncio.get_running_loop().sock_accept(listener)
                came.append(lent())
                made.close()
            return asyncio.create_task(accept())
        async def main(way):
            listener = socket.create_server(("127.0.0.1", 0))
            listener.setblocking(False)
            came = []
            files = all_but(0)
            before = lent()
            at_work = await way(listener, came)
            caller = call(listener.getsockname())
            await until(lambda: graceful.statistics().waiting == 1)
            assert not came
            files.pop().close()
            await until(lambda: came)
            assert came == [before]
            await until(lambda: lent() == before - 1)
            for file in files: file.close()
            caller.close()
            listener.close()
        for way in (through_a_server, through_sock_accept):
            asyncio.run(main(way))
            assert lent() == 0
    """)


def test_servers_and_their_clients_in_one_process(limited) -> None:
    """Those who hold all descriptors wait for connections that nobody has let in yet."""
    limited(
        """
        graceful.install()
        async def ask(number):
            server = await asyncio.start_server(lambda _, writer: writer.close(), "localhost", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            assert await reader.read() == b""
            writer.close()
            server.close()
        async def main():
            await asyncio.gather(*map(ask, range(12)))
        asyncio.run(main())
        assert graceful.statistics().deadlocks == 0
    """,
        limit=32,
    )


def test_the_kernels_refusal_of_a_connection_is_waited_out(limited) -> None:
    """Other code has the last descriptor: no error is told, and the connection comes in later."""
    limited(f"""
        {_indented(ALL_BUT)}
        import posix
        graceful.install()
        problems = []
        async def main():
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda loop, context: problems.append(context))
            came = []
            def answer(reader, writer):
                came.append(1)
                writer.close()
            server = await asyncio.start_server(answer, "127.0.0.1", 0)
            graceful.statistics()
            callers = [call(server.sockets[0].getsockname())]
            taken = []
            with contextlib.suppress(OSError):
                while True: taken.append(posix.dup(1))
            await until(lambda: graceful.statistics().refused >= 2)
            assert not came
            for number in taken: os.close(number)
            await until(lambda: came)
            callers[0].close()
            server.close()
            await server.wait_closed()
        asyncio.run(main())
        assert not problems and lent() == 0, problems
    """)


@pytest.mark.parametrize(("limit", "count"), [(32, 30), (64, 60)])
def test_loops_in_many_threads(limited, limit: int, count: int) -> None:
    """A loop's own three are counted and asked for at once, and leave some for its tasks."""
    limited(
        f"""
        graceful.install()
        from fsworkers.graceful import aio
        def work(number):
            async def main():
                for _ in range(3):
                    async with aio.open(FILE) as file:
                        assert len(await file.read()) == 4096
                    await asyncio.sleep(0)
            asyncio.run(main())
        before = open_count()
        in_threads(work, {count})
        seen = graceful.statistics()
        assert (seen.lent, seen.refused, seen.deadlocks) == (0, 0, 0), seen
        assert open_count() == before
    """,
        limit=limit,
    )


def test_what_a_loop_takes_comes_back(limited) -> None:
    """When it is closed, when it is only collected, and with a selector of one's own."""
    limited("""
        import selectors, warnings
        graceful.install()
        before = open_count()
        loop = asyncio.new_event_loop()
        assert lent() == open_count() - before == 3
        loop.close()
        assert lent() == 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loop = asyncio.new_event_loop()
            del loop
            gc.collect()
        assert lent() == open_count() - before == 0
        loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
        assert lent() == open_count() - before == 2
        loop.close()
        assert lent() == open_count() - before == 0
    """)


def test_more_loops_than_leave_room_go_on_after_a_while(limited) -> None:
    """They may be there to stay, and there is room in truth."""
    limited(
        """
        graceful.install()
        from fsworkers.graceful.patching import asyncio_patches
        asyncio_patches.PATIENCE_S = 0.05
        loops = [asyncio.new_event_loop() for _ in range(graceful.statistics().capacity // 3)]
        for loop in loops: loop.close()
        assert lent() == 0
    """,
        limit=32,
    )


def test_unix_connections_are_awaited_in_the_loop(limited) -> None:
    """And a server's sockets, of which there is one for each address."""
    limited("""
        graceful.install()
        path = FOLDER + "/socket"
        async def ask(number):
            reader, writer = await asyncio.open_unix_connection(path)
            assert await reader.read() == b"x"
            writer.close()
            await writer.wait_closed()
        async def answer(reader, writer):
            writer.write(b"x")
            writer.close()
        async def main():
            server = await asyncio.start_unix_server(answer, path, backlog=200)
            await asyncio.gather(*map(ask, range(100)))
            server.close()
            await server.wait_closed()
            hosts = [f"127.0.0.{number}" for number in range(1, 6)]
            files = [open(FILE) for _ in range(graceful.statistics().capacity - lent() - 4)]
            making = asyncio.create_task(asyncio.start_server(answer, hosts, 0))
            while not graceful.statistics().waiting: await asyncio.sleep(0)
            for file in files: file.close()
            server = await making
            assert lent() == 3 + len(server.sockets) == 8
            server.close()
            await server.wait_closed()
        asyncio.run(main())
        seen = graceful.statistics()
        assert (seen.lent, seen.deadlocks) == (0, 0), seen
    """)


def test_a_servers_hosts_may_be_anything_to_go_through(limited) -> None:
    """As asyncio has it: also an iterator, or none at all."""
    limited("""
        graceful.install()
        async def serve(hosts):
            server = await asyncio.get_running_loop().create_server(asyncio.Protocol, hosts, 0)
            found = len(server.sockets)
            server.close()
            await server.wait_closed()
            return found
        async def main():
            assert await serve(host for host in ["127.0.0.1", "127.0.0.2"]) == 2
            assert await serve(("127.0.0.1",)) == 1
            if sys.version_info < (3, 13): assert await serve([]) == 0  # an error since then
        asyncio.run(main())
        assert lent() == 0
    """)


def test_a_loop_is_made_once_the_kernel_has_room_for_it(limited) -> None:
    """Refused half-way, it takes nothing; nor does a connection that is awaited meanwhile spin."""
    limited(f"""
        {_indented(ALL_BUT)}
        import posix, socket
        graceful.install()
        asyncio.new_event_loop().close()
        def hog():
            taken = []
            with contextlib.suppress(OSError):
                while True: taken.append(posix.dup(1))
            return taken
        for room in range(3):
            taken = hog()
            for _ in range(room): os.close(taken.pop())
            making = threading.Thread(target=lambda: asyncio.new_event_loop().close())
            making.start()
            making.join(0.2)
            for number in taken: os.close(number)
            making.join(5)
            assert not making.is_alive() and lent() == 0
        async def main():
            listener = socket.create_server(("127.0.0.1", 0))
            listener.setblocking(False)
            caller = call(listener.getsockname())
            taken = hog()
            accepting = asyncio.create_task(asyncio.get_running_loop().sock_accept(listener))
            before = time.process_time()
            await asyncio.sleep(0.5)
            assert not accepting.done() and time.process_time() - before < 0.2
            for number in taken: os.close(number)
            (await asyncio.wait_for(accepting, 5))[0].close()
            caller.close()
            listener.close()
        asyncio.run(main())
    """)
