"""Fingerprints: the same for the same task, another for another."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

import pytest

from fsworkers.tasks.checksum import Checksum
from fsworkers.tasks.fingerprint import fingerprint

SOURCE = """
def task(path, *, level=1):
    if path in {"a", "b", "c"}:
        return [part for part in path]
    return path + "x"
"""


def mark_of(source: str, **options: str) -> str:
    """The fingerprint of ``task`` in a module's source."""
    names: dict[str, object] = {"__name__": "module"}
    exec(compile(source, "module.py", "exec"), names)
    return fingerprint(names["task"], options=options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after"),
    [('"x"', '"y"'), ("level=1", "level=2"), ("part for", "part + part for"), ('"c"', '"d"')],
)
def test_edited_function_is_another(before: str, after: str) -> None:
    """Constants, defaults and inner code all count."""
    assert mark_of(SOURCE) != mark_of(SOURCE.replace(before, after))


def test_moved_function_is_the_same() -> None:
    """Lines above it and comments in it change nothing."""
    moved = "\n\n# moved\n" + SOURCE.replace("    if", "    # look\n    if")
    assert mark_of(SOURCE) == mark_of(moved)


def test_options_count() -> None:
    """By name and value, in any order; a built-in's defaults are filled in."""
    assert mark_of(SOURCE, level="1") != mark_of(SOURCE)
    default = fingerprint(Checksum(), name="checksum", options={})
    assert default == fingerprint(Checksum(), name="checksum", options={"algorithm": "sha256"})
    assert default != fingerprint(Checksum("md5"), name="checksum", options={"algorithm": "md5"})


def test_it_is_the_same_in_another_process() -> None:
    """Neither the order of sets nor where things lie in memory goes into it."""
    program = (
        "from tests.unit.tasks.test_fingerprint import SOURCE, mark_of, enclosing\n"
        "from fsworkers.tasks.fingerprint import fingerprint\n"
        "print(mark_of(SOURCE), fingerprint(enclosing(1), options={}))"
    )
    marks = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(marks) == 1


def enclosing(number: int) -> object:
    """A closure over a number, a function and an object."""
    thing = object()

    def inner(path: str) -> object:
        return path, number, enclosing, thing

    return inner


def test_what_is_enclosed_counts() -> None:
    """A closure over another value is another task, and so is a partial of other arguments."""
    marks = {
        fingerprint(function, options={})  # type: ignore[arg-type]
        for function in (
            enclosing(1),
            enclosing(2),
            partial(print, "a"),
            partial(print, "b"),
            print,
        )
    }
    assert len(marks) == 5
