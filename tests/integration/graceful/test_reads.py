"""Reads: whole files in fewer calls, and what does not block answers as the builtin's files do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from fsworkers import graceful
from fsworkers.graceful.opening import raw_file
from tests.integration.graceful.test_faults import can_trace, inject

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeAlias

    # What is written before each use of the file, ``None`` for the end, which comes last.
    Steps: TypeAlias = list[tuple[bytes | None, Callable[[Any], Any]]]


def into(file: Any) -> tuple[int | None, bytes]:
    """``readinto`` and what is in the buffer then."""
    buffer = bytearray(10)
    return file.readinto(buffer), bytes(buffer)


def rest(file: Any) -> Any:
    """A read to the end."""
    return file.read()


def lines(file: Any) -> Any:
    """What an iteration gives."""
    return list(file)


SCRIPTS: dict[str, Steps] = {
    "read": [(b"", rest), (b"one\ntwo", rest), (b"", rest), (b"three", rest), (None, rest)],
    "read a long one": [(b"x" * 60_000, rest), (b"", rest), (b"y" * 65_536, rest), (None, rest)],
    "read on": [(b"x" * 50_000, rest), (b"y" * 9_000, rest), (None, rest)],
    "read(n)": [
        (b"", lambda file: file.read(4)),
        (b"one\ntwo", lambda file: file.read(4)),
        (b"", lambda file: file.read(10)),
        (b"", lambda file: file.read(10)),
        (b"three", lambda file: file.read(2)),
        (None, lambda file: file.read(10)),
    ],
    "readline": [
        (b"", lambda file: file.readline()),
        (b"one\ntwo", lambda file: file.readline()),
        (b"", lambda file: file.readline()),
        (b"\nthree", lambda file: file.readline()),
        (b"", rest),
        (None, lambda file: file.readline()),
    ],
    "iteration": [(b"", lines), (b"one\ntwo\nth", lines), (b"ree\n", lines), (None, lines)],
    "readlines": [
        (b"one\ntwo", lambda file: file.readlines()),
        (None, lambda file: file.readlines()),
    ],
    "readinto": [
        (b"", into),
        (b"x" * 15, into),
        (b"", into),
        (b"", into),
        (b"y", into),
        (None, into),
    ],
    "peek": [
        (b"", lambda file: file.peek(1)),
        (b"one\ntwo", lambda file: file.peek(1)),
        (b"", lambda file: file.read1(2)),
        (b"three", rest),
        (b"", lambda file: file.read1(2)),
        (None, rest),
    ],
}


def answers(open_file: Any, arguments: tuple[Any, ...], steps: Steps) -> list[Any]:
    """What a file on the reading end of a pipe says, step by step; of an error its kind."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    said: list[Any] = []
    with open_file(reading, *arguments) as file:
        for data, use in steps:
            if data is None:
                os.close(writing)
            elif data:
                assert os.write(writing, data) == len(data)
            try:
                said.append(use(file))
            except Exception as error:  # noqa: BLE001 - compared
                said.append(type(error))
    return said


@pytest.mark.parametrize("arguments", [("rb",), ("r",), ("rb", 0), ("rb", 7)], ids=str)
@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("is_last_long", [False, True])
def test_what_does_not_block_answers_as_the_builtin(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[Any, ...], name: str, is_last_long: bool
) -> None:
    """What is there, then ``None``; whichever way the last whole file has been read."""
    monkeypatch.setattr(raw_file, "_is_last_long", is_last_long)
    ours = answers(graceful.open, arguments, SCRIPTS[name])
    assert ours == answers(open, arguments, SCRIPTS[name])


def test_a_raw_readall_answers_as_the_builtin() -> None:
    """Also where it is called by that name, which no buffer is above."""
    steps: Steps = [(data, lambda file: file.readall()) for data in (b"", b"ab", b"", b"c", None)]
    found = answers(graceful.open, ("rb", 0), steps)
    assert found == answers(open, ("rb", 0), steps) == [None, b"ab", None, b"c", b""]


def test_a_childs_output_is_read_without_waiting(limited) -> None:
    """What it has said so far, then ``None``, and ``b""`` at its end, as of the standard one."""
    limited("""
        graceful.install()
        import subprocess
        code = "import sys; print('ready', flush=True); sys.stdin.read()"
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            os.set_blocking(child.stdout.fileno(), False)
            said = []
            wait_for(lambda: said.append(child.stdout.read()) or said[-1])
            assert said[-1] == b"ready\\n" and set(said[:-1]) <= {None}, said
            assert child.stdout.read() is None and child.stdout.read(5) is None
            child.stdin.close()
            child.wait()
            assert child.stdout.read() == b""
        assert lent() == 0
    """)


def test_a_coroutine_gets_the_same_answers(limited) -> None:
    """The asynchronous face has the same files."""
    limited("""
        from fsworkers.graceful import aio
        reading, writing = graceful.os.pipe()
        os.set_blocking(reading, False)
        async def main():
            async with aio.open(reading, "rb") as file:
                assert await file.read() is None
                os.write(writing, b"x" * 5000)
                assert await file.read(4000) == b"x" * 4000
                assert await file.read() == b"x" * 1000
                assert await file.read() is None
                graceful.os.close(writing)
                assert await file.read() == b""
        asyncio.run(main())
        assert lent() == 0
    """)


@pytest.mark.skipif(not can_trace(), reason="strace is not here or may not trace")
@pytest.mark.parametrize("is_last_long", [False, True])
def test_a_file_system_that_says_eagain(limited, tmp_path: Path, is_last_long: bool) -> None:
    """Some do of plain files: ``None``, and the next read has all; ``read_bytes`` fails."""
    limited(
        f"""
        from fsworkers.graceful import aio
        from fsworkers.graceful.opening import raw_file
        raw_file._is_last_long = {is_last_long}
        data = os.urandom(4096)
        with open(FILE, "wb") as file: file.write(data)
        with graceful.open(FILE, "rb") as file:
            assert file.read() is None and file.read() == data
        async def main():
            try:
                await aio.read_bytes(FILE)
            except BlockingIOError as error:
                assert error.errno == errno.EAGAIN and error.filename == FILE
            else:
                raise AssertionError("it read")
        asyncio.run(main())
        assert lent() == 0
    """,
        wrapper=inject(tmp_path / "file", "error=EAGAIN:when=1", "read"),
    )


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
