"""Output that is passed on line by line."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.tasks import lines
from fsworkers.tasks.lines import Lines


class Target(io.BytesIO):
    """Remembers each piece that is written."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        """Take a piece."""
        self.pieces.append(data)
        return len(data)


@given(st.lists(st.binary(max_size=5).map(lambda piece: piece.replace(b"\0", b"\n"))))
def test_only_whole_lines_are_written_each_behind_the_tag(pieces: list[bytes]) -> None:
    """However they come."""
    target = Target()
    passed = Lines(target, b"f\t")
    for piece in pieces:
        passed.add(piece)
    passed.end()
    whole = b"".join(pieces)
    expected = whole.removesuffix(b"\n").split(b"\n") if whole else []
    assert b"".join(target.pieces) == b"".join(b"f\t" + line + b"\n" for line in expected)
    assert all(piece.endswith(b"\n") for piece in target.pieces)


def test_an_endless_line_comes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it is never all in memory."""
    monkeypatch.setattr(lines, "LONGEST_BYTES", 4)
    target = Target()
    passed = Lines(target, b"f\t")
    for _ in range(4):
        passed.add(b"abc")
    passed.end()
    assert target.pieces == [b"f\tabcabc", b"abcabc", b"\n"]
