"""File names as they may be shown: any name becomes text that is safe on a terminal.

A name may hold newlines, escape sequences and bytes that are no UTF-8. What must be exact (a
record, a checksum list) has its own encoding elsewhere; this is for messages that people read. Also
what tells names apart: those that are URLs, and those of outputs that are not whole yet.
"""

from __future__ import annotations

import os
import re
import unicodedata
from zlib import crc32

__all__ = ["UNFINISHED", "is_url", "printable", "unfinished"]

UNFINISHED = b".fsworkers-"
"""How the names of outputs begin that are not whole yet."""

_MOST_NAME_BYTES = 255

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Letters of several scripts and emoji are joined by these two; they move nothing on the screen.
_HARMLESS_FORMAT_CHARACTERS = frozenset("\u200c\u200d")


def printable(name: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> str:
    r"""Render a file name for a message: what a terminal could act on is escaped.

    Control characters (C0, DEL, C1), line separators, direction overrides and bytes that are no
    UTF-8 become ``\n``, ``\x1b``, ``\u202e``…; letters of any script stay. A backslash stays
    as it is, so this is for reading and cannot always be turned back.
    """
    text = os.fsdecode(name)
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def is_url(name: object) -> bool:
    """Whether a PATH or an output is a URL, and so not on this machine's file system."""
    return isinstance(name, str) and "://" in name and bool(_SCHEME.match(name))


def unfinished(name: bytes) -> bytes:
    """What an output of that name is called until it is whole: the same in every run."""
    prefix = UNFINISHED + b"%08x-" % crc32(name)
    return prefix + name[len(prefix) - _MOST_NAME_BYTES :]


def _shown(character: str) -> str:
    if (
        character.isprintable()
        or unicodedata.category(character) == "Zs"
        or character in _HARMLESS_FORMAT_CHARACTERS
    ):
        return character
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"  # one undecodable byte, as surrogateescape holds it
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
