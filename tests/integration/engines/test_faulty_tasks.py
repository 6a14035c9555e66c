"""Tasks of others that are not as they should be: each is named, with what is wrong, and where."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from fsworkers import process_tree
from fsworkers.errors import BadOption, BadSetting, FsworkersError, TaskNotFound
from fsworkers.tasks.registry import all_tasks, make_task
from fsworkers.tasks.task import Column, columns_of

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


SHAPELESS = """
from fsworkers import Column

class T:
    columns = {columns}
    def __call__(self, path):
        pass
"""


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ('(Column("a", "int"),)', "one of text, integer, number, boolean, json"),
        ('("a", "b")', "a column of task T is 'a'; give Column(NAME, TYPE)"),
        ('Column("a")', "give a tuple of Column(NAME, TYPE)"),
        ("7", "columns of task T is 7; give a tuple"),
    ],
)
def test_columns_of_another_shape_are_told_at_once(offer: Offer, columns: str, words: str) -> None:
    """In the list, and before a run that would come upon them at its end."""
    offer(shapeless=SHAPELESS.format(columns=columns))
    assert words in str(dict(all_tasks())["shapeless"])
    with pytest.raises(TaskNotFound, match=r"\(of offered\)"):
        make_task("shapeless", {})


def test_columns_of_a_function_are_looked_at_before_the_run(tmp_path: Path) -> None:
    """Nothing is left behind; and what only objects know is not asked of their class."""

    def sized(path: str) -> int:
        return len(path)

    sized.columns = (Column("a", "int"),)  # type: ignore[attr-defined,arg-type]
    with pytest.raises(BadSetting, match=r"a column of task .*sized is .*'int'"):
        process_tree(tmp_path, sized, output=tmp_path / "a.db")
    assert not [*tmp_path.iterdir()]

    class Later:
        @property
        def columns(self) -> tuple[Column, ...]:
            return (Column("a"),)

    assert (columns_of(Later), columns_of(Later())) == ((), (Column("a"),))


def test_a_class_whose_objects_cannot_be_called_is_no_task(offer: Offer) -> None:
    """Every class can be called itself: that is another thing."""
    offer(silent="class T:\n    columns = ()\n")
    assert "has no method __call__(self, path)" in str(dict(all_tasks())["silent"])


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
