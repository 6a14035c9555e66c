"""Every option of every built-in task, as it is written and as Python has it."""

from __future__ import annotations

import gzip
import inspect
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest

from fsworkers import process_tree
from fsworkers.errors import BadOption
from fsworkers.tasks.option_values import converted, shown_type, written
from fsworkers.tasks.registry import BUILT_IN, make_task, options_of, task_class

VALUES: dict[str, Any] = {
    "algorithm": "sha256",
    "base": Path("photos"),
    "level": 2,
    "list": Path("photos.sha256"),
    "max_size": 10_000,
    "to": "mirror",
}
"""Of those that have no default, or none that can be written."""

OPTIONS = [(name, one.name) for name in BUILT_IN for one in options_of(task_class(name))]


@pytest.mark.parametrize(("task", "key"), OPTIONS)
def test_every_option_can_be_given(task: str, key: str) -> None:
    """Its default, or a value that makes sense; of a task that it is well with."""
    kind = task_class(task)
    signature = inspect.signature(kind)
    default = signature.parameters[key].default
    value = VALUES[key] if default in {None, "", inspect.Parameter.empty} else default
    given = {key: written(value)}
    assert converted(task, kind, signature, given) == {key: value}
    needed = {one.name: written(VALUES[one.name]) for one in options_of(kind) if not one.default}
    required = {name: text for name, text in needed.items() if name == "list" or task == "copy"}
    assert isinstance(make_task(task, required | given), kind)


def test_options_in_python(tmp_path: Path) -> None:
    """A list of texts is what commas are on the command line; ``None`` is the default."""
    (tmp_path / "a").write_text("a")

    def value_with(algorithm: object) -> Any:
        found: list[Any] = []
        options = {"algorithm": algorithm}
        process_tree(tmp_path, options=options, engine="inline", on_outcome=found.append)
        return found[0].value

    several = value_with("md5,sha256")
    assert value_with(["md5", "sha256"]) == value_with(("md5", "sha256")) == several
    assert value_with(None) == several["sha256"]
    with pytest.raises(BadOption, match="--option algorithm=md5,crc: task checksum"):
        value_with(["md5", "crc"])


@pytest.mark.parametrize("given", ["100", 100])
def test_a_limit_holds_in_a_run(tmp_path: Path, given: object) -> None:
    """From the command line's text, and from a number."""
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"a" * 101))
    for task in ("archive", "decompress"):
        found: list[Any] = []
        process_tree(
            tmp_path, task, options={"max_size": given}, engine="inline", on_outcome=found.append
        )
        assert found[0].status == "failed"
        assert "max_size=100" in found[0].error
        with pytest.raises(BadOption, match=r"declares max_size as INTEGER .*>= 1"):
            process_tree(tmp_path, task, options={"max_size": 0})


class Fit(Enum):
    """As a user's own may be."""

    COVER = "cover"
    FULL = "full"


def test_an_enumeration_is_told_by_its_values() -> None:
    """As a literal: that is what is written, and no class of somebody's."""
    assert shown_type(Fit) == shown_type(Fit | None) == shown_type(Literal["cover", "full"])
    assert shown_type(list[Fit]) == "cover|full,…"


def test_what_is_written() -> None:
    """The text that is read as the same value."""
    values = [True, None, 1.5, Path("a"), b"\xff", Fit.COVER, ["a", 1]]
    assert [*map(written, values)] == ["true", "", "1.5", "a", "\udcff", "cover", "a,1"]
