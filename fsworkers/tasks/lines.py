"""What a command writes, passed on while it runs: whole lines at once."""

from __future__ import annotations

from typing import BinaryIO

LONGEST_BYTES = 1 << 20
"""A line that is longer comes in pieces."""


class Lines:
    """Passes one stream of a command on.

    Args:
        target: Where to; it takes what is written at once in one piece.
        tag: Put before each line.
    """

    def __init__(self, target: BinaryIO, tag: bytes) -> None:
        self._target = target
        self._tag = tag
        self._begun = b""
        self._is_at_start = True

    def add(self, data: bytes) -> None:
        """More has come: write the lines that end in it."""
        data = self._begun + data
        stop = data.rfind(b"\n") + 1
        if len(data) - stop > LONGEST_BYTES:
            stop = len(data)
        self._begun = data[stop:]
        self._write(data[:stop])

    def end(self) -> None:
        """Nothing more will come: the last line has an end as well."""
        if self._begun or not self._is_at_start:
            self._write(self._begun + b"\n")
            self._begun = b""

    def _write(self, data: bytes) -> None:
        if not data:
            return
        tag = self._tag if self._is_at_start else b""
        self._is_at_start = data.endswith(b"\n")
        self._target.write(tag + data[:-1].replace(b"\n", b"\n" + self._tag) + data[-1:])
