"""CSV rows, read back by the standard reader."""

from __future__ import annotations

import base64
import csv
import io
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.model import Outcome
from fsworkers.sinks.csv_rows import csv_rows
from fsworkers.sinks.rows import COLUMNS


def read(*outcomes: Outcome) -> list[dict[str, str]]:
    """Encode outcomes and read the rows back."""
    text = io.StringIO(csv_rows(outcomes).decode(), newline="")
    return list(csv.DictReader(text, COLUMNS, strict=True))


def test_row_is_exact() -> None:
    """Missing values are empty fields, and lines end as RFC 4180 has them."""
    outcome = Outcome('a,"b', "done", "ff", None, 1, 4096, 0.25, 3)
    assert csv_rows([outcome]) == b'"a,""b",done,ff,,1,4096,0.25,3,,\r\n'


@given(st.lists(st.binary(min_size=1, max_size=30)))
def test_every_path_can_be_told_exactly(names: list[bytes]) -> None:
    """Newlines, quotes and bytes that are no UTF-8 come back."""
    rows = read(*[Outcome(os.fsdecode(name), "done", os.fsdecode(name)) for name in names])
    told = [
        base64.b64decode(row["path_b64"]) if row["path_b64"] else row["path"].encode()
        for row in rows
    ]
    assert told == names


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (None, ""),
        (True, "true"),
        (1, "1"),
        (1.5, "1.5"),
        ("text\r", "text\r"),
        ([1, "a"], '[1,"a"]'),
        (b"\xff", '{"base64":"/w=="}'),
        (10**6000, '{"repr":"<int that has no repr>"}'),
        ({"\udcff": 1}, '{"\ufffd":1}'),
    ],
    ids=lambda value: type(value).__name__,
)
def test_value_is_a_field(value: Any, field: str) -> None:
    """Scalars as they are, the rest as JSON."""
    assert read(Outcome("p", "done", value))[0]["value"] == field
