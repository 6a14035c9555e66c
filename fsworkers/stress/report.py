"""The report: one HTML file that loads nothing, with the plots people would rather look at.

The table begins with what went wrong, which is what a narrow screen has room for.
"""

from __future__ import annotations

from html import escape
from string import Template
from typing import TYPE_CHECKING, Any

from fsworkers.errors import MissingExtra
from fsworkers.stress.verdict import HEADINGS, broken_lines, cells, is_right, notes, verdict

try:
    from plotly.io import to_html
    from plotly.offline import get_plotlyjs
except ImportError as error:
    raise MissingExtra("plotly, which draws the report,", "report") from error

if TYPE_CHECKING:
    from fsworkers.stress.model import ScenarioResult, SideResult, StressResult

COLUMNS = ("scenario", "side", "went wrong", "done", *HEADINGS[4:])

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';
 script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:">
<title>fsworkers stress</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1c1f24; --soft: #5a6270;
  --grid: #d9dde3; --wrong: #b3131b; --right: #0f6b2f; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171c; --ink: #e8ebf0; --soft: #a6afbd; --grid: #343b46;
    --wrong: #ff8a8a; --right: #6fd897; }
  .plot { filter: invert(1) hue-rotate(180deg); } }
body { margin: 0 auto; max-width: 80rem; padding: 1rem; background: var(--ground);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
.verdict { font-weight: 600; border-left: 0.4rem solid; padding-left: 0.8rem; }
.right, .right ~ td:nth-child(4) { color: var(--right); }
.wrong, .wrong ~ td:nth-child(3), .wrong ~ td:nth-child(4) { color: var(--wrong); }
.scroll { overflow-x: auto; margin-bottom: 1.5rem; }
pre { white-space: pre-wrap; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.9rem; }
th, td { text-align: left; padding: 0.25rem 0.5rem; border-bottom: 1px solid var(--grid);
  white-space: nowrap; }
td:nth-child(3) { white-space: normal; min-width: 8rem; }
.grid { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); }
figure { margin: 0; min-width: 0; } figcaption { font-size: 0.9rem; color: var(--soft); }
figcaption strong { color: var(--ink); }
</style>
<script>$plotly</script>
</head>
<body>
<h1>fsworkers stress</h1>
<p class="verdict $kind" role="status">$verdict</p>
$details
<p>$where.</p>
<p>Repeat it with <code>$command</code></p>
<h2>Ordinary code beside fsworkers</h2>
<div class="scroll" tabindex="0" role="region" aria-label="All figures">$table</div>
$overview
$scenarios
<script>dispatchEvent(new Event("resize"));  // the page has its width only now</script>
</body>
</html>
""")

STYLES: dict[str, dict[str, Any]] = {
    "ordinary": {"color": "#a34a00", "dash": "dot"},
    "fsworkers": {"color": "#1549c4"},
}
SYMBOLS = {"kill": "x", "stop": "square", "squeeze": "triangle-down", "inject": "star"}
LAYOUT: dict[str, Any] = {
    "template": "none",
    "height": 300,
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"color": "#1c1f24", "family": "system-ui, sans-serif"},
    "margin": {"l": 50, "r": 12, "t": 8, "b": 40},
    "legend": {"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0},
    "showlegend": True,
    "xaxis": {"title": {"text": "seconds"}, "rangemode": "tozero", "automargin": True},
    "yaxis": {"rangemode": "tozero", "automargin": True},
}


def make_page(result: StressResult) -> str:
    """The whole page."""
    plan, machine = result.plan, result.machine
    details = "".join(f"<li>{escape(one)}</li>" for one in notes(result))
    for one in result.scenarios:
        if one.broken:
            story = escape("\n".join(broken_lines(one)))
            details += f'<li class="wrong"><pre>{story}</pre></li>'
    where = (
        f"{machine['began']}, {machine['system']}, {machine['processors']} processors, Python "
        f"{machine['python']}, fsworkers {machine['fsworkers']}; {plan.files:,} files of "
        f"{plan.size_bytes:,} bytes; each worker wants up to {plan.concurrency:,} open at one time"
    )
    return PAGE.substitute(
        plotly=get_plotlyjs().replace("</script", "<\\/script"),
        kind="right" if result.is_kept else "wrong",
        verdict=escape(verdict(result)),
        details=f"<ul>{details}</ul>" if details else "",
        where=escape(where),
        command=escape(result.command),
        table=_table(result),
        overview=_overview(result),
        scenarios="".join(_section(one, plan.limit) for one in result.scenarios),
    )


def _table(result: StressResult) -> str:
    rows = ["".join(f'<th scope="col">{one}</th>' for one in COLUMNS)]
    for scenario in result.scenarios:
        for side in (scenario.ordinary, scenario.fsworkers):
            texts = [escape(cells(scenario, side)[name]) for name in COLUMNS]
            kind = "right" if is_right(side) else "wrong"
            row = "".join(f"<td>{text}</td>" for text in texts[1:])
            rows.append(f'<th scope="row" class="{kind}">{texts[0]}</th>{row}')
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"


def _overview(result: StressResult) -> str:
    names = [one.name for one in result.scenarios]
    bars, upwards = [], {"autorange": "reversed", "automargin": True}
    for name, pattern in (("ordinary", "/"), ("fsworkers", "")):
        sides: list[SideResult] = [getattr(one, name) for one in result.scenarios]
        percents = [100 * (side.done + side.crashed) / side.wanted for side in sides]
        marker = {"color": STYLES[name]["color"], "pattern": {"shape": pattern}}
        bar = {"type": "bar", "orientation": "h", "name": name, "x": percents, "y": names}
        bars.append(bar | {"marker": marker})
    return _figure(
        "Done, in percent of what was wanted",
        "What is missing from a bar has failed, was read wrongly, or was never heard of again.",
        bars,
        {"height": 130 + 44 * len(names), "xaxis": {"range": [0, 101]}, "yaxis": upwards},
    )


def _section(result: ScenarioResult, limit: int) -> str:
    sides = (result.ordinary, result.fsworkers)
    marks = [
        _trace(side, [(one.at_s, 0) for one in struck])
        | {"mode": "markers", "name": f"{kind}, {side.side}", "text": [one.note for one in struck]}
        | {"marker": {"symbol": symbol, "size": 10, "color": STYLES[side.side]["color"]}}
        for side in sides
        for kind, symbol in SYMBOLS.items()
        if (struck := [one for one in side.events if one.kind == kind])
    ]
    opened = [_trace(side, [(one.at_s, one.open) for one in side.samples]) for side in sides]
    waiting = [_trace(side, [(one.at_s, one.waiting) for one in side.samples]) for side in sides]
    at_limit = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": limit, "y1": limit}
    figures = _figure(
        "Open descriptors of the fullest worker",
        "Up to the limit (dashed) ordinary code takes what it gets; fsworkers waits below it."
        + (" The marks at the foot say when workers were attacked." if marks else ""),
        opened + marks,
        {"shapes": [at_limit | {"line": {"color": "#b3131b", "dash": "dash"}}]},
    ) + _figure(
        "Operations that wait for a descriptor",
        "A queue that falls to nothing was served to its end; ordinary code fails instead.",
        waiting,
    )
    sentence = escape(result.proves[0].upper() + result.proves[1:])
    return f'<h2>{escape(result.name)}</h2><p>{sentence}.</p><div class="grid">{figures}</div>'


def _trace(side: SideResult, points: list[tuple[float, int]]) -> dict[str, Any]:
    mode = "lines" if len(points) > 1 else "markers"
    style = {"line": STYLES[side.side], "marker": {"color": STYLES[side.side]["color"]}}
    x, y = [x for x, _ in points], [max(0, y) for _, y in points]
    return {"type": "scatter", "mode": mode, "name": side.side, "x": x, "y": y} | style


def _figure(
    title: str, caption: str, data: list[dict[str, Any]], layout: dict[str, Any] | None = None
) -> str:
    drawn = to_html(
        {"data": data, "layout": LAYOUT | (layout or {})},
        config={"responsive": True, "displayModeBar": False},
        include_plotlyjs=False,
        full_html=False,
    )
    return (
        f"<figure><figcaption><strong>{title}.</strong> {caption}</figcaption>"
        f'<div class="plot" role="img" aria-label="{title}. {caption}">{drawn}</div></figure>'
    )
