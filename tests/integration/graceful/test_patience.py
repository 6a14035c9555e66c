"""EAGAIN: a buffered read is never ``None`` and never short."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.graceful.test_faults import can_trace, inject

if TYPE_CHECKING:
    from pathlib import Path

traced = pytest.mark.skipif(not can_trace(), reason="strace is not here or may not trace")

FIFO = """
fifo = os.path.join(FOLDER, "fifo")
os.mkfifo(fifo)
def opener(path, flags):
    return os.open(path, flags | os.O_NONBLOCK)
def feed(*parts):
    fd = os.open(fifo, os.O_RDWR)
    reading.wait()
    for part in parts:
        threading.Event().wait(0.02)
        os.write(fd, part)
    os.close(fd)
reading = threading.Event()
feeding = threading.Thread(target=feed, args=(b"one\\n", b"two\\n", b"x" * 5000))
feeding.start()
def opened(*arguments):
    # Not before the other end is there: without it, a read is at its end.
    wait_for(lambda: any(os.path.realpath(f"/proc/self/fd/{n}") == fifo for n in range(20)))
    file = graceful.open(fifo, *arguments, opener=opener)
    reading.set()
    return file
"""

READS = {
    "rb": "assert file.read() == b'one\\ntwo\\n' + b'x' * 5000",
    "r": "assert file.read() == 'one\\ntwo\\n' + 'x' * 5000",
    "rb ": "assert file.read(4) + file.read(5004) == b'one\\ntwo\\n' + b'x' * 5000",
    "rb  ": "assert list(file) == [b'one\\n', b'two\\n', b'x' * 5000]",
    "rb   ": "assert file.peek(1) and file.read1(2) == b'on' and file.readline() == b'e\\n'; "
    "assert len(file.read()) == 5004",
    "r ": "assert file.readline() == 'one\\n'; assert file.readlines() == ['two\\n', 'x' * 5000]",
}


@pytest.mark.parametrize("mode", READS)
def test_a_fifo_that_does_not_block_is_read_to_its_end(limited, mode: str) -> None:
    """Opened by its path, with an opener that asks not to block."""
    limited(f"""
        {FIFO.replace(chr(10), chr(10) + " " * 8)}
        with opened({mode.strip()!r}) as file:
            {READS[mode]}
        feeding.join()
        assert lent() == 0
    """)


@pytest.mark.parametrize("mode", ["rb", "r"])
def test_a_fifo_after_a_long_file_is_read_to_its_end(limited, mode: str) -> None:
    """The way to read a file whole is chosen by the last one; either is right for any."""
    limited(f"""
        {FIFO.replace(chr(10), chr(10) + " " * 8)}
        with open(FILE, "wb") as file: file.write(b"y" * 100_000)
        with graceful.open(FILE, "rb") as file: assert len(file.read()) == 100_000
        with opened({mode!r}) as file:
            {READS[mode]}
        feeding.join()
    """)


def test_long_and_short_files_are_read_whole_by_threads_at_once(limited) -> None:
    """Each guesses by what any other has read last."""
    limited("""
        sys.setswitchinterval(1e-6)
        files = []
        for number, size in enumerate((0, 1, 65_535, 65_536, 65_537, 200_000)):
            files.append((os.path.join(FOLDER, str(number)), os.urandom(size)))
            with open(files[-1][0], "wb") as file: file.write(files[-1][1])
        def read(number):
            for turn in range(200):
                path, data = files[(number + turn * 7 + turn // 5) % len(files)]
                with graceful.open(path, "rb") as file:
                    file.seek(len(data) // 2)
                    assert file.read() == data[len(data) // 2:]
                    file.seek(0)
                    assert file.read() == data and file.read() == b""
        in_threads(read, 8)
        assert lent() == 0
    """)


def test_a_coroutine_reads_such_a_fifo_too(limited) -> None:
    """The asynchronous face has the same files."""
    limited(f"""
        {FIFO.replace(chr(10), chr(10) + " " * 8)}
        from fsworkers.graceful import aio
        async def main():
            async with aio.open(fifo, "rb", opener=opener) as file:
                reading.set()
                assert len(await file.read()) == 5008
        wait_for(lambda: any(os.path.realpath(f"/proc/self/fd/{{n}}") == fifo for n in range(20)))
        asyncio.run(main())
        feeding.join()
        assert lent() == 0
    """)


def test_a_file_set_not_to_block_later_on(limited) -> None:
    """What the flag was when it was opened does not matter."""
    limited(f"""
        {FIFO.replace(chr(10), chr(10) + " " * 8)}
        with graceful.open(fifo, "rb") as file:
            os.set_blocking(file.fileno(), False)
            reading.set()
            assert len(file.read()) == 5008
        feeding.join()
    """)


def test_nothing_to_read_for_too_long_is_an_error(limited) -> None:
    """The wait is bounded, and the error names the file."""
    limited("""
        from fsworkers.graceful import raw
        raw.PATIENCE_S = 0.05
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        with graceful.open(reading, "rb") as file:
            for read in (file.read, lambda: file.read(10), file.readline):
                try:
                    read()
                except BlockingIOError as error:
                    assert error.filename == reading
                else:
                    raise AssertionError("it read")
        os.close(writing)
    """)


@pytest.mark.parametrize("mode", ["rb", "r"])
def test_what_was_read_before_it_was_too_long_comes_with_the_next_read(limited, mode: str) -> None:
    """As often as it fails, in one piece or in several."""
    limited(f"""
        from fsworkers.graceful import raw
        raw.PATIENCE_S = 0.02
        def fails(file):
            try:
                file.read()
            except BlockingIOError:
                return
            raise AssertionError("it read")
        for read in (
            lambda file: file.read(),
            lambda file: file.readline() + file.read(1) + file.read(),
            lambda file: "".join(file) if {mode!r} == "r" else b"".join(file),
        ):
            reading, writing = os.pipe()
            os.set_blocking(reading, False)
            with graceful.open(reading, {mode!r}) as file:
                fails(file)
                for part in (b"ab", b"c\\n"):
                    os.write(writing, part)
                    fails(file)
                    fails(file)
                os.write(writing, b"def")
                os.close(writing)
                found = read(file)
                assert found in ("abc\\ndef", b"abc\\ndef") and not file.read(), found
    """)


def test_a_plain_file_is_read_from_where_it_was_after_it_was_too_long(limited) -> None:
    """One of a file system that says EAGAIN: also what was sought is found."""
    limited("""
        from fsworkers.graceful import raw
        raw.PATIENCE_S = 0.02
        content = os.urandom(100_000)
        with open(FILE, "wb") as file: file.write(content)
        def read(number, most_bytes):
            data = original(number, most_bytes) if left else b""
            if not data: raise BlockingIOError(errno.EAGAIN, "later")
            left.pop()
            return data
        original, raw._read = raw._read, read
        for first in (1, 2):
            with graceful.open(FILE, "rb") as file:
                left = [None] * first
                try:
                    file.read()
                except BlockingIOError:
                    assert file.tell() == 0
                else:
                    raise AssertionError("it read")
                raw._read = original
                assert file.read() == content and file.tell() == 100_000
                assert file.seek(50_000) and file.read() == content[50_000:]
                raw._read = read
    """)


def test_without_a_buffer_it_is_as_ever(limited) -> None:
    """A raw file answers ``None`` at once: its reader asked for that."""
    limited("""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        with graceful.open(reading, "rb", buffering=0) as file:
            assert file.read(1) is None and file.readall() is None
        os.close(writing)
    """)


@traced
@pytest.mark.parametrize("size", [0, 4096, 65_536, 200_000])
@pytest.mark.parametrize("first", [1, 2, 3])
@pytest.mark.parametrize("is_last_long", [False, True])
def test_a_file_system_that_says_eagain(
    limited, tmp_path: Path, size: int, first: int, is_last_long: bool
) -> None:
    """Some do of plain files: every way to read one goes on until all is there."""
    limited(
        f"""
        from fsworkers.graceful import aio, raw
        raw._is_last_long = {is_last_long}
        data = os.urandom({size})
        with open(FILE, "wb") as file: file.write(data)
        def copied(file):
            return b"".join(iter(lambda: file.read(1000), b""))
        for read in (lambda file: file.read(), copied, lambda file: b"".join(file)):
            with graceful.open(FILE, "rb") as file:
                assert read(file) == data
        with graceful.open(FILE, encoding="latin-1") as file:
            assert file.read() == io.TextIOWrapper(io.BytesIO(data), "latin-1").read()
        async def main():
            assert await aio.read_bytes(FILE) == data
            assert len(await aio.read_text(FILE, "latin-1", newline="")) == len(data)
        asyncio.run(main())
        assert lent() == 0
    """,
        wrapper=inject(tmp_path / "file", f"error=EAGAIN:when={first}+3", "read"),
    )


def test_one_end_is_enough_for_a_terminal(limited) -> None:
    """There it does not last: also after a long file it is not looked for twice."""
    limited("""
        import pty
        def ask():
            keyboard, screen = pty.openpty()
            with graceful.open(os.ttyname(screen), "rb") as terminal:
                got = []
                reader = threading.Thread(target=lambda: got.append(terminal.read()), daemon=True)
                reader.start()
                os.write(keyboard, b"hello" + bytes([10, 4]))
                reader.join(10)
                assert got == [b"hello" + bytes([10])], got
            os.close(keyboard); os.close(screen)
        ask()
        with open(FILE, "wb") as file: file.write(b"x" * 200_000)
        with graceful.open(FILE, "rb") as file: assert len(file.read()) == 200_000
        ask()
        assert lent() == 0
    """)
