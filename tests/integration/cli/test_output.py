"""What goes to stdout, as a user asks for it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.test_process import FSWORKERS, fsworkers, rows
from tests.integration.sinks.test_open import ODD_NAMES


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder of odd names, each with its number in it."""
    folder = tmp_path / "tree"
    folder.mkdir()
    for number, name in enumerate(ODD_NAMES):
        (folder / os.fsdecode(name)).write_bytes(b"%d" % number)
    return folder


def test_a_template_makes_lines_with_exact_names(tree: Path, tmp_path: Path) -> None:
    r"""``{path}\0`` is what ``xargs -0`` reads; a command's value has its columns."""
    done = fsworkers("process", "tree", "-q", "--format", r"{path}\0", cwd=tmp_path)
    assert sorted(done.stdout.split(b"\0")[:-1]) == sorted(b"tree/" + name for name in ODD_NAMES)
    done = fsworkers(
        "process", "tree", "-q", "--format", "{exit} {stdout}", "-x", "cat", cwd=tmp_path
    )
    assert sorted(done.stdout.splitlines()) == sorted(b"0 %d" % n for n in range(len(ODD_NAMES)))
    done = fsworkers("process", "tree", "-q", "--format", "{digest}{value}", cwd=tmp_path)
    assert {line[:64] == line[64:] for line in done.stdout.splitlines()} == {True}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("yaml", "jsonl, csv, raw, or a template of {path}, {value},"),
        ("{pth}", "there is no {pth}; there are {path}, "),
        ("{path", "a brace of its own is doubled"),
        ("sqlite", "jsonl, csv, raw, or a template"),
    ],
)
def test_formats_that_there_are_not(tmp_path: Path, given: str, words: str) -> None:
    """One line, before anything is begun."""
    (tmp_path / "a").touch()
    done = fsworkers("process", "a", "--format", given, cwd=tmp_path)
    lines = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout, len(lines)) == (2, b"", 1)
    assert words in lines[0]


def test_resumed_templates_tell_all(tree: Path, tmp_path: Path) -> None:
    """As a resumed run does in any format."""
    state = str(tmp_path / "state")
    again = fsworkers(
        "process", "tree", "-q", "--format", r"{path}\0", cwd=tmp_path, XDG_STATE_HOME=state
    )
    done = fsworkers("resume", "-q", cwd=tmp_path, XDG_STATE_HOME=state)
    assert sorted(done.stdout.split(b"\0")) == sorted(again.stdout.split(b"\0"))


@pytest.mark.parametrize("name", ["o.db", "o.jsonl"])
def test_two_runs_never_write_to_one_output(tmp_path: Path, name: str) -> None:
    """The second is refused before it begins; the first one's output is whole."""
    (tmp_path / "tree").mkdir()
    for number in range(3):
        (tmp_path / "tree" / str(number)).touch()
    (tmp_path / "task.py").write_text(
        "import os, threading\n"
        "def wait(path):\n"
        "    open('begun', 'w').close()\n"
        "    while not os.path.exists('go'): threading.Event().wait(0.01)\n"
    )
    command = ["process", "tree", "--call", "task:wait", "-o", name, "-q", "--no-journal"]
    first = subprocess.Popen([*FSWORKERS, *command], cwd=tmp_path, stderr=subprocess.PIPE)
    while not (tmp_path / "begun").exists():
        assert first.poll() is None
        os.sched_yield()
    second = fsworkers(*command, cwd=tmp_path)
    (tmp_path / "go").touch()
    assert (second.returncode, b"another run writes to it" in second.stderr) == (2, True)
    assert first.communicate(timeout=30)[1] == b""
    assert (first.returncode, (tmp_path / name).exists()) == (0, True)
    assert not (tmp_path / f"{name}.partial").exists()


