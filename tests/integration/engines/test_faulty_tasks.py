"""Tasks of others that are not as they should be: each is named, with what is wrong, and where."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from fsworkers.errors import TaskNotFound
from fsworkers.tasks.registry import all_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Offer = Callable[..., None]


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Offer]:
    """Installs modules of tasks, each with a class ``T``, under the names of the modules."""
    made: list[str] = []

    def installed(**sources: str) -> None:
        about = tmp_path / "site" / "offered-1.0.dist-info"
        about.mkdir(parents=True)
        for name, source in sources.items():
            (about.parent / f"{name}.py").write_text(source)
            made.append(name)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n")
        entries = "".join(f"{name} = {name}:T\n" for name in sources)
        (about / "entry_points.txt").write_text(f"[fsworkers.tasks]\n{entries}")
        monkeypatch.syspath_prepend(str(about.parent))

    yield installed
    for name in made:
        sys.modules.pop(name, None)


def test_a_module_that_exits_is_a_line_in_the_list(offer: Offer) -> None:
    """And harms nothing: what exits at import is as broken as what raises."""
    good = "class T:\n    '''It is good.'''\n    def __call__(self, path): pass\n"
    offer(exits="raise SystemExit(3)", sound=good)
    tasks = dict(all_tasks())
    assert isinstance(tasks["exits"], TaskNotFound)
    assert "can't be loaded (of offered): SystemExit: 3" in str(tasks["exits"])
    assert isinstance(tasks["sound"], type)
