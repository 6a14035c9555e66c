"""The live line on a real terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import termios
from typing import TYPE_CHECKING

import pytest

from tests.integration.cli.test_process import FSWORKERS

if TYPE_CHECKING:
    from pathlib import Path

CLEAR = "\r\x1b[2K"

TASK = """
import os, sys, threading
def work(path):
    number = int(os.path.basename(path))
    if number == 12:
        print("a word from a task", flush=True)
    if number == 5:
        raise ValueError("five")
    threading.Event().wait(0.05)
def name(path, text):
    return text
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with twenty files and a slow task."""
    (tmp_path / "tree").mkdir()
    for number in range(20):
        (tmp_path / "tree" / str(number)).touch()
    (tmp_path / "task.py").write_text(TASK)
    return tmp_path


def on_terminal(
    place: Path, *arguments: str, stdout: int | None = None, interrupt: bool = False
) -> tuple[int, str]:
    """Run over the tree with a terminal as stderr; the exit code and what it was sent.

    Args:
        place: Where.
        arguments: Further ones.
        stdout: Likewise the terminal, if none is given.
        interrupt: Send SIGINT as soon as a line is there.
    """
    call = () if {"--call", "-x"} & {*arguments} else ("--call", "task:work")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 70))
    run = subprocess.Popen(
        [*FSWORKERS, "process", "tree", "-k", "-j1", *call, *arguments],
        cwd=place,
        stdin=subprocess.DEVNULL,
        stdout=theirs if stdout is None else stdout,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm"},
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
            if interrupt and b"\x1b[2K" in shown:
                run.send_signal(signal.SIGINT)
                interrupt = False
    except OSError:
        pass  # Linux ends a terminal that nobody holds any more with EIO
    os.close(ours)
    return run.wait(10), shown.decode().replace("\r\n", "\n")


def test_the_line_is_cleared_before_every_message(place: Path) -> None:
    """Of a task, or at the end: nothing stands before it, and nothing of the line is left."""
    code, shown = on_terminal(place, "-o", "o.jsonl")
    assert code == 1
    assert "1 failed" in shown
    assert f"{CLEAR}a word from a task\n{CLEAR}" in shown
    assert f"{CLEAR}failed: tree/5: ValueError: five\n20 files: 19 done, 1 failed" in shown
    assert all(len(one) < 70 for one in shown.split(CLEAR) if "\n" not in one)
    assert not (shown.rpartition(CLEAR)[2]).startswith("20 files,")


def test_ctrl_c_clears_the_line(place: Path) -> None:
    """What is said at once, from within the handler, has a line for itself."""
    code, shown = on_terminal(place, "-o", "o.jsonl", interrupt=True)
    assert code == 130
    assert f"{CLEAR}fsworkers: interrupted: finishing what runs" in shown
    assert shown.partition("interrupted: 20")[0].endswith((CLEAR, "kill it\n"))


def test_no_line_where_results_are_shown(place: Path) -> None:
    """Results on the same terminal would be torn; ``--progress`` asks for it all the same."""
    assert CLEAR not in on_terminal(place, "-o", "-")[1]
    assert CLEAR not in on_terminal(place, "-o", "/dev/stdout")[1]
    assert CLEAR in on_terminal(place, "-o", "-", "--progress")[1]
    assert CLEAR not in on_terminal(place, "--no-progress", "-o", "o.jsonl")[1]


def test_no_line_beside_a_pager(place: Path) -> None:
    """``| less`` has the terminal, also when results go elsewhere; a file has not."""
    reader, writer = os.pipe()
    assert CLEAR not in on_terminal(place, stdout=writer)[1]
    assert CLEAR not in on_terminal(place, "-o", "o.jsonl", stdout=writer)[1]
    assert CLEAR not in on_terminal(place, "-o", f"/dev/fd/{writer}", stdout=writer)[1]
    os.close(writer)
    os.close(reader)
    assert CLEAR in on_terminal(place, stdout=subprocess.DEVNULL)[1]
    with (place / "o.jsonl").open("wb") as file:
        assert CLEAR in on_terminal(place, stdout=file.fileno())[1]


def test_a_person_gets_a_table_when_the_line_has_gone(place: Path) -> None:
    """Of the first results, in the width of the terminal; what it says beside goes to stderr."""
    for number in range(20, 30):
        (place / "tree" / f"{number}").touch()
    (place / "tree" / f"5{'x' * 90}").touch()
    code, shown = on_terminal(place, "--call", "task:name", "--option", "text=\x1b[31m")
    assert code == 0
    table = shown.rpartition(CLEAR)[2].splitlines()
    assert table[0].split() == ["path", "bytes", "value"]
    assert len(table) == 23
    assert all(len(line) < 71 for line in table)
    assert all(line.endswith(("\\x1b[31m", "…")) for line in table[1:21])
    assert table[21] == "… and 11 more; -o FILE keeps all"
    assert table[22].startswith("31 files: 31 done; ")


def test_the_line_erases_nothing_that_commands_write(place: Path) -> None:
    """To stdout or stderr, also where no newline follows."""
    script = 'sleep 0.15; printf "<out $1>"; printf "<err $1>" >&2'
    code, shown = on_terminal(place, "--limit", "4", "-x", "sh", "-c", script, "sh", "{/}")
    assert code == 0
    assert CLEAR in shown
    for wrote in ("out", "err"):
        assert shown.count(f"<{wrote} ") == 4
    assert f">{CLEAR}" not in shown
