"""``resume``, ``retry``, ``runs``, ``show`` and ``--changed`` as a user types them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import msgspec
import psutil
import pytest

from fsworkers.journal.rows import unpack_rows
from tests.integration.journal.conftest import FSWORKERS, Workplace, rows

ODD_NAMES = [b"new\nline", b"not\xffutf8", b"\x1b[31mred", b"-dash", b"tab\there", b"n" * 250]


def interrupt(place: Workplace, *arguments: str) -> str:
    """Begin a run, press Ctrl-C in it, and give what it said."""
    master = place.start("process", "tree", "--call", "mine:slow", *arguments)
    place.wait_for_executed(20)
    master.send_signal(signal.SIGINT)
    _, stderr = master.communicate(timeout=20)
    assert master.returncode == 130
    return stderr.decode()


def test_interrupted_run_is_resumed_as_it_says(place: Workplace) -> None:
    """Ctrl-C prints the command; typed from elsewhere, it does the rest and no more."""
    place.make_files(500)
    said = interrupt(place, "-o", "out.jsonl", "--summary", "sum.json")
    before = place.executed()
    assert len(before) < 500
    so_far, command = said.splitlines()[-1].split("; resume with: fsworkers ")
    partial = place.root / "out.jsonl.partial"
    assert so_far == f"so far there is {partial}"
    assert {row["path"] for row in rows(partial.read_bytes())} >= set(before)
    assert not (place.root / "out.jsonl").exists()
    assert place.runs()[-1]["state"] == "interrupted"
    elsewhere = place.root / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [*FSWORKERS, *command.split()],
        cwd=elsewhere,
        env=place.environment,
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0
    assert f"500 files ({len(before)} of them done before): 500 done; " in done.stderr.decode()
    assert Counter(Counter(place.executed()).values()) == {1: 500}
    lines = rows((place.root / "out.jsonl").read_bytes())
    assert {line["status"] for line in lines} == {"done"}
    assert len({line["path"] for line in lines}) == len(lines) == 500
    assert not partial.exists()
    summary = json.loads((place.root / "sum.json").read_text())
    assert (summary["found"], summary["done"]) == (500, 500)
    assert summary["run"] in command


def test_second_interrupt_leaves_at_once(place: Workplace) -> None:
    """Workers are killed, nothing is left behind, and the run can still be resumed."""
    place.make_files(40)
    master = place.start("process", "tree", "--call", "mine:stuck", "-j2", "-o", "out.jsonl")
    place.wait_for_executed(2)
    below = psutil.Process(master.pid).children(recursive=True)
    assert master.stderr is not None
    master.send_signal(signal.SIGINT)
    assert b"once more to kill it" in master.stderr.readline()
    master.send_signal(signal.SIGINT)
    _, stderr = master.communicate(timeout=20)
    assert master.returncode == 130
    assert "resume with: fsworkers resume " in stderr.decode().splitlines()[-1]
    _, alive = psutil.wait_procs(below, timeout=5)
    assert not alive
    assert not list(place.temporary.iterdir())
    (place.root / "unstuck").touch()
    assert place.run("resume", "-q").returncode == 0
    assert len(rows((place.root / "out.jsonl").read_bytes())) == 40


def test_termination_is_one_interrupt(place: Workplace) -> None:
    """SIGTERM lets running jobs end, exits with 143, and tells how to resume."""
    place.make_files(300)
    master = place.start("process", "tree", "--call", "mine:slow", "-o", "out.jsonl")
    place.wait_for_executed(20)
    master.terminate()
    _, stderr = master.communicate(timeout=20)
    assert master.returncode == 143
    assert "resume with: fsworkers resume " in stderr.decode()
    lines = rows((place.root / "out.jsonl.partial").read_bytes())
    assert Counter(line["status"] for line in lines)["done"] == len(place.executed())


def test_missing_digests_do_not_ask_for_a_resume(place: Workplace) -> None:
    """The run has ended, though its values are no checksums."""
    place.make_files(2)
    done = place.run("process", "tree", "--call", "mine:logged", "-o", "out.sha256", "-q")
    assert done.returncode == 1
    assert b"resume" not in done.stderr
    assert place.runs()[0]["state"] == "finished"


def test_python_run_is_recorded_and_shown(place: Workplace) -> None:
    """``process_tree(journal=...)`` records; only the caller could go on with it."""
    place.make_files(3)
    program = (
        "from fsworkers import process_tree\n"
        "print(process_tree('tree', len, journal='j.db', engine='inline').found)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=place.root,
        env=place.environment,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"3\n"), done.stderr
    assert [row["value"] for row in place.shown("--journal", "j.db")] == [8, 8, 8]
    assert place.runs("--journal", "j.db")[0]["state"] == "finished"
    refused = place.run("resume", "--journal", "j.db")
    assert (refused.returncode, b"call process_tree again" in refused.stderr) == (2, True)


def test_resume_of_a_finished_run_has_nothing_to_do(place: Workplace) -> None:
    """It says so, writes the output anew, and its exit code is that of the whole run."""
    place.make_files(5)
    place.run("process", "tree", "--call", "mine:logged", "-o", "out.jsonl")
    written = rows((place.root / "out.jsonl").read_bytes())
    (place.root / "out.jsonl").unlink()
    done = place.run("resume")
    assert done.returncode == 0
    assert "there was nothing left to do in run" in done.stderr.decode()
    assert len(place.executed()) == 5
    again = rows((place.root / "out.jsonl").read_bytes())
    assert sorted(again, key=str) == sorted(written, key=str)


def test_changed_new_and_vanished_files_in_a_resume(place: Workplace) -> None:
    """What changed runs again, what is new runs, what vanished keeps its outcome."""
    place.make_files(4)
    place.run("process", "tree", "--call", "mine:logged", "-o", "out.csv", "-q")
    (place.root / "tree/0/1").write_text("changed")
    (place.root / "tree/0/2").unlink()
    (place.root / "tree/0/new").write_text("new")
    done = place.run("resume")
    assert done.returncode == 0
    assert Counter(place.executed()) == {
        "tree/0/0": 1, "tree/0/1": 2, "tree/0/2": 1, "tree/0/3": 1, "tree/0/new": 1,
    }  # fmt: skip
    table = list(csv.DictReader(io.StringIO((place.root / "out.csv").read_text())))
    assert [row["path"] for row in table] == [f"tree/0/{name}" for name in (0, 1, 2, 3, "new")]
    assert [row["size"] for row in table] == ["1", "7", "1", "1", "3"]
    assert b"5 files (3 of them done before): 5 done" in done.stderr


def test_retry_does_only_what_failed(place: Workplace) -> None:
    """Failures get another turn; the output has each file once, with its latest outcome."""
    place.make_files(3)
    for name in ("bad", "too bad"):
        (place.root / "tree" / name).write_text(name)
    first = place.run("process", "tree", "--call", "mine:picky", "-o", "out.jsonl")
    assert (first.returncode, place.runs()[0]["failed"]) == (1, 2)
    assert place.run("retry", "-q").returncode == 1
    (place.root / "good now").touch()
    done = place.run("retry")
    assert done.returncode == 0
    assert "5 files (3 of them done before): 5 done" in done.stderr.decode()
    assert Counter(Counter(place.executed()).values()) == {1: 3, 3: 2}
    lines = rows((place.root / "out.jsonl").read_bytes())
    assert {line["path"]: line["value"] for line in lines} == {
        "tree/0/0": 1, "tree/0/1": 1, "tree/0/2": 1, "tree/bad": 3, "tree/too bad": 7,
    }  # fmt: skip
    before = (place.root / "out.jsonl").stat().st_mtime_ns
    again = place.run("retry")
    assert (again.returncode, again.stdout) == (0, b"")
    assert b"nothing to retry" in again.stderr
    assert (place.root / "out.jsonl").stat().st_mtime_ns == before


def test_checksum_list_after_a_resume(place: Workplace) -> None:
    """A ``.sha256`` list is whole again, odd names included, and ``sha256sum -c`` takes it."""
    tree = place.root / "tree"
    tree.mkdir()
    for name in ODD_NAMES:
        Path(os.fsdecode(os.path.join(os.fsencode(tree), name))).write_bytes(name)
    place.run("process", "tree", "-o", "list.sha256", "-q")
    first = sorted((place.root / "list.sha256").read_bytes().split(b"  "))
    (place.root / "list.sha256").write_text("nonsense")
    assert place.run("resume", "-q").returncode == 0
    again = (place.root / "list.sha256").read_bytes()
    assert len(again.split(b"  ")) == len(first)
    check = subprocess.run(
        ["sha256sum", "-c", "--strict", "list.sha256"],
        cwd=place.root,
        capture_output=True,
        check=False,
    )
    assert (check.returncode, check.stdout.count(b"OK")) == (0, len(ODD_NAMES))


def test_odd_names_in_show(place: Workplace) -> None:
    """JSON has each name to the byte; text for people has no control character."""
    tree = place.root / "tree"
    tree.mkdir()
    for name in ODD_NAMES:
        Path(os.fsdecode(os.path.join(os.fsencode(tree), b"bad" + name[:240]))).touch()
    done = place.run("process", "tree", "--call", "os:listdir", "-q", "-o", "\udcff.jsonl")
    assert done.returncode == 1
    assert sorted(place.shown(), key=str) == sorted(
        rows((place.root / "\udcff.jsonl").read_bytes()), key=str
    )
    text = place.run("show", "--failed").stdout + place.run("runs").stdout
    assert text.count(b"NotADirectoryError") == len(ODD_NAMES)
    assert b"\x1b" not in text
    assert b"\\xff.jsonl" in text


def test_changed_skips_what_an_earlier_run_did(place: Workplace) -> None:
    """Also by another spelling of the path, from another directory, and along a chain of runs."""
    place.make_files(3)
    options = ("--call", "mine:logged", "--changed")
    assert place.run("process", "tree", *options, "-q").returncode == 0
    (place.root / "tree/0/1").write_text("changed")
    (place.root / "tree/0/new").write_text("new")
    done = place.run("process", "./tree/", *options)
    assert {row["path"]: (row["attempts"], row["value"]) for row in rows(done.stdout)} == {
        "./tree/0/0": (0, "TREE/0/0"), "./tree/0/1": (1, "./TREE/0/1"),
        "./tree/0/2": (0, "TREE/0/2"), "./tree/0/new": (1, "./TREE/0/NEW"),
    }  # fmt: skip
    assert {row["status"] for row in rows(done.stdout)} == {"done"}
    assert b"4 files: 2 done, 2 skipped (2 unchanged)" in done.stderr
    first, second = (run["run"] for run in place.runs())
    assert place.run("process", place.root / "tree", *options).returncode == 0
    assert {row["path"][-3:]: row["error"] for row in place.shown()} == {
        "0/0": f"unchanged since run {first}", "0/2": f"unchanged since run {first}",
        "0/1": f"unchanged since run {second}", "new": f"unchanged since run {second}",
    }  # fmt: skip
    assert b"4 skipped because they are unchanged" in place.run("show").stdout


@pytest.mark.parametrize(("name", "order"), [("o.sha256", ()), ("o.csv", ("-k",)), ("o.jsonl", ())])
def test_changed_writes_the_output_whole(
    place: Workplace, name: str, order: tuple[str, ...]
) -> None:
    """What is unchanged stands there as before, along a chain of runs; what is gone does not."""
    place.make_files(120)
    process = ("process", "tree", "-o", name, *order)

    def told() -> set[str]:
        text = (place.root / name).read_text()
        if name == "o.jsonl":
            return {f"{row['path']} {row['status']} {row['value']}" for row in rows(text.encode())}
        return {",".join(line.split(",")[:3]) for line in text.splitlines()}

    place.run(*process)
    whole = told()
    for _ in range(2):
        assert place.run(*process, "--changed").returncode == 0
        assert told() == whole
    (place.root / "tree/0/1").write_text("changed")
    (place.root / "tree/0/2").unlink()
    done = place.run(*process, "--changed", "--summary", "s.json", "-v")
    kept = {line for line in told() if "tree/0/1 " not in f"{line.replace(',', ' ')} "}
    assert len(told()) == len(whole) - 1
    assert len(whole - kept) == 2
    assert done.stderr.decode().splitlines()[0] == "missing: tree/0/2"
    assert len(done.stderr.splitlines()) == 2
    assert b"119 files: 1 done, 118 skipped (118 unchanged), 1 missing; " in done.stderr
    summary = json.loads((place.root / "s.json").read_text())
    assert [summary[key] for key in ("found", "done", "skipped", "missing")] == [119, 1, 118, 1]
    assert b"missing" not in place.run(*process, "--changed").stderr


def test_interrupted_run_over_what_has_changed_has_a_whole_output(place: Workplace) -> None:
    """Resumed, it holds what was carried over as well."""
    place.make_files(300)
    process = ("process", "tree", "--call", "mine:picky", "-o", "o.jsonl")
    assert place.run(*process, "-q").returncode == 0
    for number in range(100):
        (place.root / f"tree/0/{number}").write_text("bad and changed")
        (place.root / f"tree/0/{number}").rename(place.root / f"tree/0/bad{number}")
    assert place.run(*process, "--changed", "--halt", "now,fail=1", "-q").returncode == 1
    (place.root / "good now").touch()
    assert place.run("resume", "-q").returncode == 0
    lines = rows((place.root / "o.jsonl").read_bytes())
    assert len(lines) == 300
    assert {line["status"] for line in lines} == {"done"}
    assert None not in {line["value"] for line in lines}


def test_values_that_are_not_recorded_are_made_again(place: Workplace) -> None:
    """A run of before values were carried over tells that a file was done, and not what it is."""
    place.make_files(2)
    place.run("process", "tree", "--journal", "j.db", "-q")
    place.run("process", "tree", "--journal", "j.db", "--changed", "-q")
    with closing(sqlite3.connect(place.root / "j.db")) as journal, journal:
        (packed,) = journal.execute("SELECT rows FROM block ORDER BY number DESC").fetchone()
        rows_ = unpack_rows(packed)
        rows_.values = b""
        journal.execute("UPDATE block SET rows = ? WHERE run = 2", (msgspec.msgpack.encode(rows_),))
    done = place.run("process", "tree", "--journal", "j.db", "--changed")
    assert {row["attempts"] for row in rows(done.stdout)} == {1}


def test_changed_runs_again_what_failed_or_has_another_task(place: Workplace) -> None:
    """A failure, other options and an edited function are all reasons to run."""
    place.make_files(2)
    (place.root / "tree/bad").touch()
    picky = ("process", "tree", "--call", "mine:picky", "--changed", "-q")
    place.run(*picky)
    assert [row["attempts"] for row in rows(place.run(*picky).stdout)].count(0) == 2
    module = place.root / "mine.py"
    module.write_text(module.read_text().replace("st_size", "st_size + 1"))
    again = rows(place.run(*picky).stdout)
    assert [row["value"] for row in again if row["status"] == "done"] == [2, 2]
    for algorithm in ("md5", "sha1", "md5"):
        option = f"algorithm={algorithm}"
        done = place.run("process", "tree", "--option", option, "--changed", "-q")
    assert {row["attempts"] for row in rows(done.stdout)} == {0}


def test_named_journal_takes_several_runs(place: Workplace) -> None:
    """``--journal FILE`` holds run after run, and is no input where it lies in the tree."""
    place.make_files(2)
    journal = place.root / "tree" / "my journal.db"
    for _ in range(2):
        done = place.run("process", "tree", "--journal", journal, "--changed", "-q")
    assert Counter(row["error"] for row in rows(done.stdout))["written by this run"] >= 1
    assert len(place.runs("--journal", journal)) == 2
    assert not place.state.exists()
    first = place.runs("--journal", journal)[0]["run"]
    assert {row["status"] for row in place.shown(first, "--journal", journal)} == {
        "done",
        "skipped",
    }
    assert place.run("resume", "--journal", journal, "-q").returncode == 0
    said = place.run("show", "2", "--journal", journal).stderr.decode()
    assert "give more of the name" in said


def test_journal_hint_names_the_journal(place: Workplace) -> None:
    """The line that Ctrl-C prints can be typed as it stands, also with a named journal."""
    place.make_files(300)
    said = interrupt(place, "--journal", "a b.db").splitlines()[-1]
    done = subprocess.run(
        ["sh", "-c", said.removeprefix("resume with: ").replace("fsworkers", '"$@"', 1), "sh",
         *FSWORKERS],
        cwd=place.root, env=place.environment, stdin=subprocess.DEVNULL, capture_output=True,
        timeout=50, check=False,
    )  # fmt: skip
    assert (done.returncode, len(rows(done.stdout))) == (0, 300)


def test_running_run_is_left_alone(place: Workplace) -> None:
    """While it goes on it is shown as running and can be looked at; nobody else writes to it."""
    place.make_files(2000)
    master = place.start("process", "tree", "--call", "mine:slower", "--journal", "j.db", "-q")
    place.wait_for_executed(20)
    named = ("--journal", "j.db")
    assert place.runs(*named)[0]["state"] == "running"
    deadline = time.monotonic() + 20
    while not place.shown(*named):
        assert time.monotonic() < deadline
    for command in (("resume",), ("retry",), ("process", "tree")):
        refused = place.run(*command, *named)
        assert refused.returncode == 2
        assert refused.stderr.decode().count("\n") == 1
        assert f"(process {master.pid}) is still running" in refused.stderr.decode()
    master.kill()
    master.communicate()
    assert place.runs(*named)[0]["state"] == "killed"


def test_list_from_stdin_must_be_given_again(place: Workplace) -> None:
    """A run over ``--files-from -`` is resumed with the list, and refused without."""
    place.make_files(3)
    listed = b"tree/0/0\ntree/0/1\nmissing\n"
    call = ("--call", "mine:logged", "-q")
    place.run("process", "--files-from", "-", *call, stdin=listed)
    refused = place.run("resume")
    assert refused.returncode == 2
    assert "give the same list again" in refused.stderr.decode()
    (place.root / "missing").touch()
    done = place.run("resume", stdin=listed + b"tree/0/2\n")
    assert {row["path"]: row["status"] for row in rows(done.stdout)} == dict.fromkeys(
        ["missing", "tree/0/0", "tree/0/1", "tree/0/2"], "done"
    )
    assert place.executed().count("tree/0/0") == 1


def test_directory_that_can_be_read_again(place: Workplace) -> None:
    """What the scan could not read is no failure any more once a resume can."""
    place.make_files(1)
    link = place.root / "tree" / "link"
    link.symlink_to("nowhere")
    done = place.run("process", "-L", "tree", "--call", "mine:logged", "-q")
    assert done.returncode == 1
    (place.root / "tree" / "nowhere").mkdir()
    (place.root / "tree" / "nowhere" / "file").touch()
    assert place.run("resume").returncode == 0
    assert {row["status"] for row in place.shown()} <= {"done", "skipped"}


def test_edited_function_is_told_of(place: Workplace) -> None:
    """A resume with another function than before says so; ``--changed`` trusts neither then."""
    place.make_files(300)
    interrupt(place)
    module = place.root / "mine.py"
    # Of another length: bytecode of the same second is told apart by the size of its source alone.
    module.write_text(module.read_text().replace("wait(0.002)", "wait(0.0015)"))
    done = place.run("resume", "-q")
    assert b"the task's code is not what it was" in done.stderr
    again = place.run("process", "tree", "--call", "mine:slow", "--changed", "-q")
    assert {row["status"] for row in rows(again.stdout)} == {"done"}


def test_old_runs_are_thrown_away(place: Workplace) -> None:
    """The newest twenty are kept; nothing else lies in the directory."""
    place.make_files(1)
    runs = place.state / "fsworkers" / "runs"
    runs.mkdir(parents=True)
    place.run("process", "tree", "-q")
    (real,) = place.journals
    names = [f"2020010{day}T000000Z-{number:06x}.db" for day in range(1, 6) for number in range(5)]
    for name in names:
        (runs / name).write_bytes(real.read_bytes())
    (runs / f".{names[0]}.tmp").touch()
    place.run("process", "tree", "-q")
    assert [path.name for path in place.journals][:-2] == names[-18:]
    assert len(place.journals) == 20


def test_dry_run_and_no_journal_leave_nothing(place: Workplace) -> None:
    """Neither writes a journal; ``runs`` says that there is none."""
    place.make_files(1)
    place.run("process", "tree", "-n")
    place.run("process", "tree", "--no-journal")
    assert not place.state.exists()
    done = place.run("runs")
    assert (done.returncode, b"no run is recorded" in done.stdout) == (0, True)
    assert place.run("resume").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["process", "tree", "--no-journal", "--changed"], "--no-journal does not go with"),
        (["process", "tree", "--no-journal", "--journal", "j.db"], "--no-journal does not go with"),
        (["process", "tree", "--journal", "mine.py"], "is not a journal"),
        (["process", "tree", "--journal", "tree"], "can't be used"),
        (["process", "tree", "--journal", "no/such/j.db"], "can't be used"),
        (["process", "tree", "--journal", "foreign.db"], "is not a journal"),
        (["process", "tree", "--journal", "newer.db"], "has format 99"),
        (["runs", "--journal", "missing.db"], "there is no such file"),
        (["resume", "nosuch"], "no run 'nosuch'"),
        (["show", "--journal", "foreign.db"], "is not a journal"),
    ],
)
def test_refusals_are_one_line(place: Workplace, arguments: list[str], words: str) -> None:
    """Exit 2, one line, and what was there is as it was."""
    place.make_files(1)
    with sqlite3.connect(place.root / "foreign.db") as connection:
        connection.execute("CREATE TABLE cats (name)")
    connection.close()
    newer = sqlite3.connect(place.root / "newer.db")
    newer.executescript(f"PRAGMA application_id = {0x66737772}; PRAGMA user_version = 99;")
    newer.close()
    before = {path: path.read_bytes() for path in place.root.glob("*.db")}
    done = place.run(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    (line,) = done.stderr.decode().splitlines()
    assert words in line
    assert {path: path.read_bytes() for path in place.root.glob("*.db")} == before


def test_state_directory_that_cannot_be_written(place: Workplace) -> None:
    """A run goes on without the journal that nobody asked for, and says so once."""
    place.make_files(1)
    place.state.write_text("a file where the directory should be")
    done = place.run("process", "tree")
    assert (done.returncode, len(rows(done.stdout))) == (0, 1)
    line, totals = done.stderr.decode().splitlines()
    assert line.startswith("fsworkers: this run is not recorded: ")
    assert "--journal" in line
    assert "--no-journal" in line
    assert totals.startswith("1 file: 1 done; ")
    refused = place.run("process", "tree", "--changed")
    assert (refused.returncode, refused.stdout) == (2, b"")


def test_a_user_without_a_home_gets_no_directory_called_tilde(place: Workplace) -> None:
    """As in a container that runs under a number of its own."""
    place.make_files(1)
    script = "import os; os.path.expanduser = str; from fsworkers.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "process", "tree", "-q"],
        cwd=place.root,
        env={**place.environment, "XDG_STATE_HOME": ""},
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, len(rows(done.stdout))) == (0, 1)
    assert b"this user has no home directory" in done.stderr
    assert not (place.root / "~").exists()


def test_a_refused_run_leaves_no_output(place: Workplace) -> None:
    """Whatever the reason: outputs are opened last, and refused first."""
    place.make_files(1)
    for refused in (
        ["process", "tree", "-o", "new.csv", "--journal", "mine.py"],
        ["process", "tree", "-o", "new.csv", "--files-from", "missing.txt"],
        ["process", "tree", "-o", "new.csv", "--summary", "no/such/sum.json"],
    ):
        assert place.run(*refused).returncode == 2
        assert not (place.root / "new.csv").exists()
    assert place.run("process", "tree", "-o", "no/such/new.csv").returncode == 2
    assert b"no run is recorded" in place.run("runs").stdout


def test_journal_that_cannot_grow(place: Workplace) -> None:
    """A write that the system refuses ends the run with 3 and a way to resume; nothing is lost."""
    place.make_files(3000)
    command = 'ulimit -f 300; exec "$@" process tree --journal j.db -o /dev/null'
    done = subprocess.run(
        ["sh", "-c", command, "sh", *FSWORKERS],
        cwd=place.root, env=place.environment, capture_output=True, timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    first, second = done.stderr.decode().splitlines()[-2:]
    assert "writing to the journal" in first
    resumed = place.run(*second.removeprefix("resume with: fsworkers ").split(), "-q")
    assert resumed.returncode == 0, resumed.stderr
    assert len(place.shown("--journal", "j.db")) == 3000


def test_output_that_fails_leaves_a_journal_to_resume_from(place: Workplace) -> None:
    """A full disk under the output: exit 3 and the command; then the list is whole."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    place.make_files(500)
    target = place.root / "out.jsonl"
    target.symlink_to("/dev/full")
    done = place.run("process", "tree", "-o", "out.jsonl", "-q")
    assert done.returncode == 3
    assert "resume with: fsworkers resume" in done.stderr.decode().splitlines()[-1]
    target.unlink()
    assert place.run("resume", "-q").returncode == 0
    assert len(rows(target.read_bytes())) == 500


def test_locked_journal_is_waited_for_and_then_refused(place: Workplace) -> None:
    """Another program's lock is not waited for without end."""
    place.make_files(1)
    place.run("process", "tree", "--journal", "j.db", "-q")
    other = sqlite3.connect(place.root / "j.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    done = place.run("process", "tree", "--journal", "j.db")
    other.close()
    assert done.returncode == 2
    assert "locked by another program" in done.stderr.decode()


def test_checksums_are_those_of_the_files(place: Workplace) -> None:
    """Values come back from the journal as they were."""
    place.make_files(3)
    place.run("process", "tree", "-q")
    assert {row["path"]: row["value"] for row in place.shown()} == {
        f"tree/0/{number}": hashlib.sha256(b"%d" % number).hexdigest() for number in range(3)
    }