def size_of(path: Path) -> int:
    """How large a file is; 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def test_an_interrupted_run_that_is_not_recorded_tells_what_there_is(tmp_path: Path) -> None:
    """``FILE.partial``, in the last line; FILE is what it was."""
    (tmp_path / "o.jsonl").write_text("earlier")
    (tmp_path / "tree").mkdir()
    for number in range(500):
        (tmp_path / "tree" / str(number)).touch()
    (tmp_path / "task.py").write_text(
        "import threading\ndef nap(path): threading.Event().wait(0.02)\n"
    )
    command = ["process", "tree", "--call", "task:nap", "-o", "o.jsonl", "--no-journal"]
    run = subprocess.Popen([*FSWORKERS, *command], cwd=tmp_path, stderr=subprocess.PIPE)
    partial = tmp_path / "o.jsonl.partial"
    # In one step: it is made and removed once before the run.
    while not size_of(partial):
        assert run.poll() is None
        os.sched_yield()
    run.send_signal(signal.SIGINT)
    said = run.communicate(timeout=30)[1].decode().splitlines()
    assert (run.returncode, said[-1]) == (130, f"so far there is {partial}")
    assert (tmp_path / "o.jsonl").read_text() == "earlier"
    assert {row["status"] for row in rows(partial.read_bytes())} == {"done", "cancelled"}


def test_what_a_module_prints_when_it_is_loaded_is_no_result(tmp_path: Path) -> None:
    """It goes to stderr, as what the function prints; and what is started goes there too."""
    (tmp_path / "loud.py").write_text(
        "import os\nprint('at import')\nos.system('echo started')\ndef name(path): return path\n"
    )
    for command in (["process"], ["process", "--dry-run"]):
        done = fsworkers(*command, "loud.py", "-q", "--call", "loud.py:name", cwd=tmp_path)
        assert done.returncode == 0
        assert len(done.stdout.splitlines()) == 1, done.stdout
        assert b"loud.py" in done.stdout
        assert {b"at import", b"started"} <= {*done.stderr.splitlines()}


@pytest.mark.parametrize("how", [["--format", "raw"], ["--tag"], ["--line-buffer", "--tag"]])
def test_a_file_beside_what_commands_show(tree: Path, tmp_path: Path, how: list[str]) -> None:
    """Outcomes in the file, their own output on stdout; failures too, and nothing is told twice."""
    script = 'cat "$1"; echo; ! grep -qx 3 "$1"'
    command = ["process", "tree", "-q", "-o", "o.jsonl", *how, "-x", "sh", "-c", script, "sh"]
    done = fsworkers(*command, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, b"")
    numbers = {str(number).encode() for number in range(len(ODD_NAMES))}
    shown = done.stdout.splitlines()
    assert sorted(line.rpartition(b"\t")[2] for line in shown) == sorted(numbers)
    assert {b"\t" in line for line in shown} == {"--tag" in how}
    recorded: list[Any] = rows((tmp_path / "o.jsonl").read_bytes())
    assert {row["value"]["stdout"].strip().encode() for row in recorded} == numbers
    assert [row["value"]["exit"] for row in recorded if row["status"] == "failed"] == [1]


def test_a_resumed_run_shows_what_is_left_and_has_all_in_its_file(tmp_path: Path) -> None:
    """And a file that is not whole is told of, where the reader of the other output goes."""
    (tmp_path / "tree").mkdir()
    for number in range(6):
        (tmp_path / "tree" / str(number)).touch()
    script = '[ "$1" = tree/0 ] || until [ -e go ]; do sleep 0.02; done; echo "$1"'
    (tmp_path / "list").write_text("".join(f"tree/{number}\n" for number in range(6)))
    command = ["process", "--files-from", "list", "-o", "o.jsonl", "--format", "raw", "-j1"]
    run = subprocess.Popen(
        [*FSWORKERS, *command, "--journal", "j.db", "-x", "sh", "-c", script, "sh"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert run.stdout.readline() == b"tree/0\n"
        run.stdout.close()
        (tmp_path / "go").touch()
        said = run.stderr.read()
        assert run.wait(30) == 3
    assert b"its reader has gone" in said
    assert b"so far there is" in said
    shown = fsworkers("show", "--json", "--journal", "j.db", cwd=tmp_path)
    before = sum(row["status"] == "done" for row in rows(shown.stdout))
    again = fsworkers("resume", "--journal", "j.db", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert len(again.stdout.splitlines()) == 6 - before
    assert len(rows((tmp_path / "o.jsonl").read_bytes())) == 6


def test_what_an_inline_function_prints_is_no_result(tmp_path: Path) -> None:
    """It runs in the process that writes results; they have stdout to themselves all the same."""
    (tmp_path / "loud.py").write_text("def name(path):\n    print('here')\n    return path\n")
    command = ["process", "loud.py", "-q", "--call", "loud.py:name", "--engine", "inline"]
    done = fsworkers(*command, cwd=tmp_path)
    assert ([row["value"] for row in rows(done.stdout)], done.stderr) == (["loud.py"], b"here\n")
