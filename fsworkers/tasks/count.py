"""The task ``count``: lines, words, bytes and characters, by the rules of ``wc`` in UTF-8.

A word is made of printable characters; others neither begin nor end one. What separates words is
white space, the no-break spaces and U+2060 included. Bytes that are no UTF-8 are no character, and
the sequences of up to six bytes beyond U+10FFFF are (source: coreutils 9.1, wc.c; glibc 2.36,
whose C.UTF-8 has the classes of ``unicodedata``).

All is done by methods of ``bytes``, a chunk at a time. Text takes 3 to 11 ns a byte, where ``wc``
takes 5 to 8; programs 13 (18), random bytes 18 (24).
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
_UNPRINTABLE = bytes([*range(9), *range(14, 32), 127])
_SPACE_OR_X = bytes(b" "[0] if byte in b" \t\n\v\f\r" else b"x"[0] for byte in range(256))

MANY = 4
"""So many different rare characters are looked for one by one: from here on it takes longer."""

_UNFINISHED = re.compile(
    rb"(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf7][\x80-\xbf]{0,2}"
    rb"|[\xf8-\xfb][\x80-\xbf]{0,3}|[\xfc\xfd][\x80-\xbf]{0,4})\Z"
)
_LEADS_BEYOND = bytes(
    b"L"[0] if byte in range(0xF4, 0xFE) else b"c"[0] if byte in range(0x80, 0xC0) else 0
    for byte in range(256)
)


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
            text = _without_beyond(data).decode(errors="ignore")
            data = text.encode()
        self._chars += len(text)
        others = data.translate(None, _ASCII).decode()
        if others.isprintable():
            return data
        rare = set(_perhaps_rare().findall(others))
        if len(rare) > MANY:
            return _perhaps_rare().sub(_marked, text).encode()
        for one in rare:
            data = data.replace(one.encode(), _mark(one).encode())
        return data


def _without_beyond(data: bytes) -> bytes | bytearray:
    """Have NUL, which is part of no word either, begin each sequence beyond Unicode.

    The rest of one is no character then.
    """
    marks = data.translate(_LEADS_BEYOND)
    at = marks.find(b"Lccc")
    if at < 0:
        return data
    without = bytearray(data)
    while at >= 0:
        lead, second = data[at], data[at + 1]
        length = 4 if lead < 0xF8 else 5 if lead < 0xFC else 6
        least = {0xF4: 0x90, 0xF8: 0x88, 0xFC: 0x84}.get(lead, 0x80)
        if second >= least and marks.startswith(b"ccccc"[: length - 1], at + 1):
            without[at] = 0
        at = marks.find(b"Lccc", at + 1)
    return without


def _mark(character: str) -> str:
    """What stands for a character beyond ASCII, as far as words go: itself, nothing, or a space."""
    kind = category(character)
    if kind == "Zs" or character == "\u2060":
        return " "
    return "" if kind in {"Cc", "Cn", "Zl", "Zp"} else character


def _marked(found: re.Match[str]) -> str:
    return _mark(found[0])


@cache
def _perhaps_rare() -> re.Pattern[str]:
    """Finds what does not stand for itself, and all above U+FFFF; it takes 8 ms to make."""
    rare = (one for one in map(chr, range(0x80, 0x10000)) if _mark(one) != one)
    return re.compile(f"[{''.join(rare)}\U00010000-\U0010ffff]")
