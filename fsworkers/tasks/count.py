"""The task ``count``: lines, words, bytes and characters, by the rules of ``wc`` in UTF-8.

A word is made of printable characters; others neither begin nor end one. What separates words is
white space, the no-break spaces and U+2060 included. Bytes that are no UTF-8 are no character, and
the sequences of up to six bytes beyond U+10FFFF are (source: coreutils 9.1, wc.c; glibc 2.36,
whose C.UTF-8 has the classes of ``unicodedata``).

All is done by methods of ``bytes``, a chunk at a time. Text takes 4 to 7 ns a byte, as with ``wc``;
what is none, up to twice its 10 to 25 ns.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar
from unicodedata import category

from fsworkers.tasks.reading import ReadsWhole
from fsworkers.tasks.task import Column

if TYPE_CHECKING:
    from collections.abc import Mapping

FIGURES = ("lines", "words", "bytes", "chars")

_ASCII = bytes(range(128))
_BELOW_F4 = bytes(range(0xF4))
_UNPRINTABLE = bytes([*range(9), *range(14, 32), 127])
_SPACE_OR_X = bytes(b" "[0] if byte in b" \t\n\v\f\r" else b"x"[0] for byte in range(256))

_UNFINISHED = re.compile(
    rb"(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf7][\x80-\xbf]{0,2}"
    rb"|[\xf8-\xfb][\x80-\xbf]{0,3}|[\xfc\xfd][\x80-\xbf]{0,4})\Z"
)
_PERHAPS_BEYOND = re.compile(rb"[\xf4-\xfd][\x80-\xbf]{3,5}")
_SPACES = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u2060\u3000]")
_SPACE_SET = frozenset(filter(_SPACES.match, map(chr, range(0x80, 0x3001))))
_ASTRAL = re.compile("[\U00010000-\U0010ffff]+")


class Count(ReadsWhole):
    """Count lines, words, bytes and characters of each file, as wc -lwcm does in a UTF-8 locale."""

    columns: ClassVar = tuple(Column(figure, "integer") for figure in FIGURES)
    example: ClassVar = "fsworkers process src -g '*.py' -t count -o lines.csv"
    chunk_bytes = 1 << 18  # what is made of one stays in the second-level cache as well

    def __init__(self) -> None:
        super().__init__(_Counting, _Counting.figures)

    def reducer(self) -> Totals:
        """Adds everything up."""
        return Totals()

    def __reduce__(self) -> tuple[type[Count], tuple[()]]:
        """Travel without buffers."""
        return Count, ()


class Totals:
    """The sums of all files, as the last line of ``wc``."""

    def __init__(self) -> None:
        self._sums = dict.fromkeys(FIGURES, 0)

    def add(self, _path: str, value: Any) -> None:
        """One more file."""
        for figure, count in value.items():
            self._sums[figure] += count

    def merge(self, other: Totals) -> None:
        """Many more."""
        self.add("", other.result())

    def result(self) -> Mapping[str, int]:
        """The sums."""
        return self._sums


class _Counting:
    """Counts a file, chunk by chunk; words and characters may go on in the next one."""

    __slots__ = ("_bytes", "_chars", "_in_word", "_lines", "_unfinished", "_words")

    def __init__(self, data: memoryview) -> None:
        self._lines = self._words = self._bytes = self._chars = 0
        self._in_word = False
        self._unfinished = b""
        self.update(data)

    def update(self, view: memoryview) -> None:
        self._bytes += len(view)
        data = self._unfinished + bytes(view)
        self._lines += data.count(b"\n")
        if data.isascii():
            self._unfinished = b""
            self._chars += len(data)
        else:
            cut = _UNFINISHED.search(data, max(0, len(data) - 5))
            self._unfinished = b"" if cut is None else cut[0]
            data = self._without_rarities(data if cut is None else data[: cut.start()])
        marks = data.translate(_SPACE_OR_X, _UNPRINTABLE)
        if marks:
            self._words += marks.count(b" x") + (marks.startswith(b"x") and not self._in_word)
            self._in_word = marks.endswith(b"x")

    def figures(self) -> dict[str, int]:
        """What is unfinished now never was a character."""
        return {
            "lines": self._lines,
            "words": self._words,
            "bytes": self._bytes,
            "chars": self._chars,
        }

    def _without_rarities(self, data: bytes) -> bytes:
        """Count the characters, and leave those that are part of words, and ASCII."""
        try:
            text = data.decode()
        except UnicodeDecodeError:
            if data.translate(None, _BELOW_F4):  # the search takes ten times as long
                data = _PERHAPS_BEYOND.sub(_as_nul, data)
            text = data.decode(errors="ignore")
            data = text.encode()
        self._chars += len(text)
        others = data.translate(None, _ASCII).decode()
        if others.isprintable():
            return data
        rare = _MARKS.rare_among(set(others))
        if len(rare) > MANY:
            if max(rare) > "\uffff":
                text = _ASTRAL.sub(_marked, text)
            if not _SPACE_SET.isdisjoint(rare):
                text = _SPACES.sub(" ", text)
            return _unprintable().sub("", text).encode()
        for one in rare:
            data = data.replace(one.encode(), _MARKS[one].encode())
        return data


def _as_nul(found: re.Match[bytes]) -> bytes:
    """A sequence beyond Unicode as a character that is part of no word either."""
    sequence = found[0]
    lead, second = sequence[:2]
    length = 4 if lead < 0xF8 else 5 if lead < 0xFC else 6
    least = {0xF4: 0x90, 0xF8: 0x88, 0xFC: 0x84}.get(lead, 0x80)
    is_one = len(sequence) >= length and second >= least
    return b"\0" + sequence[length:] if is_one else sequence


def _marked(found: re.Match[str]) -> str:
    return "".join(map(_MARKS.__getitem__, found[0]))


@cache
def _unprintable() -> re.Pattern[str]:
    """Finds them below U+10000, all at once; it takes 50 ms to make."""
    return re.compile(
        f"[{''.join(one for one in map(chr, range(0x80, 0x10000)) if not _MARKS[one])}]"
    )


class _Marks(dict[str, str]):
    """What stands for a character beyond ASCII, as far as words go: itself, nothing, or a space."""

    def __init__(self) -> None:
        super().__init__()
        self._common: set[str] = set()

    def __missing__(self, character: str) -> str:
        kind = category(character)
        mark = character
        if kind == "Zs" or character == "\u2060":
            mark = " "
        elif kind in {"Cc", "Cn", "Zl", "Zp"}:
            mark = ""
        if mark == character:
            self._common.add(character)
        self[character] = mark
        return mark

    def rare_among(self, characters: set[str]) -> list[str]:
        """Those that do not stand for themselves."""
        return [one for one in characters - self._common if self[one] != one]


_MARKS = _Marks()

MANY = 6
"""So many different rare characters are looked for one by one: from here on it takes longer."""
