"""Names on a terminal, and the errors that carry them."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.names import printable
from fsworkers.scan.errors import PathNotFound


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name.txt", "plain name.txt"),
        ("größe 日本\u3000x", "größe 日本\u3000x"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\x7f\x9b", r"\x7f\u009b"),
        (b"\xff\xe9.txt", r"\xff\xe9.txt"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("\U000e0001", r"\U000e0001"),
    ],
)
def test_name_is_shown_safely(name: str | bytes, shown: str) -> None:
    """Letters stay, what a terminal acts on is escaped."""
    assert printable(name) == shown


@given(st.binary(max_size=40))
def test_any_bytes_become_text_for_a_terminal(name: bytes) -> None:
    """The result is one line, encodable, and free of control characters."""
    shown = printable(name)
    shown.encode("utf-8")
    assert not any(ord(each) < 32 or 127 <= ord(each) < 160 for each in shown)


def test_path_not_found_is_found_by_its_builtin_and_survives_pickling() -> None:
    """The error is a FileNotFoundError, names the path safely, and travels between processes."""
    error = PathNotFound("a\nb\udcff")
    assert isinstance(error, FileNotFoundError)
    assert r"'a\nb\xff'" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.path, str(again)) == (PathNotFound, error.path, str(error))
