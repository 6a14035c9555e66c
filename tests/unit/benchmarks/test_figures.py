"""Medians, ratios and bars."""

from __future__ import annotations

import pytest

from benchmarks.figures import (
    BEST,
    Bar,
    Line,
    Measured,
    Unit,
    best_peer,
    ratios,
    shown,
    spread,
    verdicts,
)


def line_of(ours: list[float], *peers: Measured, bars: list[Bar] | None = None, **more) -> Line:
    """A line of seconds."""
    return Line("tree", "all", "s", Measured("fsworkers", ours), list(peers), bars or [], **more)


def test_ratios_are_taken_round_by_round() -> None:
    """The ratio's median is not the ratio of the medians, when the machine has drifted."""
    ours, theirs = Measured("fsworkers", [1.0, 2.0, 8.0]), Measured("xargs", [2.0, 4.0, 4.0])
    assert ratios(ours, theirs) == [0.5, 0.5, 2.0]
    assert spread(ratios(ours, theirs)) == (0.5, 0.5, 2.0)


def test_ratios_end_with_the_shorter_one() -> None:
    """A slow peer that took part in the first round only is compared in that one."""
    assert ratios(Measured("fsworkers", [3.0, 4.0]), Measured("slow", [6.0])) == [0.5]


@pytest.mark.parametrize(
    ("is_more_better", "limit", "state"),
    [(False, 0.5, "held"), (False, 0.49, "missed"), (True, 0.5, "held"), (True, 0.51, "missed")],
)
def test_a_bar_holds_on_its_side_and_at_it(is_more_better: bool, limit: float, state: str) -> None:
    """Times are held from above, rates from below."""
    line = line_of(
        [1.0],
        Measured("xargs", [2.0]),
        bars=[Bar(limit, "xargs")],
        is_more_better=is_more_better,
    )
    (verdict,) = verdicts(line)
    assert verdict.state == state
    assert verdict.figure == (0.5, 0.5, 0.5)


def test_a_bar_without_a_peer_is_held_by_the_figure_itself() -> None:
    """As for bytes a file."""
    (verdict,) = verdicts(line_of([119.0, 120.0, 130.0], bars=[Bar(120)]))
    assert verdict.state == "held"
    assert verdict.against is None


def test_the_best_peer_is_no_limit_and_none_that_failed() -> None:
    """What can be reached at all is nobody's result."""
    ideal = Measured("the ideal", [9.0], is_limit=True)
    broken = Measured("joblib", failed="exit code 1")
    peers = (ideal, Measured("mpire", [3.0]), Measured("pebble", [5.0]), broken)
    line = line_of([4.0], *peers, bars=[Bar(0.9, BEST), Bar(0.5, "the ideal")], is_more_better=True)
    best = best_peer(line)
    assert best is not None
    assert best.name == "pebble"
    assert [verdict.state for verdict in verdicts(line)] == ["missed", "missed"]
    best = best_peer(line_of([4.0], *peers))
    assert best is not None
    assert best.name == "mpire"


def test_who_is_not_there_leaves_the_bar_undecided() -> None:
    """A missing peer, a missing library of ours, and a failure of ours are told apart."""
    bars = [Bar(0.7, "xargs")]
    absent = Measured("xargs", missing="install findutils")
    assert verdicts(line_of([1.0], absent, bars=bars))[0].state == "unknown"
    for ours, state in (
        (Measured("fsworkers", missing="install blake3"), "unknown"),
        (Measured("fsworkers", failed="exit code 3"), "failed"),
    ):
        line = Line("tree", "all", "s", ours, [Measured("xargs", [1.0])], bars)
        assert verdicts(line)[0].state == state


def test_without_a_bar_ours_is_compared_with_the_best() -> None:
    """The verdict has a figure and no state."""
    (verdict,) = verdicts(line_of([1.0], Measured("a", [2.0]), Measured("b", [4.0])))
    assert verdict.against is not None
    assert verdict.against.name == "a"
    assert verdict.figure == (0.5, 0.5, 0.5)
    assert verdict.state == ""


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (12.34, "s", "12.3 s"),
        (0.62, "s", "0.62 s"),
        (0.0451, "s", "45.1 ms"),
        (3.2e-6, "s", "3.20 µs"),
        (0.0, "s", "0.00 ns"),
        (-2e-6, "s", "-2.00 µs"),
        (183_400, "/s", "183 k/s"),
        (5.2e6, "/s", "5.20 M/s"),
        (79_430_000, "B", "79.4 MB"),
        (118.4, "B", "118 B"),
        (1.0523, "", "1.052"),
        (0.7, "", "0.700"),
        (12.51, "", "12.5"),
    ],
)
def test_values_are_shown_with_a_fitting_unit(value: float, unit: Unit, text: str) -> None:
    """Three digits or so."""
    assert shown(value, unit) == text
