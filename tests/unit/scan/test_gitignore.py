"""Patterns of a ``.gitignore``, one file of them at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.scan.gitignore import compile_rules


def verdict(content: bytes, path: bytes) -> bool | None:
    """What a file says of a path; one with a slash behind it is a directory."""
    rules = compile_rules(content)
    bare = path.removesuffix(b"/")
    name = bare.rsplit(b"/", 1)[-1]
    return None if rules is None else rules.verdict(name, bare, is_directory=bare != path)


@pytest.mark.parametrize(
    ("content", "ignored", "unspoken_of"),
    [
        (b"foo", [b"foo", b"foo/", b"a/foo"], [b"foo2", b"foo/x"]),
        (b"foo/", [b"foo/", b"a/foo/"], [b"foo", b"a/foo"]),
        (b"/foo", [b"foo", b"foo/"], [b"a/foo"]),
        (b"a/b", [b"a/b"], [b"c/a/b", b"b"]),
        (b"*.o", [b"x.o", b"a/.o", b"a/b\n.o"], [b"x.oo", b"x.o/y"]),
        (b"a/*", [b"a/b", b"a/b/"], [b"a/", b"a/b/c"]),
        (b"a/**", [b"a/b", b"a/b/c"], [b"a/"]),
        (b"**/a/b", [b"a/b", b"x/y/a/b"], [b"xa/b"]),
        (b"a/**/b", [b"a/b", b"a/x/b", b"a/x/y/b"], [b"ab", b"a/xb"]),
        (b"a/x*/b", [b"a/x/b", b"a/xy/b"], [b"a/x/y/b"]),
        (b"a?c", [b"abc"], [b"a/c", b"ac", "aéc".encode()]),
        (b"[a-c!]x", [b"ax", b"!x"], [b"dx", b"/x"]),
        (b"[!a-c]x", [b"dx", b"\xffx"], [b"ax", b"x"]),
        (b"[]-]", [b"]", b"-"], [b"a"]),
        (b"[[:digit:]_]", [b"7", b"_"], [b"a", b":"]),
        (b"[\\]]", [b"]"], [b"\\"]),
        (b"a  ", [b"a"], [b"a  "]),
        (b"a\\ ", [b"a "], [b"a"]),
        (b"a\t", [b"a\t"], [b"a"]),
        (b"a\r\nb", [b"a", b"b"], [b"a\r"]),
        (b"\\#a\n\\!b\n#c", [b"#a", b"!b"], [b"a", b"c", b"#c"]),
        (b"\xef\xbb\xbfa", [b"a"], [b"\xef\xbb\xbfa"]),
        (b"\xff*", [b"\xff", b"\xffa"], [b"a\xff"]),
        (b"[:nope:]\n[[:nope:]]\n[a\nb\\\n/\n!\n\n", [b"n"], [b"a", b"b", b"b\\", b"[a", b""]),
    ],
)
def test_patterns_mean_what_they_mean_to_git(
    content: bytes, ignored: list[bytes], unspoken_of: list[bytes]
) -> None:
    """Each notation, with what it is easily taken for."""
    assert [path for path in ignored if verdict(content, path) is not True] == []
    assert [path for path in unspoken_of if verdict(content, path) is not None] == []


def test_the_last_pattern_that_matches_decides() -> None:
    """A leading ``!`` takes back what an earlier one said, and a later one says it again."""
    assert verdict(b"*.o\n!a.o", b"a.o") is False
    assert verdict(b"!a.o\n*.o", b"a.o") is True
    assert verdict(b"*\n!*/\n!*.c", b"x/") is False
    assert verdict(b"*\n!*/\n!*.c", b"x") is True
    assert verdict(b"# only a comment\n\n", b"x") is None


@given(st.lists(st.sampled_from([*"ab*?[]!^-\\/# ", "**", "[:alpha:]", "\xff", "\r"])))
def test_any_line_is_read(tokens: list[str]) -> None:
    """Nothing that may stand in such a file fails: git takes it all."""
    for path in (b"a", b"a/", b"a/b", b"[", b"\xff"):
        assert verdict("".join(tokens).encode("latin-1"), path) in {True, False, None}
