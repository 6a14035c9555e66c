"""The report: one HTML file that needs no network, with the plots people would rather look at."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import msgspec

from fsworkers.errors import MissingExtra
from fsworkers.stress.page import PAGE, SCRIPT, STYLE
from fsworkers.stress.plots import Plot, of_scenario, overview
from fsworkers.stress.wording import HEADINGS, broken_lines, cells, notes, verdict

if TYPE_CHECKING:
    from fsworkers.stress.records import ScenarioResult, StressResult


def load_plotly() -> str:
    """Plotly's script, to be put into the page.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise MissingExtra("plotly, which draws the report,", "report") from error
    script: str = get_plotlyjs()
    return script


def make_page(result: StressResult, plotly: str) -> str:
    """The whole page.

    Args:
        result: What is reported.
        plotly: Plotly's script.
    """
    shared = overview(result)
    parts = {one.name: of_scenario(one, result.plan.limit) for one in result.scenarios}
    plots = [*shared, *(plot for some in parts.values() for plot in some)]
    filled = {
        "style": STYLE,
        "plotly": plotly.replace("</script", "<\\/script"),
        "plots": _embedded(plots),
        "script": SCRIPT,
        "verdict": escape(verdict(result)),
        "kind": "kept" if result.is_kept else "broken",
        "details": "".join(f"<li>{escape(one)}</li>" for one in _details(result)),
        "command": escape(result.command),
        "machine": escape(_machine(result)),
        "table": _table(result),
        "overview": _figures(shared),
        "scenarios": "".join(_section(one, parts[one.name]) for one in result.scenarios),
    }
    page = PAGE
    for name, text in filled.items():
        page = page.replace(f"[[{name}]]", text, 1)
    return page


def _embedded(plots: list[Plot]) -> str:
    """The plots as JSON that may stand inside of a script element."""
    text = msgspec.json.encode(plots).decode()
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _details(result: StressResult) -> list[str]:
    return [*broken_lines(result), *notes(result)]


def _machine(result: StressResult) -> str:
    machine, plan = result.machine, result.plan
    return (
        f"{machine.began}, {machine.system}, {machine.processors} processors, Python "
        f"{machine.python}, fsworkers {machine.fsworkers}; {plan.files:,} files of "
        f"{plan.size_bytes:,} bytes, {plan.workers} workers with a limit of {plan.limit} "
        f"descriptors each, {plan.concurrency:,} files wanted open at one time in each, "
        f"seed {plan.seed}"
    )


def _table(result: StressResult) -> str:
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in HEADINGS)
    rows = []
    for scenario in result.scenarios:
        for side in (scenario.ordinary, scenario.fsworkers):
            name, *rest = (escape(cell) for cell in cells(scenario, side))
            first = f'<th scope="row">{name}</th>'
            is_right = side.done + side.crashed == side.wanted
            row = "".join(f"<td>{cell}</td>" for cell in rest)
            rows.append(f'<tr class="{"right" if is_right else "wrong"}">{first}{row}</tr>')
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _section(result: ScenarioResult, plots: list[Plot]) -> str:
    return (
        f'<section id="{escape(result.name)}"><h2>{escape(result.name)}</h2>'
        f"<p>{escape(_sentence(result.proves))}.</p>"
        f'<div class="grid">{_figures(plots)}</div></section>'
    )


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _figures(plots: list[Plot]) -> str:
    return "".join(
        f"<figure><figcaption><strong>{escape(one.title)}.</strong> "
        f'<span id="text-{one.id}">{escape(one.text)}</span></figcaption>'
        f'<div class="plot" id="plot-{one.id}" role="img" aria-label="{escape(one.title)}" '
        f'aria-describedby="text-{one.id}"></div></figure>'
        for one in plots
    )
