"""Lines of a checksum list."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.sinks.sums import sums_line


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a b", "ff  a b\n"),
        ("a\nb", "\\ff  a\\nb\n"),
        ("a\rb", "\\ff  a\\rb\n"),
        ("a\\n", "\\ff  a\\\\n\n"),
        ("-", "ff  ./-\n"),
        ("-x", "ff  -x\n"),
    ],
)
def test_line_is_as_coreutils_writes_it(path: str, line: str) -> None:
    """Only a name that needs it is escaped."""
    assert sums_line("ff", path) == line


@given(st.binary(min_size=1, max_size=40).filter(lambda name: name != b"-"))
def test_escaping_can_be_undone(name: bytes) -> None:
    """One line a file, from which the name can be read to the byte."""
    line = os.fsencode(sums_line("ff", os.fsdecode(name)))
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert b"\r" not in line
    if line.startswith(b"\\"):
        escaped = line.removeprefix(b"\\ff  ")[:-1]
        originals = {b"\\n": b"\n", b"\\r": b"\r", b"\\\\": b"\\"}
        assert re.sub(rb"\\.", lambda found: originals[found[0]], escaped) == name
    else:
        assert line == b"ff  " + name + b"\n"
