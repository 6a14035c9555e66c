"""How a user's own function is found, and what its options become."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fsworkers.errors import BadOption, TaskNotFound
from fsworkers.tasks.callables import load_callable

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = """
from __future__ import annotations

import enum
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from nowhere import Nothing

class Fit(enum.Enum):
    COVER = "cover"

def declared(
    path, *, width: int = 5, factor: float = 1, upright: bool = False, to: Path = Path(),
    mode: Literal["fast", "good"] = "fast", level: int | None = None, fit: Fit = Fit.COVER,
    text: str = "", either: int | str = 0, place: str | os.PathLike[str] = "", raw: bytes = b"",
    anything: Any = None, odd: Nothing = None, many: list[int] = (),
) -> Nothing:
    return locals()

def undeclared(path, width=5, upright=False, to=Path(), text="", nothing=None, **others):
    return locals()

def keywords(path, **sizes: int):
    return sizes

class Resize:
    def __call__(self, path, width: int):
        return width

resize = Resize()
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The source above as a module that can be imported."""
    (tmp_path / "options_for_tests.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield "options_for_tests"
    sys.modules.pop("options_for_tests", None)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("width", "100", 100),
        ("factor", "2.5", 2.5),
        ("factor", "2", 2.0),
        ("upright", "true", True),
        ("upright", "False", False),
        ("upright", "0", False),
        ("to", "a/b", Path("a/b")),
        ("mode", "good", "good"),
        ("level", "3", 3),
        ("text", "100", "100"),
        ("either", "100", "100"),
        ("place", "100", "100"),
        ("raw", "100", b"100"),
        ("anything", "100", "100"),
    ],
)
def test_options_are_what_the_function_declares(
    module: str, key: str, text: str, value: object
) -> None:
    """By the annotation, also where annotations are kept as text."""
    found: Any = load_callable(f"{module}:declared", {key: text})("x")
    assert (found[key], type(found[key])) == (value, type(value))


def test_enumerations_by_value(module: str) -> None:
    """As they would be written in JSON."""
    found: Any = load_callable(f"{module}:declared", {"fit": "cover"})("x")
    assert found["fit"].name == "COVER"


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("width", "100", 100),
        ("width", "1.5", 1.5),
        ("upright", "false", False),
        ("to", "a", Path("a")),
        ("text", "1", "1"),
        ("nothing", "1", "1"),
    ],
)
def test_without_annotations_defaults_tell(module: str, key: str, text: str, value: object) -> None:
    """A number where the default is one; otherwise the text."""
    found: Any = load_callable(f"{module}:undeclared", {key: text})("x")
    assert (found[key], type(found[key])) == (value, type(value))


def test_keyword_arguments_and_callable_objects(module: str) -> None:
    """``**sizes: int`` declares them all; an object is called by its ``__call__``."""
    assert load_callable(f"{module}:keywords", {"a": "1", "b": "2"})("x") == {"a": 1, "b": 2}
    assert load_callable(f"{module}:resize", {"width": "7"})("x") == 7


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (
            ("width", "wide"),
            "--option width=wide: options_for_tests:declared declares width as INTEGER",
        ),
        (("upright", "maybe"), "declares upright as true|false"),
        (("mode", "best"), "declares mode as fast|good"),
        (("fit", "crop"), "declares fit as cover"),
        (("odd", "x"), "declares odd as Nothing"),
        (("many", "1,x"), "declares many as INTEGER,…"),
    ],
)
def test_what_does_not_fit_is_refused(module: str, option: tuple[str, str], words: str) -> None:
    """Before anything runs, by the option and what is declared."""
    with pytest.raises(BadOption) as caught:
        load_callable(f"{module}:declared", dict([option]))
    assert words in str(caught.value)


def test_a_file_is_named_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative or absolute, also where its name is no identifier."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    for name in ("mix_for_tests", "odd-name-for-tests"):
        (tmp_path / f"{name}.py").write_text("def f(path): return path * 2\n")
    monkeypatch.chdir(tmp_path)
    importlib.invalidate_caches()
    assert load_callable("./mix_for_tests.py:f", {})("ab") == "abab"
    assert load_callable(f"{tmp_path}/odd-name-for-tests.py:f", {})("ab") == "abab"
    for name in ("mix_for_tests", "odd-name-for-tests"):
        del sys.modules[name]


def test_a_file_that_is_not_there_or_hidden_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workers could only find the other one by its name."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    with pytest.raises(TaskNotFound, match=r"there is no file './no\.py'"):
        load_callable("./no.py:f", {})
    (tmp_path / "json.py").write_text("def f(path): return path\n")
    with pytest.raises(TaskNotFound, match=r"another module of that name .*; rename the file"):
        load_callable(f"{tmp_path}/json.py:f", {})
