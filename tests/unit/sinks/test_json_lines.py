"""JSON Lines, byte for byte."""

from __future__ import annotations

import base64
import collections
import dataclasses
import enum
import json
import math
import os
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.model import Outcome
from fsworkers.sinks.jsonl import json_lines

KEYS = ["path", "status", "value", "error", "attempts", "size", "duration_s", "worker"]


def read(*outcomes: Outcome) -> list[dict[str, Any]]:
    """Encode outcomes and read the lines back."""
    lines = json_lines(outcomes)
    assert lines.endswith(b"\n")
    assert lines.count(b"\n") == len(outcomes)
    return [json.loads(line) for line in lines.splitlines()]


def value_of(value: Any) -> Any:
    """Give what a reader sees of a value."""
    return read(Outcome("p", "done", value))[0]["value"]


def test_line_is_exact() -> None:
    """The keys come in their order, and no others."""
    outcome = Outcome("a/b", "done", "ff", None, 1, 4096, 0.25, 3)
    assert json_lines([outcome]) == (
        b'{"path":"a/b","status":"done","value":"ff","error":null,"attempts":1,"size":4096,'
        b'"duration_s":0.25,"worker":3}\n'
    )


def test_traceback_and_exact_path_come_last_and_only_when_there() -> None:
    """Optional keys follow the fixed ones."""
    plain, raised, odd = read(
        Outcome("a", "skipped"),
        Outcome("a", "failed", error="E: x", traceback="Trace\n"),
        Outcome("\udcff", "failed", error="\udcff", traceback="\udcff"),
    )
    assert list(plain) == KEYS
    assert list(raised) == [*KEYS, "traceback"]
    assert list(odd) == [*KEYS, "path_b64", "traceback"]
    assert odd["path"] == odd["error"] == odd["traceback"] == "\ufffd"


@given(st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=5))
def test_every_path_can_be_told_exactly(names: list[bytes]) -> None:
    """From path_b64 where there is one, else from path; odd neighbours do not matter."""
    rows = read(*[Outcome(os.fsdecode(name), "done") for name in names])
    for name, row in zip(names, rows, strict=True):
        try:
            text = name.decode()
        except UnicodeDecodeError:
            assert base64.b64decode(row["path_b64"]) == name
            assert "\ufffd" in row["path"]
        else:
            assert "path_b64" not in row
            assert row["path"] == text


@given(st.binary(max_size=60))
def test_lines_are_safe_to_print(name: bytes) -> None:
    """No control character but the line's end reaches a terminal."""
    lines = json_lines([Outcome(os.fsdecode(name), "done", os.fsdecode(name))]).decode()
    assert not any(ord(each) < 32 or 127 <= ord(each) < 160 for each in lines[:-1])


class Odd:
    """A path that is no text."""

    def __fspath__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("path", "shown", "exact"),
    [
        (PurePosixPath("a/b"), "a/b", None),
        (b"a\xff", "a\ufffd", b"a\xff"),
        ("größe".encode(), "größe", None),
        (7, "7", None),
        (("a", 1), "('a', 1)", None),
        ("\ud800", "\ufffd", None),
    ],
)
def test_a_job_may_be_for_anything(path: Any, shown: str, exact: bytes | None) -> None:
    """Pool.map takes any items; what is no path is shown by its repr."""
    [row] = read(Outcome(path, "done"))
    assert row["path"] == shown
    assert row.get("path_b64") == (base64.b64encode(exact).decode() if exact else None)


def test_a_broken_path_object_is_shown_by_its_repr() -> None:
    """Its __fspath__ raises, and the line is written all the same."""
    assert "Odd object" in read(Outcome(Odd(), "done"))[0]["path"]


@dataclasses.dataclass
class Point:
    x: Any
    y: Any = None


class Colour(enum.Enum):
    RED = "red"


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError


class Scalar:
    """As NumPy's: a dtype, a shape, and a way to the plain value."""

    dtype = "float64"
    shape: tuple[int, ...] = ()

    def item(self) -> float:
        return 2.5

    def tolist(self) -> list[float]:
        return [2.5]


class Array(Scalar):
    shape = (1,)


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Real(float):
    pass


CYCLE: list[Any] = []
CYCLE.append(CYCLE)
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (math.nan, None),
        (-math.inf, None),
        (b"\xff", {"base64": "/w=="}),
        (Path("a"), "a"),
        (Path("a\udcff"), "a\ufffd"),
        ({1}, [1]),
        ({"k": "\udc80"}, {"k": "\ufffd"}),
        ({"\udc80": 1}, {"\ufffd": 1}),
        ({(1, 2): 3, "a": 4}, {"(1, 2)": 3, "a": 4}),
        (Point(1, Point(2)), {"x": 1, "y": {"x": 2, "y": None}}),
        (Point("\udcff"), {"x": "\ufffd", "y": None}),
        (Colour.RED, "red"),
        (Scalar(), 2.5),
        ([Array()], [[2.5]]),
        (Text("t"), "t"),
        (Number(4), 4),
        (Real(4.5), 4.5),
        (10**30, 10**30),
        (collections.deque([1]), [1]),
        (collections.OrderedDict(a=1), {"a": 1}),
        (range(2), [0, 1]),
        (1j, {"repr": "1j"}),
        (Broken(), {"repr": "<Broken that has no repr>"}),
        (CYCLE, {"repr": "[[...]]"}),
        (DEEP, {"repr": "<list that has no repr>"}),
        (ValueError("x\udcff"), {"repr": "ValueError('x\\udcff')"}),
        ([object, "\udcff"], [{"repr": "<class 'object'>"}, "\ufffd"]),
        ([bytearray(b"a"), {"k": (b"b", 1)}], [{"base64": "YQ=="}, {"k": [{"base64": "Yg=="}, 1]}]),
        (Point(memoryview(b"a"), [Colour.RED]), {"x": {"base64": "YQ=="}, "y": ["red"]}),
        ({b"k": 1}, {"b'k'": 1}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_value_becomes_json(value: Any, seen: Any) -> None:
    """What JSON lacks has a stand-in, and nothing ends the run."""
    assert value_of(value) == seen


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_what_json_can_say_comes_back_as_it_was(value: Any) -> None:
    """No value that JSON has is changed."""
    assert value_of(value) == value


@given(st.lists(st.text(st.characters()) | st.binary(max_size=5) | JSON))
def test_one_odd_value_leaves_its_neighbours_alone(values: list[Any]) -> None:
    """A batch that is done again row by row has the same lines for the others."""
    rows = [Outcome("p", "done", value) for value in values]
    odd = Outcome("q", "done", {(1,): 1})
    assert json_lines([*rows, odd]) == b"".join(map(json_lines, ([each] for each in rows))) + (
        json_lines([odd])
    )


def test_durations_have_microseconds() -> None:
    """Also where a task failed; what is below them is noise."""
    failed = Outcome("p", "failed", error="no", duration_s=0.1234567890123)
    assert read(failed)[0]["duration_s"] == 0.123457
