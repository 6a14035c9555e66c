"""``--to`` as a user types it: which outputs are up to date, and which are somebody else's."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from fsworkers import Command, process_tree
from fsworkers.errors import BadOption
from tests.integration.cli.test_commands import wait_until
from tests.integration.cli.test_process import FSWORKERS, fsworkers


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with three files in a tree."""
    for name in "abc":
        (tmp_path / "t").mkdir(exist_ok=True)
        (tmp_path / "t" / f"{name}.txt").write_text(f"{name}\n" * 9)
    return tmp_path


def made(tree: Path, script: str, *paths: str, to: str = "o/{rel}") -> bytes:
    """What a run says of how many it made, of a script that gets a file and its output."""
    command = ["-x", "sh", "-c", script, "sh", "{}", "{out}"]
    done = fsworkers("process", *(paths or ("t",)), "--to", to, *command, cwd=tree)
    assert done.returncode == 0, done.stderr
    return done.stderr.split(b": ", 1)[1].split(b" in ")[0]


HEAD = 'head -n {} "$1" > "$2"'
KEEPS_TIMES = '{} "$1" > "$2"; touch -r "$1" "$2"'


def test_what_another_command_made_in_its_place_is_not_up_to_date(tree: Path) -> None:
    """And an ordinary repeat is, as often as one likes."""
    for count in (5, 7, 5):
        for said in (b"3 done", b"3 skipped", b"3 skipped"):
            assert said in made(tree, HEAD.format(count))
        assert (tree / "o" / "a.txt").read_text() == "a\n" * count


def test_nor_where_both_keep_the_times_of_their_input(tree: Path) -> None:
    """And make the same number of bytes."""
    for program in ("tr a b <", "tr a c <", "tr a b <"):
        for said in (b"3 done", b"3 skipped"):
            assert said in made(tree, KEEPS_TIMES.format(program))


def test_nor_where_it_made_some_of_them_by_another_path_and_name(tree: Path) -> None:
    """Without a record of it, even."""
    assert b"3 done" in made(tree, HEAD.format(5))
    other = ["--to", "o/b.txt", "-x", "sh", "-c", 'echo other > "$1"', "sh", "{out}", "{}"]
    fsworkers("process", "t/a.txt", "--no-journal", *other, cwd=tree)
    assert b"1 done, 2 skipped" in made(tree, HEAD.format(5))
    assert (tree / "o" / "b.txt").read_text() == "b\n" * 5


