"""Tasks of others that are not as they should be: each is named, with what is wrong, and where."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from fsworkers import process_tree
from fsworkers.errors import BadOption, FsworkersError, TaskNotFound
from fsworkers.tasks.registry import all_tasks, make_task

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


PICKY = """
from dataclasses import dataclass

@dataclass
class T:
    n: int = 1
    def __post_init__(self):
        if self.n > 5:
            raise ValueError("n is at most 5")
        [][self.n]
    def __call__(self, path):
        pass
"""


def test_a_constructor_refuses_options_as_we_do(offer: Offer) -> None:
    """With the task, what it said, and the options there are."""
    offer(picky=PICKY)
    with pytest.raises(BadOption, match=r"^task picky: n is at most 5; it has n=INTEGER "):
        make_task("picky", {"n": "6"})
    with pytest.raises(BadOption, match=r"^task picky: IndexError: .*; it has n=INTEGER "):
        make_task("picky", {"n": "1"})


class Reducing:
    """Has a reducer that fails somewhere."""

    def __init__(self, fails_in: str) -> None:
        self.fails_in = fails_in

    def __call__(self, path: str) -> str:
        return path

    def reducer(self) -> Any:
        return Failing(self.fails_in)


class Failing:
    def __init__(self, fails_in: str) -> None:
        self.fails_in = fails_in

    def add(self, *_value: Any) -> None:
        if self.fails_in == "add":
            raise ValueError("it was add")

    def result(self) -> dict[str, int]:
        if self.fails_in == "result":
            raise ValueError("it was result")
        return {}


@pytest.mark.parametrize("where", ["add", "result"])
def test_a_failing_reducer_is_named(where: str, tmp_path: Path) -> None:
    """In the master as in the workers."""
    (tmp_path / "a").touch()
    with pytest.raises(FsworkersError, match=f"task Reducing failed: ValueError: it was {where}"):
        process_tree(tmp_path, Reducing(where), engine="inline")
