"""What ``fsworkers stress`` writes where there is no room, no reader, or no letter for it."""

from __future__ import annotations

import json
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.integration.stress.test_command import FSWORKERS, stress

if TYPE_CHECKING:
    from pathlib import Path

QUICK = (
    "--scenario", "poison-file", "--files", "32", "--size", "64", "--workers", "1", "--seed", "1",
)  # fmt: skip


def shell(how: str, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command line, in which ``IT`` stands for a quick run with these arguments.

    ``code`` has its exit code, as a pipe has only that of its end.
    """
    it = shlex.join([*FSWORKERS, *arguments]) + "; echo $? > code"
    return subprocess.run(
        ["sh", "-c", how.replace("IT", f"{{ {it}; }}")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )


def code(tmp_path: Path) -> int:
    """What ``shell`` has noted."""
    return int((tmp_path / "code").read_text())


@pytest.mark.parametrize("arguments", [QUICK, ("--list",)], ids=["run", "list"])
def test_a_reader_that_leaves_is_no_error(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """``| true`` ends quietly."""
    done = shell("IT | true", tmp_path, *arguments)
    assert (code(tmp_path), done.stderr) == (0, "")


@pytest.mark.parametrize("where", ["> /dev/full", ">&-"])
def test_an_output_that_takes_nothing_is_one_error(where: str, tmp_path: Path) -> None:
    """The verdict is told on stderr, and what goes elsewhere is written all the same."""
    done = shell(f"IT {where}", tmp_path, *QUICK, "--json", "o.json")
    assert code(tmp_path) == 3
    error, verdict = done.stderr.splitlines()
    assert "writing to 'stdout' failed" in error
    assert "KEPT in 1 scenario" in verdict
    assert json.loads((tmp_path / "o.json").read_bytes())["is_kept"]


def test_a_json_file_that_is_full_leaves_the_table(tmp_path: Path) -> None:
    """What was found is told before it is written down."""
    done = shell("IT", tmp_path, *QUICK, "--json", "/dev/full")
    assert code(tmp_path) == 3
    assert "KEPT in 1 scenario" in done.stdout
    assert "writing to '/dev/full' failed" in done.stderr


def test_letters_that_an_encoding_lacks_are_replaced(tmp_path: Path) -> None:
    """Microseconds in ASCII."""
    done = shell("export PYTHONIOENCODING=ascii; IT", tmp_path, *QUICK)
    assert code(tmp_path) == 0
    assert " us " in done.stdout


@pytest.mark.parametrize("target", ["-", "/dev/stdout"])
def test_json_on_stdout_is_nothing_but_json(target: str, tmp_path: Path) -> None:
    """The table makes way for it."""
    done = shell("IT | cat", tmp_path, *QUICK, "--json", target)
    assert code(tmp_path) == 0
    assert json.loads(done.stdout)["is_kept"]
    assert "KEPT in 1 scenario" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--report", "-"], "the name of a file"),
        (["--json", "one", "--report", "./one"], "the same file"),
        (["--json", "loop/o.json"], "loop/o.json"),
    ],
)
def test_outputs_that_can_not_be_are_refused(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    """Before anything runs."""
    (tmp_path / "loop").symlink_to("loop")
    done = stress(*arguments, tmp_path=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert words in line
