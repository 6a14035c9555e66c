"""Configuration as the commands take it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fsworkers.cli import commands
from fsworkers.cli.config import options_of


def cli(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, with nothing of ours in the environment but what is given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FSWORKERS_")}
    return subprocess.run(
        [sys.executable, "-m", "fsworkers", *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=60, check=False,
        env=clean | {"XDG_CONFIG_HOME": str(cwd / "home")} | environment,
    )  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with two files, and a configuration above."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a").write_text("a")
    (tmp_path / "tree" / "b.tmp").write_text("b")
    (tmp_path / "fsworkers.toml").write_text(
        "exclude = '*.tmp'\n"
        "[profile.nightly]\n"
        "paths = ['tree']\noutput = 'sums.md5'\njournal = 'runs.db'\nchanged = true\n"
        "[profile.broken]\nworkers = 'many'\n"
    )
    return tmp_path


def test_a_profile_is_a_whole_command(place: Path) -> None:
    """With the journal for those that look at it; what is typed goes before."""
    assert cli("process", "--profile", "nightly", cwd=place).returncode == 0
    assert (place / "sums.md5").read_text().endswith("tree/a\n")
    runs = cli("runs", "--json", cwd=place, FSWORKERS_PROFILE="nightly").stdout
    assert json.loads(runs)["journal"] == "runs.db"
    done = cli("process", "--profile", "nightly", "-o", "-", "--exclude", "x", cwd=place)
    assert len(done.stdout.splitlines()) == 2


def test_where_each_option_stands_is_shown(place: Path) -> None:
    """As TOML; what is not set is a comment."""
    shown = cli(
        "process", "tree", "--show-config", "-k", cwd=place, FSWORKERS_RETRIES="2"
    ).stdout.splitlines()
    assert f'exclude = ["*.tmp"]  # {place}/fsworkers.toml' in shown
    assert "keep-order = true  # command line" in shown
    assert "retries = 2  # FSWORKERS_RETRIES" in shown
    assert "follow = false  # default" in shown
    assert "# max-depth =" in shown
    keys = {line.removeprefix("# ").partition(" =")[0] for line in shown}
    assert keys == options_of(commands.process).keys() - {"profile", "show-config", "dry-run"}


@pytest.mark.parametrize(
    "typed",
    [
        (),
        ("tree", "b c", "-t", "copy", "--option", "to=x", "-0", "--no-progress", "-d2"),
        ("-E", "*.\t#", "-E", 'a "quoted" \\', "-E", "é😀", "--load", "1.5", "-x", "wc", "it's"),
    ],
)
def test_what_is_shown_can_stand_in_a_file(typed: tuple[str, ...], tmp_path: Path) -> None:
    """And means the same there: it is shown again."""

    def shown(*arguments: str) -> list[str]:
        text = cli("process", "--show-config", *arguments, cwd=tmp_path).stdout
        (tmp_path / "fsworkers.toml").write_text(f"[profile.pasted]\n{text}")
        return [line.partition("  # ")[0] for line in text.splitlines()]

    first = shown(*typed)
    assert len(first) > 60
    assert shown("--profile", "pasted") == first


def test_a_function_gets_what_it_has_of_a_weaker_source(place: Path) -> None:
    """Also where it needs it; and what its module prints is no result."""
    (place / "mod.py").write_text(
        "print('LOADED')\ndef wide(path, *, width: int):\n    return width\n"
    )
    (place / "fsworkers.toml").write_text("[option]\nalgorithm = 'md5'\nwidth = '3'\n")
    done = cli("process", "tree/a", "--call", "./mod.py:wide", "-q", cwd=place)
    assert json.loads(done.stdout)["value"] == 3


def test_options_of_a_weaker_source_that_the_task_does_not_have_are_left_out(place: Path) -> None:
    """Those that it has stay; in the source of the task they are an error."""
    (place / "mine.py").write_text("def f(path, *, algorithm=''):\n    return algorithm\n")
    (place / "fsworkers.toml").write_text(
        "[option]\nalgorithm = 'md5'\n[profile.p]\ntask = 'count'\n"
        "[profile.q]\ntask = 'count'\noption = {algorithm = 'md5'}\n"
    )

    def value(*arguments: str, **environment: str) -> object:
        done = cli("process", "tree/a", *arguments, cwd=place, **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["value"]

    counts = {"lines": 0, "words": 1, "bytes": 1, "chars": 1}
    assert (
        value("-t", "count") == value("--profile", "p") == value(FSWORKERS_TASK="count") == counts
    )
    assert value("-t", "count", FSWORKERS_OPTION="algorithm=md5", FSWORKERS_TASK="x") == counts
    assert value("--call", "os.path:getsize") == 1
    assert value("--call", "mine.py:f") == "md5"
    assert value() == "0cc175b9c0f1b6a831c399e269772661"
    assert cli("process", "tree", "--profile", "q", cwd=place).returncode == 2
    shown = cli("process", "tree", "-t", "count", "--show-config", cwd=place).stdout
    assert "# option =" in shown.splitlines()


def test_what_is_wrong_in_a_file_says_where_to_look(place: Path) -> None:
    """One line for what is wrong, one for where it may stand."""
    done = cli("process", "tree", "--profile", "broken", cwd=place)
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert "'many' is not a whole number" in first
    assert f"{place}/fsworkers.toml, profile broken" in second


def test_a_shell_is_told_what_may_come(place: Path) -> None:
    """Tasks, and what the options of one take."""

    def offered(*words: str) -> list[str]:
        return cli(
            cwd=place,
            _FSWORKERS_COMPLETE="complete_bash",
            COMP_WORDS=" ".join(("fsworkers", *words)),
            COMP_CWORD=str(len(words)),
        ).stdout.split()

    assert "checksum" in offered("process", "--task", "c")
    assert "algorithm=md5" in offered("process", "--option", "algorithm=m")
