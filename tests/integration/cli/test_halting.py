"""``--halt``: giving up after too many failures."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from fsworkers import process_tree
from fsworkers.errors import BadSetting
from tests.integration.cli.test_process import fsworkers, rows

TASK = """
import pathlib, time

def fail_on_bad(path):
    if pathlib.Path(path).name.startswith("bad"):
        raise ValueError("bad")
    time.sleep(0.003)
    return "good"

def fail_or_take_long(path):
    if pathlib.Path(path).name.startswith("bad"):
        raise ValueError("bad")
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """3,000 files in six folders, every third of which is bad, and the module that says so."""
    root = tmp_path / "tree"
    root.mkdir()
    for number in range(3000):
        (root / f"{number // 500}").mkdir(exist_ok=True)
        (root / f"{number // 500}" / f"{'bad' if number % 3 == 0 else 'good'}-{number}").touch()
    (tmp_path / "task.py").write_text(TASK)
    return root


@pytest.mark.parametrize("rule", ["soon,fail=5", "now,fail=5", "soon,fail=20%"])
def test_nothing_more_is_started_after_too_many_failures(folder: Path, rule: str) -> None:
    """Exit 1; what was found and not run is ``cancelled``, each file once, and the rest unseen."""
    done = fsworkers(
        "process", folder, "--call", "task:fail_on_bad", "--halt", rule,
        cwd=folder.parent, PYTHONPATH=str(folder.parent),
    )  # fmt: skip
    outcomes = rows(done.stdout)
    counts = Counter(row["status"] for row in outcomes)
    assert done.returncode == 1
    assert counts["failed"] >= 3
    assert len({row["path"] for row in outcomes}) == len(outcomes) < 3000
    last, how_to_resume = done.stderr.decode().splitlines()[-2:]
    assert how_to_resume.startswith("resume with: fsworkers resume ")
    assert last.startswith(f"halted after too many failures: {len(outcomes):,} files: ")


def test_soon_lets_running_jobs_finish_and_now_does_not(tmp_path: Path) -> None:
    """With ``now`` a job of a minute is ended, and its outcome is ``cancelled``."""
    (tmp_path / "task.py").write_text(TASK)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "bad").touch()
    (tree / "good").touch()
    began = time.monotonic()
    done = fsworkers(
        "process", tree, "--call", "task:fail_or_take_long", "--halt", "now,fail=1", "-j2",
        PYTHONPATH=str(tmp_path),
    )  # fmt: skip
    assert time.monotonic() - began < 15
    statuses = {Path(str(row["path"])).name: row["status"] for row in rows(done.stdout)}
    assert statuses == {"bad": "failed", "good": "cancelled"}
    assert done.returncode == 1


def test_run_with_fewer_failures_goes_to_its_end(folder: Path) -> None:
    """Below the threshold nothing is different."""
    done = fsworkers(
        "process", folder, "--call", "task:fail_on_bad", "--halt", "soon,fail=1001",
        PYTHONPATH=str(folder.parent),
    )  # fmt: skip
    counts = Counter(row["status"] for row in rows(done.stdout))
    assert counts == {"failed": 1000, "done": 2000}


@pytest.mark.parametrize("engine", ["local", "inline"])
def test_process_tree_halts_as_well(folder: Path, engine: str) -> None:
    """The Python API takes the same rule."""

    def fail(path: str) -> None:
        raise ValueError(path)

    summary = process_tree(folder, fail, halt="soon,fail=3", engine=engine)
    assert 3 <= summary.failed < 3000
    assert summary.found == summary.failed + summary.cancelled
    with pytest.raises(BadSetting, match="soon,fail=10%"):
        process_tree(folder, fail, halt="whenever")


def test_a_run_whose_last_file_is_one_failure_too_many_has_ended(tmp_path: Path) -> None:
    """Nothing is left out, so its output is whole, and there is nothing to resume."""
    root = tmp_path / "tree"
    root.mkdir()
    for number in range(3):
        (root / f"{number}").touch()
    command = ("-o", "r.csv", "-j1", "--halt", "soon,fail=3", "-x", "false")
    done = fsworkers("process", "tree", *command, cwd=tmp_path)
    assert done.returncode == 1
    assert b"resume" not in done.stderr
    assert (tmp_path / "r.csv").read_text().count("tree/") == 6  # its name, and in the command
