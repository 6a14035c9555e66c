"""The plots of the report as plain data, in the form that Plotly's script takes. Pure.

Colours are names in angle brackets; the page puts in those of its light or dark scheme. Every plot
comes with a sentence that says what is to be seen, for those who do not see it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fsworkers.stress.records import SIDES
from fsworkers.stress.wording import in_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsworkers.stress.records import ScenarioResult, Side, SideResult, StressResult, Waits

_SYMBOLS = {
    "kill": "x",
    "stop": "square",
    "gone": "cross-thin-open",
    "worker": "triangle-up",
    "squeeze": "triangle-down",
    "release": "triangle-up-open",
    "inject": "star",
}
_MEANINGS = {
    "kill": "SIGKILL",
    "stop": "SIGSTOP",
    "gone": "worker gone",
    "worker": "worker begins",
    "squeeze": "limit lowered",
    "release": "limit restored",
    "inject": "strace attached",
}
_QUIET = frozenset({"worker", "gone"})
_LINES: dict[str, dict[str, Any]] = {
    "ordinary": {"color": "<ordinary>", "width": 2, "dash": "dot"},
    "fsworkers": {"color": "<fsworkers>", "width": 2},
}


class Plot(msgspec.Struct, frozen=True):
    """A plot.

    Attributes:
        id: Unique on the page.
        title: What is shown.
        text: What is to be seen, in a sentence.
        data: Plotly's traces.
        layout: Plotly's layout.
    """

    id: str
    title: str
    text: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]


def overview(result: StressResult) -> list[Plot]:
    """The plots over all scenarios."""
    names = [one.name for one in result.scenarios]
    return [
        Plot(
            id="overview-done",
            title="Operations done, in percent of those wanted",
            text=_compared(result, "of the operations done", _percent_done, "{:.0f} %"),
            data=_bars(result, names, _percent_done),
            layout=_bar_layout(len(names), "percent"),
        ),
        Plot(
            id="overview-rate",
            title="Throughput: operations done a second",
            text=_compared(result, "operations done a second", lambda side: side.per_s, "{:,.0f}"),
            data=_bars(result, names, lambda side: side.per_s),
            layout=_bar_layout(len(names), "done a second"),
        ),
    ]


def of_scenario(result: ScenarioResult, limit: int) -> list[Plot]:
    """The plots of one scenario."""
    plots = [_descriptors(result, limit), _queue(result)]
    if any(side.waits for side in _sides(result)):
        plots.append(_waits(result))
    is_attacked = any(one.kind not in _QUIET for side in _sides(result) for one in side.events)
    return [*plots, _timeline(result)] if is_attacked else plots


def _descriptors(result: ScenarioResult, limit: int) -> Plot:
    sides = _sides(result)
    end_s = max([0.1, *(sample.at_s for side in sides for sample in side.samples)])
    peaks = " and ".join(f"{side.peak or 0} ({side.side})" for side in sides)
    return Plot(
        id=f"{result.name}-descriptors",
        title="Open descriptors of the fullest worker",
        text=f"Peaks of {peaks}, against a limit of {limit}.",
        data=[
            *(_line(side, [max(0, one.open) for one in side.samples]) for side in sides),
            {
                "type": "scatter",
                "mode": "lines",
                "name": "limit",
                "x": [0, end_s],
                "y": [limit, limit],
                "line": {"color": "<limit>", "width": 2, "dash": "dash"},
            },
        ],
        layout=_time_layout("open"),
    )


def _queue(result: ScenarioResult) -> Plot:
    sides = _sides(result)
    most = " and ".join(
        f"{max((one.waiting for one in side.samples), default=0):,} ({side.side})" for side in sides
    )
    return Plot(
        id=f"{result.name}-queue",
        title="Operations that wait for a descriptor",
        text=f"At most {most} waited at one time.",
        data=[_line(side, [one.waiting for one in side.samples]) for side in sides],
        layout=_time_layout("waiting"),
    )


def _waits(result: ScenarioResult) -> Plot:
    sides = _sides(result)
    told = "; ".join(
        f"{side.side}: half within {in_time(side.waits.p50_s)}, "
        f"99 % within {in_time(side.waits.p99_s)}, all within {in_time(side.waits.max_s)}"
        if side.waits
        else f"{side.side}: not known"
        for side in sides
    )
    return Plot(
        id=f"{result.name}-waits",
        title="How long operations that were done had waited",
        text=f"{told}.",
        data=[_cumulated(side, side.waits) for side in sides if side.waits],
        layout={
            "xaxis": {"type": "log", "title": {"text": "seconds"}, "exponentformat": "power"},
            "yaxis": {"title": {"text": "percent of those wanted"}, "range": [0, 103]},
        },
    )


def _cumulated(side: SideResult, waits: Waits) -> dict[str, Any]:
    """The share of the wanted operations that had their descriptor within so many seconds.

    Those of which it is not known how long they waited are taken to be like the others.
    """
    bounds, shares = [], []
    seen = 0
    percent = 100 * side.done / (side.wanted * sum(waits.counts.values()))
    for bound, count in waits.counts.items():
        seen += count
        bounds.append(float(bound))
        shares.append(round(percent * seen, 2))
    return {
        "type": "scatter",
        "mode": "lines",
        "name": side.side,
        "x": bounds,
        "y": shares,
        "line": {**_LINES[side.side], "shape": "hv"},
    }


def _timeline(result: ScenarioResult) -> Plot:
    sides = _sides(result)
    traces = []
    for kind, symbol in _SYMBOLS.items():
        points = [
            (one.at_s, side.side, one) for side in sides for one in side.events if one.kind == kind
        ]
        if points:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": _MEANINGS[kind],
                    "x": [round(at_s, 3) for at_s, _, _ in points],
                    "y": [name for _, name, _ in points],
                    "text": [f"pid {one.pid} {one.note}".strip() for _, _, one in points],
                    "marker": {
                        "symbol": symbol,
                        "size": 11,
                        "color": "<limit>" if kind in {"kill", "stop", "gone"} else "<ink>",
                        "line": {"width": 2, "color": "<ink>"},
                    },
                }
            )
    deaths = "; ".join(
        f"{side.side}: {side.survived} of {side.deaths} deaths survived, "
        f"{sum(one.kind == 'worker' for one in side.events)} workers in all"
        for side in sides
    )
    return Plot(
        id=f"{result.name}-timeline",
        title="Kills and recoveries",
        text=f"{deaths}.",
        data=traces,
        layout={
            **_time_layout(""),
            "yaxis": {"type": "category", "categoryarray": list(SIDES), "range": [-0.6, 1.6]},
        },
    )


def _sides(result: ScenarioResult) -> tuple[SideResult, SideResult]:
    return result.ordinary, result.fsworkers


def _line(side: SideResult, values: list[int]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines" if len(values) > 1 else "markers",
        "name": side.side,
        "x": [round(sample.at_s, 3) for sample in side.samples],
        "y": values,
        "line": _LINES[side.side],
        "marker": {"color": _LINES[side.side]["color"]},
    }


def _bars(result: StressResult, names: list[str], figure: Any) -> list[dict[str, Any]]:
    patterns = {"ordinary": "/", "fsworkers": ""}
    return [
        {
            "type": "bar",
            "orientation": "h",
            "name": side,
            "y": names,
            "x": [round(figure(_side(one, side)), 2) for one in result.scenarios],
            "marker": {"color": f"<{side}>", "pattern": {"shape": patterns[side]}},
        }
        for side in SIDES
    ]


def _side(result: ScenarioResult, side: Side) -> SideResult:
    return result.ordinary if side == "ordinary" else result.fsworkers


def _percent_done(side: SideResult) -> float:
    """Operations that ended as they should: done, or crashed where they were meant to."""
    return 100 * (side.done + side.crashed) / side.wanted if side.wanted else 0.0


def _compared(result: StressResult, what: str, figure: Any, form: str) -> str:
    """The figures of all scenarios in a sentence."""
    pairs: Iterable[str] = (
        f"{one.name} {form.format(figure(one.ordinary))} against "
        f"{form.format(figure(one.fsworkers))}"
        for one in result.scenarios
    )
    return f"Ordinary code against fsworkers, {what}: {'; '.join(pairs)}."


def _bar_layout(count: int, title: str) -> dict[str, Any]:
    return {
        "barmode": "group",
        "height": 130 + 44 * count,
        "xaxis": {"title": {"text": title}},
        "yaxis": {"autorange": "reversed", "automargin": True},
    }


def _time_layout(title: str) -> dict[str, Any]:
    return {
        "xaxis": {"title": {"text": "seconds"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": title}, "rangemode": "tozero"},
    }
