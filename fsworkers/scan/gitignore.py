"""The patterns of a ``.gitignore``, compiled to one regular expression for each such file.

Everything is bytes, as in git: ``?`` and a set stand for one byte. What git does is followed to the
letter where its manual is silent: a set that is never closed, a backslash at the end and a class
that does not exist match nothing.

Source:
    gitignore(5); ``dir.c`` and ``wildmatch.c`` of git 2.39.
"""

from __future__ import annotations

import re
import string
from typing import NamedTuple

__all__ = ["IgnoreRules", "compile_rules"]

_NOT_SLASH = rb"[^/\0]"
_CLASSES = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "blank": " \t",
    "cntrl": "".join(map(chr, (*range(32), 127))),
    "digit": string.digits,
    "graph": string.ascii_letters + string.digits + string.punctuation,
    "lower": string.ascii_lowercase,
    "print": " " + string.ascii_letters + string.digits + string.punctuation,
    "punct": string.punctuation,
    "space": string.whitespace,
    "upper": string.ascii_uppercase,
    "xdigit": string.hexdigits,
}


class _NeverMatchesError(ValueError):
    """A pattern is broken in a way that git passes over in silence."""


class IgnoreRules(NamedTuple):
    """What one file of patterns says.

    Attributes:
        regex: All patterns, the last first, each a group.
        ignored: By group, whether what matches is ignored; ``False`` for one that begins with
            ``!``.
    """

    regex: re.Pattern[bytes]
    ignored: tuple[bool, ...]

    def verdict(self, name: bytes, path: bytes, *, is_directory: bool) -> bool | None:
        """Whether something is ignored; ``None`` where no pattern speaks of it.

        Nothing is said of directories above it: whoever walks does not enter one that is ignored.

        Args:
            name: Its own name.
            path: Its path from the directory that the patterns are about.
            is_directory: Whether it is one, and no link to one.
        """
        # No name holds a NUL, so one expression can see both, and what kind of thing it is.
        found = self.regex.match(b"%b\0%b%b" % (name, b"d" if is_directory else b"f", path))
        return None if found is None else self.ignored[(found.lastindex or 0) - 1]


def compile_rules(content: bytes) -> IgnoreRules | None:
    """Compile what a file of patterns holds; ``None`` if there is no pattern in it."""
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    rules = [rule for line in reversed(lines) if (rule := _rule(line.removesuffix(b"\r")))]
    if not rules:
        return None
    regexes, ignored = zip(*rules, strict=True)
    return IgnoreRules(re.compile(b"|".join(regexes), re.DOTALL), ignored)


def _rule(line: bytes) -> tuple[bytes, bool] | None:
    """One line as a group of the expression, and whether it ignores; ``None`` if it is no rule."""
    if line.startswith(b"#"):
        return None
    pattern = _without_trailing_spaces(line)
    ignores = not pattern.startswith(b"!")
    pattern = pattern if ignores else pattern[1:]
    kind = b"d" if pattern.endswith(b"/") else b"."
    pattern = pattern.removesuffix(b"/")
    if not pattern:
        return None
    by_name = b"/" not in pattern
    try:
        regex = _translated(pattern.removeprefix(b"/").decode("latin-1"), by_name=by_name)
    except _NeverMatchesError:
        return None
    if by_name:
        return rb"(%b\0%b)" % (regex, kind), ignores
    return rb"([^\0]*\0%b%b\Z)" % (kind, regex), ignores


def _without_trailing_spaces(line: bytes) -> bytes:
    end = at = 0
    while at < len(line):
        at += 2 if line[at : at + 1] == b"\\" else 1
        if line[at - 1 : at] != b" " or line[at - 2 : at - 1] == b"\\":
            end = at
    return line[:end]


def _translated(pattern: str, *, by_name: bool) -> bytes:
    """One pattern, its bytes as characters, as a regular expression."""
    pieces: list[bytes] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        match character:
            case "*":
                piece, at = _stars(pattern, at - 1, by_name=by_name)
            case "?":
                piece = _NOT_SLASH
            case "[":
                piece, at = _set(pattern, at)
            case "\\":
                piece = _literal(_at(pattern, at))
                at += 1
            case _:
                piece = _literal(character)
        pieces.append(piece)
    return b"".join(pieces)


def _stars(pattern: str, start: int, *, by_name: bool) -> tuple[bytes, int]:
    """What the stars from ``start`` on stand for, and where what follows them begins."""
    end = start
    while pattern[end : end + 1] == "*":
        end += 1
    before, following = pattern[:start], pattern[end : end + 1]
    # Git compares what has no wildcard first, and then takes the rest for a whole pattern.
    starts_part = before.endswith("/") or not re.search(r"[*?\[\\]", before)
    if by_name or end - start == 1 or not starts_part or following not in {"", "/"}:
        return _NOT_SLASH + b"*", end
    return (b"(?:.*/)?", end + 1) if following else (b".*", end)


def _set(pattern: str, at: int) -> tuple[bytes, int]:
    """The set whose bracket is just before ``at``, and where what follows it begins."""
    members: set[int] = set()
    negated = pattern[at : at + 1] in {"!", "^"}
    at += negated
    first, previous = at, ""
    while at == first or _at(pattern, at) != "]":
        character = _at(pattern, at)
        named = pattern[at + 2 : pattern.find("]", at + 2)] if pattern[at:].startswith("[:") else ""
        if character == "\\":
            at += 1
            character = _at(pattern, at)
            members.add(ord(character))
        elif character == "-" and previous and pattern[at + 1 : at + 2] not in {"", "]"}:
            at += 1 + (pattern[at + 1] == "\\")
            members.update(range(ord(previous), ord(_at(pattern, at)) + 1))
            character = ""
        elif named.endswith(":"):
            if named[:-1] not in _CLASSES:
                raise _NeverMatchesError
            members.update(map(ord, _CLASSES[named[:-1]]))
            at += 2 + len(named)
            character = ""
        else:
            members.add(ord(character))
        previous = character
        at += 1
    if negated:
        members = set(range(256)) - members
    # A slash is never a member: a set is one byte of one name.
    shown = b"".join(map(_literal, map(chr, sorted(members - {0, ord("/")}))))
    return (b"[%b]" % shown if shown else b"(?!)"), at + 1


def _at(pattern: str, at: int) -> str:
    if at >= len(pattern):
        raise _NeverMatchesError
    return pattern[at]


def _literal(character: str) -> bytes:
    return b"\\x%02x" % ord(character)