def test_what_a_killed_run_made_is_up_to_date(tree: Path) -> None:
    """For the one that is begun anew, and after it was resumed."""
    script = '[ "$1" != t/c.txt ] || while [ -e hang ]; do sleep 0.05; done; ' + HEAD.format(5)
    (tree / "hang").touch()
    words = ["-x", "sh", "-c", script, "sh", "{}", "{out}"]
    run = subprocess.Popen(
        [*FSWORKERS, "process", "t", "-j2", "--to", "o/{rel}", "-o", "-", *words],
        cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with run:
        assert run.stdout is not None
        try:
            for _ in range(2):
                run.stdout.readline()
        finally:
            run.kill()
    (tree / "hang").unlink()
    assert b"1 done, 2 skipped" in made(tree, script)
    resumed = fsworkers("resume", cwd=tree)
    assert resumed.returncode == 0, resumed.stderr
    assert b"3 skipped" in made(tree, script)


def test_what_was_made_at_the_second_attempt_is_up_to_date(tree: Path) -> None:
    """Such outcomes are recorded in another way."""
    script = 'mkdir "$1.d" 2> /dev/null && exit 9; ' + HEAD.format(5)
    words = ["-x", "sh", "-c", script, "sh", "{}", "{out}", ";", "--to", "o/{rel}"]
    for said in (b"3 done", b"3 skipped"):
        done = fsworkers("process", "t", *words, "--retries=1", "--retry-on=9", cwd=tree)
        assert said in done.stderr


def test_functions_and_commands_do_not_take_each_others_outputs_for_theirs(tree: Path) -> None:
    """A function's are known in the same way."""
    (tree / "own.py").write_text(
        "def make(path, output):\n    with open(output, 'w') as file:\n        file.write('own')\n"
    )
    call = ["process", "t", "--to", "o/{rel}", "-o", "r.jsonl", "--call", "own.py:make"]
    for said in (b"3 done", b"3 skipped"):
        assert said in fsworkers(*call, cwd=tree).stderr
    assert b"3 done" in made(tree, HEAD.format(5))
    assert b"3 done" in fsworkers(*call, cwd=tree).stderr
    assert (tree / "o" / "a.txt").read_text() == "own"


ODD = [b" a 'b' $c ", b"\\-d\xff", b"e"]

HALVES = """import os, threading
def make(path, output):
    with open(output, "w") as file:
        file.write("half")
    if os.environ.get("FAILS") in path:
        raise ValueError
    threading.Event().wait(60)
"""


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A folder with a tree of odd names."""
    (tmp_path / "t").mkdir()
    for name in ODD:
        (tmp_path / "t" / os.fsdecode(name)).touch()
    (tmp_path / "own.py").write_text(HALVES)
    return tmp_path


COMMAND = ["-x", "sh", "-c", 'echo half > "$1"; sleep 60', "sh", "{out}", "{}"]
CALL = ["-o", "r.jsonl", "--call", "own.py:make"]


@pytest.mark.parametrize("task", [COMMAND, CALL], ids=["command", "call"])
@pytest.mark.parametrize(
    "signals", [["SIGINT", "SIGINT"], ["SIGTERM", "SIGTERM"], ["SIGHUP"], ["SIGKILL"]]
)
def test_no_half_output_outlives_its_run(odd: Path, task: list[str], signals: list[str]) -> None:
    """Whatever ends that."""
    run = subprocess.Popen(
        [*FSWORKERS, "process", "t", "-j3", "--to", "o/{rel}", *task],
        cwd=odd, stderr=subprocess.PIPE, env={**os.environ, "FAILS": "none"},
    )  # fmt: skip
    with run:
        assert run.stderr is not None
        try:
            wait_until(lambda: len(list(odd.glob("o/.fsworkers-*"))) == 3)
            for name in signals:
                run.send_signal(signal.Signals[name])
                if name == signals[0] and len(signals) > 1:
                    run.stderr.readline()
            wait_until(lambda: list((odd / "o").iterdir()) == [])
        finally:
            run.kill()


def test_no_half_output_is_left_by_workers_that_are_killed(odd: Path) -> None:
    """Where a file took too long, or the run was given up."""
    run = ["process", "t", "-j3", "--to", "o/{rel}", *CALL]
    late = fsworkers(*run, "--timeout=1", cwd=odd, FAILS="none")
    assert b"3 timed out" in late.stderr
    assert list((odd / "o").iterdir()) == []
    halted = fsworkers(*run, "--halt=now,fail=1", cwd=odd, FAILS="e")
    assert b"1 failed, 2 cancelled" in halted.stderr
    wait_until(lambda: list((odd / "o").iterdir()) == [])


def test_what_would_become_itself_is_refused(tree: Path) -> None:
    """Before anything runs, from the command line and in Python."""
    command = ["-x", "cp", "{}", "{out}", "--to"]
    for paths, template in ((["t"], "{.}.txt"), (["./t"], "t/{/.}.txt")):
        refused = fsworkers("process", *paths, *command, template, cwd=tree)
        assert refused.returncode == 2
        (line,) = refused.stderr.decode().splitlines()[:1]
        assert line.startswith(f"fsworkers: --to {template}: '{paths[0]}/")
        assert "would become itself; give it an output of another name" in line
    with pytest.raises(BadOption, match="would become itself"):
        process_tree(tree / "t", Command(["cp", "{}", "{out}"], to="{.}.txt"))


def test_a_dry_run_lists_what_a_run_would_do_and_refuses_what_it_would(tree: Path) -> None:
    """Like ``make -n``: nothing that is up to date or unchanged."""
    run = ["process", "t", "--journal", "j.db", "--to", "o/{rel}", "-x", "cp", "{}", "{out}"]
    dry = [*run[:1], "-n", *run[1:]]
    everything = [f"cp t/{name}.txt o/{name}.txt" for name in "abc"]
    assert sorted(fsworkers(*dry, cwd=tree).stdout.decode().splitlines()) == everything
    assert not (tree / "j.db").exists()
    assert fsworkers(*run, cwd=tree).returncode == 0
    assert fsworkers(*dry, cwd=tree).stdout == b""
    assert len(fsworkers(*dry[:2], "--always", *dry[2:], cwd=tree).stdout.splitlines()) == 3
    (tree / "t" / "b.txt").write_text("new")
    (tree / "o" / "c.txt").unlink()
    listed = sorted(fsworkers(*dry, cwd=tree).stdout.decode().splitlines())
    assert listed == everything[1:]
    (tree / "t" / "d").mkdir()
    (tree / "t" / "d" / "a.txt").touch()
    refused = fsworkers(*dry[:5], "--to", "o/{/}", *dry[7:], cwd=tree)
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert b"would both become 'o/a.txt'" in refused.stderr


def test_a_dry_run_with_changed_lists_what_is_new_or_changed(tree: Path) -> None:
    """With the journal that the run would look into."""
    run = ["process", "t", "-o", "r.jsonl"]
    assert fsworkers(*run, cwd=tree).returncode == 0
    assert len(fsworkers(*run, "-n", cwd=tree).stdout.splitlines()) == 3
    assert fsworkers(*run, "-n", "--changed", cwd=tree).stdout == b""
    (tree / "t" / "b.txt").write_text("new")
    assert fsworkers(*run, "-n", "--changed", cwd=tree).stdout == b"t/b.txt\n"


def test_a_command_that_names_its_outputs_itself_makes_them_once_too(tree: Path) -> None:
    """As where ``process_tree`` is told of them."""
    command = Command(["cp", "{}", "{out}"], to=f"{tree}/o/{{rel}}")
    for skipped in (0, 3):
        done = process_tree(tree / "t", command, journal=tree / "j.db")
        assert done.skipped == skipped
    (tree / "o" / "b.txt").unlink()
    assert process_tree(tree / "t", command, journal=tree / "j.db").done == 1
    assert process_tree(tree / "t", command, journal=tree / "j.db", always=True).done == 3
    bare = Command(["cp", "{}", "{out}"])
    told = process_tree(tree / "t", bare, to=f"{tree}/o/{{rel}}", journal=tree / "j.db")
    assert told.skipped == 3  # the same command


def test_runs_over_other_trees_do_not_hide_the_one_that_made_them(tree: Path) -> None:
    """A loop over seven trees finds all of each up to date, also where PATHs lie in one another."""
    trees = [f"u/{number}" for number in range(7)]
    for name in trees:
        (tree / name).mkdir(parents=True)
        (tree / name / "file").write_text(name)
    for said in (b"1 done", b"1 skipped"):
        for name in trees:
            assert said in made(tree, "cp $1 $2", name, to="o/{}")
    assert b"1 skipped" in made(tree, "cp $1 $2", "u/3/file", to="o/{}")
    made(tree, "cp $1 $2", "u", to="o/{}")
    assert b"7 skipped" in made(tree, "cp $1 $2", "u", to="o/{}")


def test_outputs_within_the_tree_do_not_count_as_found(tree: Path) -> None:
    """Where so many of all files are wanted."""
    for name in map(str, range(50)):
        (tree / "t" / name).touch()
    command = ["t", "-n", "-e", "txt", "-x", "cp", "{}", "{out}", "--to", "t/o/{rel}"]
    (tree / "t" / "o").mkdir()
    for name in map(str, range(50)):
        (tree / "t" / "o" / f"{name}.txt").touch()
    for choice in ("--sample=3", "--limit=3"):
        assert len(fsworkers("process", choice, *command, cwd=tree).stdout.splitlines()) == 3
