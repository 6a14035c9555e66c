"""Figures as text: one table a line for who wants to see everybody, one of all bars at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.figures import ratios, shown, spread, verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.figures import Bar, Line, Measured, Spread, Verdict
    from benchmarks.report import Report

_COLUMNS = ("", "median", "least to most", "ours / theirs", "CPU", "peak memory")


def details(line: Line) -> str:
    """Every contestant of a line: median, spread, and how many times theirs is ours."""
    everybody = (line.ours, *line.peers)
    rows = [_COLUMNS, *(_row(line, one) for one in everybody)]
    columns = list(zip(*rows, strict=True))
    kept = [column for column in columns if any(column[1:])]
    texts = [f"{line.benchmark}: {line.what}", *_aligned(list(zip(*kept, strict=True)))]
    texts += [f"    {one.name}: {why}" for one in everybody if (why := _absence(one))]
    texts += [f"    {_sentence(line, verdict)}" for verdict in verdicts(line) if verdict.bar]
    return "\n".join(texts)


def summary(report: Report) -> str:
    """All bars, in Markdown: ours, the peer that counts, their ratio, and whether the bar holds."""
    rows: list[tuple[str, ...]] = [
        ("benchmark", "ours", "peer", "ratio", "bar", ""),
        ("---", "---:", "---", "---:", "---", "---"),
    ]
    for line in report.lines:
        rows += [_summary_row(line, verdict) for verdict in verdicts(line)]
    rows += [(name, "", "", "", "", f"failed: {why}") for name, why in report.problems.items()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def conditions(report: Report) -> str:
    """A sentence on where and with whom it was measured."""
    machine = report.machine
    there = [f"{name} {version}" for name, version in report.peers.items() if version]
    missing = [name for name, version in report.peers.items() if not version]
    form = "full" if report.is_full else "short form: smaller trees and fewer rounds than the bars"
    texts = [
        f"fsworkers {report.version}, {report.workers} workers, {form}",
        f"on {machine.python}, {machine.system}, {machine.processor}, {machine.cores} cores",
        f"peers: {', '.join(there)}",
    ]
    if missing:
        texts.append(f"missing: {', '.join(missing)}")
    return "\n".join(texts)


def _row(line: Line, one: Measured) -> tuple[str, ...]:
    if not one.values:
        return (one.name, "missing" if one.missing else "failed", "", "", "", "")
    both = ratios(line.ours, one) if one is not line.ours else []
    values = spread(one.values)
    return (
        one.name,
        shown(values.median, line.unit),
        f"{shown(values.least, line.unit)} to {shown(values.most, line.unit)}",
        _ratio(spread(both)) if both else "",
        shown(spread(one.cpu_s).median, "s") if one.cpu_s else "",
        shown(spread(one.max_rss_bytes).median, "B") if one.max_rss_bytes else "",
    )


def _absence(one: Measured) -> str:
    if one.missing:
        return f"missing: {one.missing}"
    return f"failed: {one.failed}" if one.failed else ""


def _summary_row(line: Line, verdict: Verdict) -> tuple[str, ...]:
    ours, peer = line.ours, verdict.against
    theirs = ""
    if peer is not None:
        value = f" {shown(spread(peer.values).median, line.unit)}" if peer.values else ""
        theirs = peer.name + (value or f" ({_absence(peer)})")
    return (
        f"{line.benchmark}: {line.what}",
        shown(spread(ours.values).median, line.unit) if ours.values else _absence(ours),
        theirs,
        _ratio(verdict.figure) if verdict.figure and peer is not None else "",
        _limit(line, verdict.bar) if verdict.bar else "",
        verdict.state,
    )


def _sentence(line: Line, verdict: Verdict) -> str:
    bar = verdict.bar
    assert bar is not None
    of_whom = f" of {bar.against}" if bar.against else ""
    if bar.against and verdict.against and verdict.against.name != bar.against:
        of_whom += f", {verdict.against.name}"
    figure = ""
    if verdict.figure:
        median = verdict.figure.median
        figure = f" at {shown(median, '' if bar.against else line.unit)}"
    return f"bar {_limit(line, bar)}{of_whom}: {verdict.state}{figure}"


def _limit(line: Line, bar: Bar) -> str:
    sign = "≥" if line.is_more_better else "≤"
    return f"{sign} {f'{bar.limit:g}' if bar.against else shown(bar.limit, line.unit)}"


def _ratio(values: Spread) -> str:
    median, least, most = (shown(value, "") for value in values)
    return f"{median} ({least} to {most})"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "    "
        + "   ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
