"""Templates of lines: what they make, and what they refuse."""

from __future__ import annotations

import pickle

import pytest

from fsworkers.errors import BadTemplate
from fsworkers.model import Outcome
from fsworkers.sinks.template import parse

ONE = Outcome("a\n\udcff", "done", {"lines": 3, "deep": {"er": [1]}}, None, 1, 5, 0.25, 2, None, 0)
BAD = Outcome("b", "failed", None, "ValueError: \udcff", 2, None, 0.0, None)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (r"{path}\t{size}", b"a\n\xff\t5\nb\t\n"),
        (r"{path}\0", b"a\n\xff\0b\0"),
        (r"{status}\n", b"done\nfailed\n"),
        (r"{status}\\n", b"done\\n\nfailed\\n\n"),
        ("{lines} {value.lines} {value.deep.er}{value.no.no}", b"3 3 [1]\n  \n"),
        ("{value}", b'{"lines":3,"deep":{"er":[1]}}\n\n'),
        ("{{{attempts}}}{worker}", b"{1}2\n{2}\n"),
        ("{duration_s}", b"0.25\n0.0\n"),
        ("{error}", "\nValueError: \ufffd\n".encode()),
        ("{mtime}", b"1970-01-01T00:00:00.000000000Z\n\n"),
        (r"\d{size}", b"\\d5\n\\d\n"),
    ],
)
def test_every_byte_is_what_it_is(template: str, expected: bytes) -> None:
    """Escapes, doubled braces, keys of values; what there is not is empty."""
    assert parse(template, ["lines"]).lines([ONE, BAD]) == expected


def test_on_a_terminal_what_is_put_in_is_escaped() -> None:
    """And the template's own text is not."""
    shown = parse(r"{path}\t{value}")._replace(is_shown=True)
    assert shown.lines([Outcome("a\x1b", "done", "\x1b[31m")]) == b"a\\x1b\t\\x1b[31m\n"


def test_workers_make_the_same() -> None:
    """It travels."""
    template = pickle.loads(pickle.dumps(parse("{path} {value} {worker} {mtime}")))
    assert template(["a"], [1], [None], [0.0], 1, 7, [None]) == b"a 1 7 \n"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{name}", r"there is no {name}; there are {path}, {value}, .*{mtime}, {lines}, and"),
        ("{value.}", "there is no"),
        ("{}", "there is no {}"),
        ("{path:>9}", "takes no :"),
        ("{path", "doubled"),
        ("path}", "doubled"),
    ],
)
def test_what_means_nothing_is_refused(template: str, words: str) -> None:
    """With what there is."""
    with pytest.raises(BadTemplate, match=words):
        parse(template, ["lines"])
