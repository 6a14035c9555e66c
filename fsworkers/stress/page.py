"""The page around the report's plots: its frame, its style, and the script that draws them.

Everything is inside of the one file, and the page's own policy forbids it to load anything else.
"""

from __future__ import annotations

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline';
 style-src 'unsafe-inline'; img-src data: blob:">
<meta name="color-scheme" content="light dark">
<title>fsworkers stress</title>
<link rel="icon" href="data:,">
<style>[[style]]</style>
</head>
<body>
<main>
<header>
<h1>fsworkers stress</h1>
<p class="verdict [[kind]]" role="status">[[verdict]]</p>
<ul>[[details]]</ul>
<p>[[machine]].</p>
<p>Repeat it with <code>[[command]]</code></p>
</header>
<section id="figures"><h2>Ordinary code beside fsworkers</h2>
<div class="scroll" tabindex="0" role="region" aria-label="All figures">[[table]]</div>
<div class="grid">[[overview]]</div></section>
[[scenarios]]
</main>
<script>[[plotly]]</script>
<script type="application/json" id="plots">[[plots]]</script>
<script>[[script]]</script>
</body>
</html>
"""

STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1c1f24; --soft: #5a6270;
  --grid: #d9dde3; --ordinary: #a34a00; --fsworkers: #1549c4; --limit: #b3131b; --kept: #0f6b2f; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171c; --ink: #e8ebf0; --soft: #a6afbd; --grid: #343b46;
    --ordinary: #ffb066; --fsworkers: #86b1ff; --limit: #ff8a8a; --kept: #6fd897; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 80rem; margin: 0 auto; padding: 1rem; }
h1 { margin: 0.5rem 0; } h2 { margin: 2rem 0 0.3rem; }
.verdict { font-weight: 600; border-left: 0.4rem solid; padding-left: 0.8rem; }
.kept { color: var(--kept); } .broken { color: var(--limit); }
code { overflow-wrap: anywhere; }
li { overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin-bottom: 1.5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.9rem; }
th, td { text-align: left; padding: 0.25rem 0.55rem; border-bottom: 1px solid var(--grid);
  white-space: nowrap; }
td:nth-child(4) { white-space: normal; min-width: 9rem; }
tr.wrong td:nth-child(3), tr.wrong td:nth-child(4) { color: var(--limit); font-weight: 600; }
tr.right td:nth-child(3) { color: var(--kept); font-weight: 600; }
.grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
figure { margin: 0; min-width: 0; } figcaption { font-size: 0.9rem; color: var(--soft); }
figcaption strong { color: var(--ink); }
.plot { width: 100%; min-height: 18rem; }
"""

SCRIPT = """
(function () {
  const plots = JSON.parse(document.getElementById('plots').textContent);
  const scheme = window.matchMedia('(prefers-color-scheme: dark)');
  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  }
  function coloured(value) {
    if (typeof value === 'string') {
      const match = /^<([a-z]+)>$/.exec(value);
      return match ? colour(match[1]) : value;
    }
    if (Array.isArray(value)) return value.map(coloured);
    if (value && typeof value === 'object') {
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, coloured(one)]));
    }
    return value;
  }
  function axis(given) {
    return Object.assign({ gridcolor: colour('grid'), zerolinecolor: colour('grid'),
      linecolor: colour('soft'), automargin: true, fixedrange: true }, given);
  }
  function draw(plot) {
    const layout = coloured(plot.layout);
    return Plotly.react('plot-' + plot.id, coloured(plot.data),
      Object.assign({ height: 300 }, layout, {
      paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)',
      font: { color: colour('ink'), family: 'system-ui, sans-serif', size: 13 },
      margin: { l: 50, r: 12, t: 8, b: 40 },
      legend: { orientation: 'h', y: 1, yanchor: 'bottom', x: 0 },
      showlegend: true, hovermode: 'closest',
      xaxis: axis(layout.xaxis), yaxis: axis(layout.yaxis) }),
      { responsive: true, displayModeBar: false, displaylogo: false });
  }
  function drawAll() { return Promise.all(plots.map(draw)); }
  drawAll().then(function () { document.documentElement.dataset.drawn = plots.length; });
  scheme.addEventListener('change', drawAll);
})();
"""
