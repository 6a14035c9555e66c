"""What typed columns make of values, whatever those are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from fsworkers.model import Outcome
from fsworkers.sinks.columns import Declared, TypedRows, iso_time, table_columns

COUNT = (Declared("lines", "integer"), Declared("mean", "number"), Declared("name", "text"))


@dataclass
class Counted:
    lines: int
    name: str


def shown(declared: tuple[Declared, ...], value: Any) -> tuple[Any, ...]:
    """The task's columns and ``value`` of one outcome."""
    rows = TypedRows(declared, has_times=True)
    columns = rows.columns_of([Outcome("a", "done", value)])
    names = [one.name for one in table_columns(declared)]
    own = columns[8 : 9 + len(declared)]
    assert names[8 + len(declared)] == "value"
    assert [len(one) for one in columns] == [1] * len(names)
    return tuple(one[0] for one in own)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"lines": 3, "mean": 2, "name": "n"}, (3, 2.0, "n", None)),
        ({"lines": 3, "more": [1]}, (3, None, None, '{"more":[1]}')),
        ({"lines": "3", "mean": True}, (None, None, None, '{"lines":"3","mean":true}')),
        ({"lines": 1 << 63, "name": None}, (None, None, None, '{"lines":9223372036854775808}')),
        (Counted(1, "\udcff"), (1, None, "\ufffd", None)),
        ("text", (None, None, None, "text")),
        ([1, 2], (None, None, None, "[1,2]")),
        ({}, (None, None, None, None)),
        (None, (None, None, None, None)),
    ],
)
def test_no_part_of_a_value_is_lost(value: Any, expected: tuple[Any, ...]) -> None:
    """What no column holds is in ``value``."""
    assert shown(COUNT, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", "x"), (5, 5), (1 << 70, str(1 << 70)), (0.5, 0.5), (True, "true"), ([], "[]"),
        ({}, "{}"), ({"a": b"\xff"}, '{"a":{"base64":"/w=="}}'), (None, None),
    ],
)  # fmt: skip
def test_without_columns_all_of_it_is_value(value: Any, expected: Any) -> None:
    """Plain, or JSON."""
    assert shown((), value) == (expected,)


def test_one_column_holds_what_is_no_mapping() -> None:
    """If it is of its type."""
    assert shown((Declared("digest", "text"),), "ab") == ("ab", None)
    assert shown((Declared("digest", "text"),), 5) == (None, 5)
    assert shown((Declared("digest", "text"),), {"digest": "ab"}) == ("ab", None)
    assert shown((Declared("all", "json"),), {"b": 1}) == (None, '{"b":1}')
    assert shown((Declared("all", "json"),), [1]) == ("[1]", None)


def test_names_are_told_apart() -> None:
    """From an outcome's own, and from each other, as SQLite compares them."""
    names = [one.name for one in table_columns([Declared(n, "text") for n in ("Size", "a", "A")])]
    assert names[8:11] == ["value_Size", "a", "value_A"]


def test_worker_and_master_make_the_same() -> None:
    """Files that were done are encoded in the worker, and read back."""
    rows = TypedRows(COUNT, has_times=False)
    encoded = rows(["a", "\udcff"], [{"lines": 1}, "x"], [1, None], [0.5, 1.0], 1, 0, [-1, None])
    outcomes: list[Outcome] = [
        Outcome("a", "done", {"lines": 1}, None, 1, 1, 0.5, 0, None, -1),
        Outcome("\udcff", "done", "x", None, 1, None, 1.0, 0),
    ]
    columns = [list(one) for one in rows.columns_in(encoded)]
    assert columns == [list(one) for one in rows.columns_of(outcomes)]
    assert columns[0] == ["a", "\ufffd"]
    assert columns[-1] == [None, b"\xff"]
    assert columns[7] == ["1969-12-31T23:59:59.999999999Z", None]


def test_times_are_read_by_sqlite() -> None:
    """To the nanosecond, in UTC."""
    assert iso_time(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.123456789Z"
