"""Bars for the README, as SVG written by hand: one panel a benchmark, the best on top.

The colours read on white and on black, and the text follows what the reader's browser prefers. A
peer that was tried with several chunk sizes is shown with its best.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from benchmarks.figures import shown
from benchmarks.peers import OURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.figures import Line, Measured
    from benchmarks.report import Report

CHARTED = ("tree", "tiny", "blake3", "large", "map-sha256")

_WIDTH = 760
_NAMES_WIDTH = 236
_FIGURE_WIDTH = 80
_BAR_HEIGHT = 16
_ROW_HEIGHT = 24
_TITLE_HEIGHT = 34
_MARGIN = 14

_STYLE = """
    text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; }
    text { fill: #3d444d; }
    .title { font-weight: 600; }
    .ours { font-weight: 600; }
    .bar { fill: #8c959f; }
    .limit { fill: #8c959f; fill-opacity: 0.4; }
    .bar.ours { fill: #2f81f7; }
    @media (prefers-color-scheme: dark) { text { fill: #d1d7e0; } .bar { fill: #6e7681; } }
"""


def chart(report: Report) -> str:
    """A drawing of the lines that are worth one; of none, when none was measured."""
    panels: list[str] = []
    y = _MARGIN
    for line in report.lines:
        rows = contestants(line) if line.benchmark in CHARTED else []
        if rows:
            panels.append(_panel(line, rows, y))
            y += _TITLE_HEIGHT + _ROW_HEIGHT * len(rows) + _MARGIN
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" width="{_WIDTH}"',
            f'height="{y}" role="img" aria-label="{_label(report)}">',
            f"<style>{_STYLE}</style>",
            *panels,
            "</svg>\n",
        )
    )


def contestants(line: Line) -> list[Measured]:
    """Who was measured, the best first, and of several chunk sizes only the best; needs a peer."""
    there = [one for one in (line.ours, *line.peers) if one.values]
    there.sort(key=lambda one: median(one.values), reverse=line.is_more_better)
    kept: dict[str, Measured] = {}
    for one in there:
        kept.setdefault(one.name.split(", chunk ")[0], one)
    return list(kept.values()) if line.ours.values and len(kept) > 1 else []


def _panel(line: Line, rows: Sequence[Measured], top: int) -> str:
    most = max(median(one.values) for one in rows)
    better = "more is better" if line.is_more_better else "less is better"
    title = escape(f"{line.benchmark}: {line.what} ({better})")
    parts = [f'<text class="title" x="{_MARGIN}" y="{top + 16}">{title}</text>']
    for number, one in enumerate(rows):
        parts.append(_row(line, one, most, top + _TITLE_HEIGHT + _ROW_HEIGHT * number))
    return "\n".join(parts)


def _row(line: Line, one: Measured, most: float, top: int) -> str:
    value = median(one.values)
    left = _MARGIN + _NAMES_WIDTH
    width = max(1.0, (_WIDTH - left - _FIGURE_WIDTH - _MARGIN) * value / most)
    base = top + _BAR_HEIGHT // 2 + 5  # of text that stands beside the middle of the bar
    ours = " ours" if one.name.startswith(OURS) else ""
    kind = "limit" if one.is_limit else f"bar{ours}"
    name, figure = escape(one.name), escape(shown(value, line.unit))
    return (
        f'<text class="name{ours}" x="{left - 8}" y="{base}" text-anchor="end">{name}</text>\n'
        f'<rect class="{kind}" x="{left}" y="{top}" width="{width:.1f}" '
        f'height="{_BAR_HEIGHT}" rx="2"/>\n'
        f'<text class="figure{ours}" x="{left + width + 8:.1f}" y="{base}">{figure}</text>'
    )


def _label(report: Report) -> str:
    names = ", ".join(dict.fromkeys(line.benchmark for line in report.lines))
    return escape(f"fsworkers {report.version} beside its peers: {names}", {'"': "&quot;"})
