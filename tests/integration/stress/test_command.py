"""``fsworkers stress`` as a user types it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from fsworkers.stress.scenarios.registry import NAMES

FSWORKERS = [sys.executable, "-c", "from fsworkers.cli import main; main()", "stress"]
SMALL = ("--files", "400", "--seed", "1", "--workers", "2", "--concurrency", "200")


def stress(
    *arguments: str, tmp_path: Path, limit: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command, with its temporary files in the test's own directory."""
    command = [*FSWORKERS, *arguments]
    if limit is not None:
        command = ["sh", "-c", f'ulimit -n {limit}; exec "$0" "$@"', *command]
    temporary = tmp_path / "temporary"
    temporary.mkdir(exist_ok=True)
    done = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
        env=os.environ | {"TMPDIR": str(temporary)},
    )
    if "--keep" not in arguments:
        assert not list(temporary.iterdir()), "the tree is still there"
    return done


def measured(path: Path) -> dict[str, Any]:
    """What ``--json`` wrote."""
    result: dict[str, Any] = json.loads(path.read_bytes())
    return result


def test_the_storm_breaks_ordinary_code_and_not_ours(tmp_path: Path) -> None:
    """The same load under the same limit: one side fails with EMFILE, the other does it all."""
    done = stress("--scenario", "open-storm", "--json", "o.json", *SMALL, tmp_path=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "KEPT in 1 scenario" in done.stdout
    result = measured(tmp_path / "o.json")
    (scenario,) = result["scenarios"]
    ordinary, ours = scenario["ordinary"], scenario["fsworkers"]
    assert ordinary["wanted"] == ours["wanted"] == ours["done"] == 400
    assert ordinary["failed"]["EMFILE"] == 400 - ordinary["done"] > 0
    assert ours["peak"] <= 64
    assert ours["layer"]["waits"] > 0
    assert ours["served"] >= ours["layer"]["waits"]
    assert ours["samples"]


def test_poison_is_reported_and_costs_nothing_else(tmp_path: Path) -> None:
    """Files that kill their worker are crashed; the ordinary pool breaks."""
    done = stress("--scenario", "poison-file", "--json", "o.json", *SMALL, tmp_path=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    scenario = measured(tmp_path / "o.json")["scenarios"][0]
    assert scenario["ordinary"]["lost"] > 0
    assert scenario["ordinary"]["survived"] == 0
    ours = scenario["fsworkers"]
    assert (ours["done"], ours["crashed"]) == (ours["wanted"] - 3, 3)
    assert ours["deaths"] == ours["survived"] >= 3


def test_a_refusing_kernel_refuses_until_it_has(tmp_path: Path) -> None:
    """A round too short to be refused anything is followed by others, or proves nothing."""
    options = ("--scenario", "kernel-refuses", "--json", "o.json", "--files", "600")
    done = stress(*options, "--seed", "1", "--workers", "2", tmp_path=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    ours = measured(tmp_path / "o.json")["scenarios"][0]["fsworkers"]
    proved_nothing = "nothing was proved" in done.stdout
    assert proved_nothing == (ours["layer"]["refused"] == 0)
    assert ours["done"] == ours["wanted"] == 200 * ours["rounds"]


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["32", "64", "1024"])
@pytest.mark.parametrize("name", NAMES)
def test_each_scenario_alone(name: str, limit: str, tmp_path: Path) -> None:
    """Every scenario keeps the promise by itself, at every limit."""
    done = stress("--scenario", name, "--max-open-files", limit, *SMALL, tmp_path=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_rounds_go_on_for_the_duration(tmp_path: Path) -> None:
    """A duration means as many rounds as fit."""
    options = ("--scenario", "open-storm", "--duration", "2", "--json", "o.json")
    done = stress(*options, *SMALL, tmp_path=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    ours = measured(tmp_path / "o.json")["scenarios"][0]["fsworkers"]
    assert ours["rounds"] > 1
    assert ours["wanted"] == 400 * ours["rounds"] == ours["done"]
    assert ours["seconds"] >= 2


def test_ones_own_function_is_attacked(tmp_path: Path) -> None:
    """A function that opens more than there is fails the ordinary way, and is told how it does."""
    files = tmp_path / "files"
    files.mkdir()
    for number in range(30):
        (files / f"{number}").write_bytes(b"x")
    (tmp_path / "mine.py").write_text(
        "import asyncio\n"
        "async def handle(path):\n"
        "    with open(path, 'rb') as file:\n"
        "        await asyncio.sleep(0.01)\n"
        "        return len(file.read())\n"
    )
    done = stress(
        *("--call", "mine:handle", "--input", "files", "--max-open-files", "32"),
        *("--workers", "1", "--seed", "1", "--json", "o.json"),
        tmp_path=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "your function fails for want of descriptors" in done.stdout
    assert "Under fsworkers it waited" in done.stdout
    ours = measured(tmp_path / "o.json")["scenarios"][0]["fsworkers"]
    assert ours["done"] == ours["wanted"] == 30


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scenario", "nosuch"], "give one of open-storm, hold-and-wait"),
        (["--max-open-files", "12"], "give at least 30"),
        (["--max-open-files", "999999999"], "the hard limit (ulimit -Hn)"),
        (["--files", "1"], "--files is 1"),
        (["--files", "900000000", "--size", "1M"], "the tree needs"),
        (["--size", "10"], "--size is 10"),
        (["--size", "much"], "4k, 1M"),
        (["--workers", "0"], "--workers is 0"),
        (["--concurrency", "0"], "--concurrency is 0"),
        (["--workers", "100000"], "--workers is 100000"),
        (["--duration", "-1"], "--duration is -1"),
        (["--duration", "nan"], "--duration is nan"),
        (["--duration", "inf"], "--duration is inf"),
        (["--json", "no/such/o.json"], "no/such/o.json"),
        (["--report", "no/such/o.html"], "no/such/o.html"),
        (["--call", "os:stat"], "go together"),
        (["--input", "."], "go together"),
        (["--call", "os:nosuch", "--input", "."], "has no 'nosuch'"),
        (["--call", "os:stat", "--input", "nowhere"], "no such directory"),
        (["--call", "os:stat", "--input", ".", "--scenario", "open-storm"], "give one"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(arguments: list[str], words: str, tmp_path: Path) -> None:
    """Whatever can't be run is refused in one line, and nothing is left behind."""
    done = stress(*arguments, tmp_path=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert words in line
    assert [one.name for one in tmp_path.iterdir()] == ["temporary"]


def test_an_empty_input_is_refused(tmp_path: Path) -> None:
    """There is nothing to attack a function with."""
    (tmp_path / "empty").mkdir()
    done = stress("--call", "os:stat", "--input", "empty", tmp_path=tmp_path)
    assert done.returncode == 2
    assert "with files in it" in done.stderr


def test_the_scenarios_are_listed(tmp_path: Path) -> None:
    """One line each, with what it proves."""
    done = stress("--list", tmp_path=tmp_path)
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(NAMES)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, 143, marks=pytest.mark.slow),
    ],
)
def test_an_interrupt_leaves_nothing_behind(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    """Ended in the middle, by an impatient person: no tree, no socket, no process."""
    command = [*FSWORKERS, "--scenario", "kill-workers", "--duration", "60", *SMALL]
    running = subprocess.Popen(
        command, env=os.environ | {"TMPDIR": str(tmp_path)}, stderr=subprocess.PIPE
    )
    tree: list[psutil.Process] = []
    while len(tree) < 3:  # itself has begun a stage, and that its workers
        assert running.poll() is None
        tree = psutil.Process(running.pid).children(recursive=True)
    while running.poll() is None:
        running.send_signal(number)
    running.communicate()
    assert running.returncode == code
    assert not list(tmp_path.iterdir())
    _, alive = psutil.wait_procs(tree, timeout=5)
    assert not alive


@pytest.mark.parametrize(
    ("module", "arguments", "extra"),
    [("psutil", [], "fsworkers[stress]"), ("plotly", ["--report", "r.html"], "fsworkers[report]")],
)
def test_what_is_not_installed_is_named(
    module: str, arguments: list[str], extra: str, tmp_path: Path
) -> None:
    """Before anything runs, with the command that installs it; the list needs nothing."""
    without = f"import sys; sys.modules[{module!r}] = None; {FSWORKERS[2]}"
    command = [sys.executable, "-c", without, "stress"]
    done = subprocess.run(
        [*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert f"pip install '{extra}'" in done.stderr
    assert subprocess.run([*command, "--list"], capture_output=True, check=False).returncode == 0


def test_a_kept_tree_is_named(tmp_path: Path) -> None:
    """``--keep`` keeps the tree and says where it is."""
    done = stress("--keep", "--scenario", "poison-file", *SMALL, tmp_path=tmp_path)
    (folder,) = (tmp_path / "temporary").iterdir()
    assert f"the tree is kept in {folder}" in done.stderr
    assert (folder / "tree" / "files").is_dir()


def test_a_refused_run_keeps_no_tree(tmp_path: Path) -> None:
    """``--keep`` is for runs that took place."""
    (tmp_path / "empty").mkdir()
    done = stress("--keep", "--call", "os:stat", "--input", "empty", tmp_path=tmp_path)
    assert done.returncode == 2
    assert not list((tmp_path / "temporary").iterdir())


def attack(source: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run a function of that source over five files."""
    (tmp_path / "files").mkdir()
    for number in range(5):
        (tmp_path / "files" / f"{number}").write_bytes(b"x")
    (tmp_path / "mine.py").write_text(source)
    options = ("--call", "mine:handle", "--input", "files", "--seed", "1", "--json", "o.json")
    return stress(*options, tmp_path=tmp_path)


def test_a_side_that_dies_is_measured(tmp_path: Path) -> None:
    """When the caller's own process is killed, what it had not heard of is lost, and said so."""
    done = attack("import os\ndef handle(path): os.kill(os.getppid(), 9)\n", tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "nothing is lost" in done.stdout
    assert "Repeat it with: fsworkers stress --seed 1" in done.stdout
    assert re.search(r"operation \d \(.*/files/\d\): \w+, attempt 1 in process", done.stdout)
    assert re.search(r"\d s: process \d+ begins to work", done.stdout)
    scenario = measured(tmp_path / "o.json")["scenarios"][0]
    assert scenario["ordinary"]["lost"] == scenario["fsworkers"]["lost"] == 5


def test_an_own_function_that_crashes_is_told_and_not_held_against_us(tmp_path: Path) -> None:
    """Nobody struck its workers, so it is not run again, and its files are not lost."""
    done = attack("import os\ndef handle(path):\n    if path[-1] == '3': os._exit(3)\n", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "it killed its worker on 1 of 5 files" in done.stdout
    ours = measured(tmp_path / "o.json")["scenarios"][0]["fsworkers"]
    assert (ours["done"], ours["unmeant"], ours["lost"]) == (4, 1, 0)


def test_an_own_function_that_always_fails_is_told_so(tmp_path: Path) -> None:
    """What it raises itself has reached the caller: it is neither lost nor called nothing."""
    done = attack("import sys\ndef handle(path): sys.exit(path)\n", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "it failed on 5 of 5 files" in done.stdout
    assert "nothing failed" not in done.stdout


@pytest.mark.slow
def test_a_side_that_hangs_is_ended(tmp_path: Path) -> None:
    """When nothing moves any more, the side is ended with all its processes, and called hung."""
    source = "import threading\ndef handle(path): threading.Event().wait()\n"
    done = attack(source, tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "your function returns" in done.stdout
    assert re.search(r"\d s: worker \d sent: operation 0", done.stdout)
    assert "nothing had moved for 20 s" in done.stdout
    scenario = measured(tmp_path / "o.json")["scenarios"][0]
    assert scenario["fsworkers"]["hung"] == 5
    assert scenario["ordinary"]["done"] == 0
