"""What the live line says, and how it makes room for messages."""

from __future__ import annotations

import os
from io import StringIO

import pytest
from msgspec.structs import replace

from fsworkers.cli import display
from fsworkers.cli.display import CLEAR_LINE, LiveLine, Long, Look, fitted, rows_of
from fsworkers.pool.statistics import AtWork
from fsworkers.sinks.output import Output

LOOK = Look(
    ended=12_345,
    failed=638,
    total=39_908,
    new=12_000,
    new_bytes=48_000_000,
    seconds=4.0,
    workers=2,
    waiting=3,
)


def test_everything_is_said_where_there_is_room() -> None:
    """How far it is, what went wrong, how fast, how long it will take, and who waits."""
    assert fitted(LOOK, 200) == (
        "12,345 of 39,908 files (30%), 638 failed, 3,000 files/s, 12.0 MB/s, 0:09 left, "
        "2 workers, 3 waiting for a descriptor"
    )


def test_what_is_not_known_or_does_not_matter_is_left_out() -> None:
    """No total while the scan goes on, no failures and no descriptors where there are none."""
    look = replace(LOOK, total=None, failed=0, waiting=0, workers=1)
    assert fitted(look, 200) == "12,345 files so far, 3,000 files/s, 12.0 MB/s, 1 worker"


def test_a_long_run_tells_hours() -> None:
    """Minutes alone are hard to read beyond sixty."""
    assert "2:45:20 left" in fitted(replace(LOOK, total=12_345 + 9920, new=4), 200)


def test_what_takes_long_is_named() -> None:
    """A line a worker, the end of the name where it is long; letters of two columns count so."""
    long = [Long(0, 75.0, "a/大きい.tif"), Long(3, 2.0, "a/b/c.tif", others=63)]
    assert rows_of(long, 8, 80) == [
        "  worker 0: 1:15 on a/大きい.tif", "  worker 3: 0:02 on a/b/c.tif and 63 more",
    ]  # fmt: skip
    assert rows_of(long, 8, 29) == [
        "  worker 0: 1:15 on …きい.tif",
        "  worker 3: 0:02 on ",
    ]


def test_each_worker_has_one_line_whatever_it_runs_side_by_side() -> None:
    """What takes no second is not named; of a call with many files the first is."""
    at_work = [
        AtWork(1, "b\n", 1.5),
        AtWork(0, "fast", 0.9),
        AtWork(1, "a", 4.0),
        AtWork(2, ("c", "d"), 2.0),
    ]
    assert display._long(at_work) == (Long(1, 4.0, "a", others=1), Long(2, 2.0, "c"))


def test_of_many_workers_the_longest_have_a_line() -> None:
    """Each in its place, and the last line tells how many more there are."""
    long = [Long(number, float(number % 7), "x") for number in range(20)]
    assert rows_of(long, 4, 80) == [
        *(f"  worker {number}: 0:0{number % 7} on x" for number in (5, 6, 13)),
        "  … 17 more",
    ]
    for most in range(10):
        for width in range(30):
            rows = rows_of(long, most, width)
            assert len(rows) <= most
            assert all(len(row) <= width for row in rows)


def test_lines_below_are_drawn_over_and_cleared(screen: list[bytes]) -> None:
    """Those that are fewer than before leave nothing behind."""
    line = LiveLine(StringIO())
    line.draw("1 file", "one", "two")
    line.draw("2 files", "one")
    line.draw("3 files", "one")
    line.write("oh\n")
    assert screen == [
        CLEAR_LINE + b"1 file\n" + CLEAR_LINE + b"one\n" + CLEAR_LINE + b"two",
        b"\x1b[2A" + CLEAR_LINE + b"2 files\n" + CLEAR_LINE + b"one\x1b[J",
        b"\x1b[1A" + CLEAR_LINE + b"3 files\n" + CLEAR_LINE + b"one",
        b"\r\x1b[1A\x1b[J",
    ]


def test_narrow_terminals_keep_what_matters() -> None:
    """It never is wider than the terminal; the failures go last but for the count itself."""
    least = "12,345 of 39,908 files (30%), 638 failed"
    for width in range(1, 130):
        line = fitted(LOOK, width)
        assert len(line) <= width
        assert line.startswith("12,345 of 39,908 files (30%)"[:width])
        assert ("638 failed" in line) == (width >= len(least))
    assert fitted(LOOK, 70) == f"{least}, 3,000 files/s, 0:09 left"


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is written past the stream."""
    written: list[bytes] = []
    monkeypatch.setattr(os, "write", lambda number, data: written.append(data))
    return written


def test_a_message_clears_the_line_and_the_next_look_shows_it_again(screen: list[bytes]) -> None:
    """Between two messages without a look there is nothing to clear."""
    stream = StringIO()
    line = LiveLine(stream)
    line.draw("1 file")
    line.write("oh\n")
    line.write("no\n")
    line.draw("2 files")
    line.clear()
    assert screen == [CLEAR_LINE + b"1 file", CLEAR_LINE, CLEAR_LINE + b"2 files", CLEAR_LINE]
    assert stream.getvalue() == "oh\nno\n"


def test_half_a_line_of_others_is_not_drawn_over(screen: list[bytes]) -> None:
    """A task's own bar, which ends without a newline, stays until it ends."""
    line = LiveLine(StringIO())
    line.write("loading…")
    line.draw("1 file")
    assert screen == []
    line.write(" done\n")
    line.draw("2 files")
    assert screen == [CLEAR_LINE + b"2 files"]


def test_only_foreground_processes_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal whose shell has sent us behind is the shell's."""
    monkeypatch.setattr(os, "tcgetpgrp", lambda _number: os.getpgrp() + 1)
    assert not display._is_in_foreground()


def test_what_commands_write_stands_above_the_line(screen: list[bytes]) -> None:
    """On a terminal for both; half a line of it is not drawn over."""
    line = LiveLine(StringIO())
    taken = Taken()
    output = Output(taken, "stdout", is_regular=False, is_owned=False)
    output.making_way = line.making_way
    line.draw("1 file")
    output.write(b"hello\nwor")
    line.draw("2 files")
    assert (taken.data, screen) == (b"hello\nwor", [CLEAR_LINE + b"1 file", CLEAR_LINE])
    output.write(b"ld\n")
    line.draw("2 files")
    assert screen[2:] == [CLEAR_LINE + b"2 files"]


class Taken:
    """Takes what is written."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes | memoryview, /) -> int:
        """Take all of it."""
        self.data += data
        return len(data)

    def fileno(self) -> int:
        """There is none."""
        return -1

    def close(self) -> None:
        """Nothing is open."""
