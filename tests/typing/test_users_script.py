"""What is checked by mypy runs as well."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from fsworkers import Column, Reducer, Task
from tests.typing import longest, users_script

DOCS = Path(__file__).parents[2] / "docs" / "tasks.md"


def test_users_script_runs() -> None:
    """As a script, whose functions travel by value."""
    subprocess.run([sys.executable, users_script.__file__], check=True, timeout=40)


class Plain:
    """Its columns are no class variable to a type checker."""

    columns: tuple[Column, ...] = ()

    def __call__(self, path: str) -> int:
        return len(path)


def test_the_task_of_the_docs_is_one() -> None:
    """To a type checker, which looks at this file and the example's, and to ``isinstance``."""
    assert f"```python\n{Path(longest.__file__).read_text()}```\n" in DOCS.read_text()
    tasks: list[Task] = [longest.LongestLine(tab=4), Plain()]
    reducer: Reducer = longest.LongestLine().reducer()
    assert all(isinstance(task, Task) for task in tasks)
    assert not isinstance(reducer, Task)
