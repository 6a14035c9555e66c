"""Columns of text side by side, as wide as a terminal allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["laid_out"]

NARROWEST = 6
"""No column is made narrower than so."""


def laid_out(rows: Sequence[Sequence[str]], is_right: Sequence[bool], width: int) -> list[str]:
    """Rows as lines.

    Args:
        rows: Printable texts, as many in each; the first in a row is cut at its beginning.
        is_right: Which columns are flush right.
        width: Columns of the terminal; 0 for as many as it takes.
    """
    widths = _fitted([max(map(cell_len, column)) for column in zip(*rows, strict=True)], width)
    lines = []
    for row in rows:
        first, *rest = zip(row, widths, is_right, strict=True)
        cells = [_cut(*first, is_end_shown=True), *(_cut(*one) for one in rest)]
        lines.append("  ".join(cells).rstrip())
    return lines


def _fitted(widths: list[int], most: int) -> list[int]:
    """Widths of columns, of which the widest have given way where a terminal is narrower."""
    most -= 2 * (len(widths) - 1)
    while 0 < most < sum(widths) and (widest := max(widths)) > NARROWEST:
        widths[widths.index(widest)] -= 1
    return widths


def _cut(text: str, width: int, is_right: bool = False, *, is_end_shown: bool = False) -> str:
    """Text of a width, with an ellipsis where it is cut: at its beginning or at its end."""
    if cell_len(text) > width:
        while cell_len(text) >= width:
            text = text[1:] if is_end_shown else text[:-1]
        text = f"…{text}" if is_end_shown else f"{text}…"
    space = " " * (width - cell_len(text))
    return space + text if is_right else text + space
