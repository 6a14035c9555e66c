"""Shell patterns."""

from __future__ import annotations

import fnmatch
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.scan.globs import compile_glob

MATCHING = [
    ("*.jpg", "a.jpg"),
    ("a?c", "abc"),
    ("[a-c]x", "bx"),
    ("[!a-c]x", "dx"),
    ("[]]", "]"),
    ("[^a]", "b"),
    ("*.{jpg,p{ng,bm}}", "a.pbm"),
    ("**/x", "x"),
    ("**/x", "a/b/x"),
    ("a/**", "a/b/c"),
    ("a/**/z", "a/z"),
    ("a/**/z", "a/b/c/z"),
    (r"\*", "*"),
    (r"a\{b", "a{b"),
    ("*", "new\nline"),
    ("*", "\udcff"),
    ("a,b}", "a,b}"),
    ("[&&~|]", "&"),
]
DIFFERENT = [
    ("*", "a/b"),
    ("a?c", "a/c"),
    ("a[!b]c", "a/c"),
    ("a[+-9]c", "a/c"),
    ("a/**", "a"),
    ("a**", "a/b"),
    ("*.jpg", "a.JPG"),
    ("[a-c]", "d"),
    ("{a,b}", "c"),
]


@pytest.mark.parametrize(("pattern", "name"), MATCHING)
def test_pattern_matches(pattern: str, name: str) -> None:
    """Each construct takes what it stands for."""
    assert compile_glob(pattern).fullmatch(name)


@pytest.mark.parametrize(("pattern", "name"), DIFFERENT)
def test_pattern_does_not_match(pattern: str, name: str) -> None:
    """Wildcards and sets stop at a slash, and letters keep their case."""
    assert not compile_glob(pattern).fullmatch(name)


@pytest.mark.parametrize("pattern", ["", "[a", "{a,b", "a\\", "[z-a]"])
def test_unreadable_pattern_is_refused(pattern: str) -> None:
    """What is never closed, or means nothing, is an error and not a pattern of its own."""
    with pytest.raises(ValueError, match="pattern"):
        compile_glob(pattern)


@given(pattern=st.text("ab*?.", min_size=1, max_size=6), name=st.text("ab.", max_size=6))
def test_simple_patterns_agree_with_the_standard_library(pattern: str, name: str) -> None:
    """Within one name, stars and question marks mean what fnmatch says."""
    if "**" not in pattern:
        expected = fnmatch.fnmatchcase(name, pattern)
        assert bool(compile_glob(pattern).fullmatch(name)) == expected


@given(st.text(min_size=1, max_size=8), st.text(max_size=8))
def test_any_text_is_a_pattern_or_refused(pattern: str, name: str) -> None:
    """No pattern crashes the compiler in a way other than ValueError."""
    with suppress(ValueError):
        compile_glob(pattern, ignore_case=True).fullmatch(name)
