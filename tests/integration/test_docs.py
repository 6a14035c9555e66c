"""The pages that are read from top to bottom: their examples run, one after another."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fsworkers.tasks.registry import BUILT_IN

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["tutorial", "recipes"])
def test_examples_run(page: str, tmp_path: Path) -> None:
    """Each does what it says, in the order of the page, and prints something."""
    text = (ROOT / "docs" / f"{page}.md").read_text()
    examples = re.findall(r"<!-- example: (\w+) -->\n```\w+\n(.*?)```", text, re.DOTALL)
    assert len(examples) >= 5
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data")
    (tmp_path / "home").mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "XDG_STATE_HOME": str(tmp_path / "home")}
    for language, source in examples:
        command = [sys.executable, "-W", "error"] if language == "python" else ["sh", "-eu"]
        done = subprocess.run(
            command, input=source, cwd=tmp_path, capture_output=True, text=True, timeout=50,
            check=False, env=environment,
        )  # fmt: skip
        assert done.returncode == 0, f"{source}\n{done.stderr}"
        assert done.stdout, source
        assert "Traceback" not in done.stderr


def test_every_built_in_task_has_a_section() -> None:
    """Under its name, which links lead to; no example swallows one."""
    text = (ROOT / "docs" / "builtin-tasks.md").read_text()
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    assert sorted(", ".join(headings[1:]).split(", ")) == sorted(BUILT_IN)


def test_every_page_is_in_the_site() -> None:
    """And is reached from its navigation."""
    pages = {page.name for page in (ROOT / "docs").glob("*.md")}
    assert pages == set(
        re.findall(r"([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    )
