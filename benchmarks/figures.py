"""What was measured, and what it comes to: medians, spreads, ratios, bars. Pure, over plain data.

A *line* is one figure of a benchmark, for us and for each peer: wall time, jobs a second, bytes.
Every contestant has one value a round. Ratios are taken pair by pair, ours and theirs of one round,
because the speed of a machine drifts; their median is what a bar is held against.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

Unit = Literal["s", "/s", "B", ""]
"""Seconds, a second, bytes, or a bare ratio; how large a multiple is shown, ``shown`` decides."""

BEST = "the best peer"
"""What a bar says that is held against whoever was best."""

_SCALES: dict[Unit, tuple[tuple[float, str], ...]] = {
    "s": ((1, " s"), (1e-3, " ms"), (1e-6, " µs"), (1e-9, " ns")),
    "/s": ((1e6, " M/s"), (1e3, " k/s"), (1, " /s")),
    "B": ((1e9, " GB"), (1e6, " MB"), (1e3, " kB"), (1, " B")),
    "": ((1, ""),),
}


class Bar(msgspec.Struct, frozen=True):
    """What we hold ourselves to.

    Attributes:
        limit: The largest figure that holds, or the smallest where more is better.
        against: The peer that ours is divided by, or ``BEST``; ``None`` when the figure itself is
            held to the limit.
    """

    limit: float
    against: str | None = None


class Measured(msgspec.Struct, frozen=True):
    """One contestant in a line.

    Attributes:
        name: Who it is.
        values: One a round, in the line's unit; empty if it is missing or has failed.
        cpu_s: Processor time of each round, user and system, where a command was measured.
        max_rss_bytes: Largest resident memory of one of its processes, likewise.
        missing: What to install so that it can take part.
        failed: What went wrong.
        is_limit: It is what can be reached at all, and so no peer to be best.
    """

    name: str
    values: list[float] = []
    cpu_s: list[float] = []
    max_rss_bytes: list[float] = []
    missing: str | None = None
    failed: str | None = None
    is_limit: bool = False


class Line(msgspec.Struct, frozen=True):
    """One figure of a benchmark.

    Attributes:
        benchmark: The benchmark's name.
        what: What the figure is, and of how many files.
        unit: Of all values.
        ours: What we came to.
        peers: What the others did, in the order in which they took their turns.
        bars: What is expected of ours.
        is_more_better: Whether it is a rate; less is better otherwise.
    """

    benchmark: str
    what: str
    unit: Unit
    ours: Measured
    peers: list[Measured] = []
    bars: list[Bar] = []
    is_more_better: bool = False


class Spread(NamedTuple):
    """The middle of some values and their ends."""

    median: float
    least: float
    most: float


class Verdict(NamedTuple):
    """How ours stands to a bar, or to a peer without one.

    Attributes:
        against: The peer that it was compared with, if with any.
        figure: The ratio, or ours itself; ``None`` when there is nothing to compare.
        bar: The bar, if there is one.
        state: ``held`` or ``missed``; ``failed`` when ours did; ``unknown`` when one of the two is
            not there; empty without a bar.
    """

    against: Measured | None
    figure: Spread | None
    bar: Bar | None
    state: Literal["held", "missed", "failed", "unknown", ""]


def spread(values: Sequence[float]) -> Spread:
    """The median, the smallest and the largest of at least one value."""
    return Spread(median(values), min(values), max(values))


def ratios(ours: Measured, theirs: Measured) -> list[float]:
    """Ours divided by theirs, round by round, as far as both went."""
    return [a / b for a, b in zip(ours.values, theirs.values, strict=False) if b]


def best_peer(line: Line) -> Measured | None:
    """The peer with the best median, if any was measured."""
    there = [peer for peer in line.peers if peer.values and not peer.is_limit]
    choose = max if line.is_more_better else min
    return choose(there, key=lambda peer: median(peer.values)) if there else None


def verdicts(line: Line) -> list[Verdict]:
    """One for each bar; without any, how ours stands to the best peer."""
    return [_verdict(line, bar) for bar in line.bars] or [_comparison(line)]


def holds(figure: float, line: Line, bar: Bar) -> bool:
    """Whether a figure is on the right side of a bar, or at it."""
    return figure >= bar.limit if line.is_more_better else figure <= bar.limit


def shown(value: float, unit: Unit) -> str:
    """A value with its unit: ``0.62 s``, ``183 k/s``, ``79.4 MB``; ratios to the thousandth."""
    scales = _SCALES[unit]
    factor, name = next((one for one in scales if abs(value) >= one[0]), scales[-1])
    if unit == "s" and 0.1 <= abs(value) < 1:
        factor, name = scales[0]  # tenths of a second read better than hundreds of milliseconds
    scaled = value / factor
    digits = 0 if abs(scaled) >= 100 else 1 if abs(scaled) >= 10 else 2 if unit else 3
    return f"{scaled:.{digits}f}{name}"


def _verdict(line: Line, bar: Bar) -> Verdict:
    peer = None if bar.against is None else _peer(line, bar.against)
    if not line.ours.values:
        return Verdict(peer, None, bar, _without(line.ours))
    if bar.against is None:
        figure = spread(line.ours.values)
    else:
        both = ratios(line.ours, peer) if peer is not None else []
        if not both:
            return Verdict(peer, None, bar, "unknown")
        figure = spread(both)
    return Verdict(peer, figure, bar, "held" if holds(figure.median, line, bar) else "missed")


def _comparison(line: Line) -> Verdict:
    peer = best_peer(line)
    if not line.ours.values:
        return Verdict(peer, None, None, _without(line.ours))
    both = ratios(line.ours, peer) if peer is not None else []
    return Verdict(peer, spread(both) if both else None, None, "")


def _without(ours: Measured) -> Literal["unknown", "failed"]:
    return "unknown" if ours.missing else "failed"


def _peer(line: Line, name: str) -> Measured | None:
    if name == BEST:
        return best_peer(line)
    return next((peer for peer in line.peers if peer.name == name), None)
