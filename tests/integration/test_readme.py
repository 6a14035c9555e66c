"""The README's examples, run as they stand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"<!-- example: (\w+) -->\n```\w+\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(("language", "source"), EXAMPLES)
def test_example_runs(language: str, source: str, tmp_path: Path) -> None:
    """Each example does what it says in a directory with ``sample_data``, and prints something."""
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data")
    scripts = Path(sys.executable).parent
    command = [sys.executable, "-W", "error"] if language == "python" else ["sh", "-eu"]
    done = subprocess.run(
        command,
        input=source,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env=os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert "Traceback" not in done.stderr


def test_there_are_examples() -> None:
    """Five days' work, the library, the layer alone."""
    languages = [language for language, _ in EXAMPLES]
    assert languages == ["shell"] * 5 + ["python"] * 2


def test_the_example_of_the_layer_waits() -> None:
    """Two thousand files at a limit of 64: it shows what the layer is there for."""
    source = next(source for _, source in EXAMPLES if "setrlimit" in source)
    done = subprocess.run(
        [sys.executable, "-"], input=source, cwd=ROOT, capture_output=True, text=True, check=True
    )
    files, figures = done.stdout.splitlines()
    assert files == "2000 files read"
    waited = re.search(r"(\d+) waited for their turn", figures)
    assert waited is not None
    assert int(waited[1]) > 1000


def test_commands_that_are_named_exist() -> None:
    """Every command in the README's list is one of the program's."""
    named = set(re.findall(r"^    fsworkers (\w+)", README, re.MULTILINE))
    shown = subprocess.run(
        [sys.executable, "-c", "from fsworkers.cli import main; main()", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert named == {"process", "resume", "retry", "runs", "show", "stress", "tasks", "limits"}
    assert all(name in shown for name in named)
