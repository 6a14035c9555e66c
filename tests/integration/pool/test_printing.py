"""What tasks print: where it goes, and that no line is torn."""

from __future__ import annotations

import io
import subprocess
import sys
import textwrap
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout

import pytest

from fsworkers import Pool


def shout(number: int) -> None:
    """Lines that no pipe takes at once, from several workers and threads."""
    print("out", str(number) * 9000)
    print("err", str(number) * 9000, file=sys.stderr)


@pytest.mark.parametrize("slots", [1, 4])
def test_lines_are_whole(slots: int) -> None:
    """Long lines of several workers and threads arrive one by one, each where it was printed."""
    with (
        redirect_stdout(io.StringIO()) as out,
        redirect_stderr(io.StringIO()) as err,
        Pool(2, slots=slots) as pool,
    ):
        list(pool.map(shout, [n % 10 for n in range(200)]))
    for name, stream in (("out", out), ("err", err)):
        lines = Counter(stream.getvalue().splitlines())
        assert lines == {f"{name} {str(digit) * 9000}": 20 for digit in range(10)}


def test_everything_a_task_prints_arrives() -> None:
    """Parts of lines, bytes, what its children print, and the last words of a worker that dies."""

    def speaks(how: str) -> None:
        import os
        import sys

        if how == "part":
            print("no end", end="")
        elif how == "bytes":
            sys.stdout.buffer.write("né\n".encode())
        elif how == "child":
            os.system("echo child")
        else:
            print("last words")
            os._exit(1)

    with redirect_stdout(io.StringIO()) as out, Pool(1, max_deaths=1) as pool:
        list(pool.map(speaks, ["bytes", "child", "dies", "part"]))
    assert set(out.getvalue().splitlines()) == {"child", "last words", "no end", "né"}


def test_stream_that_takes_nothing_ends_no_pool() -> None:
    """The caller's stdout is closed, its stderr has no encoding for it: all is done."""
    script = r"""
        import sys
        from fsworkers import Pool
        def speak(n):
            print("to a closed stream")
            print("\u1234", file=sys.stderr)
        sys.stdout.close()
        with Pool(2) as pool:
            done = [one.status for one in pool.map(speak, range(100))]
        sys.exit(done != ["done"] * 100)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={"PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0", "LC_ALL": "C"},
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"\\u1234\n" * 100)
