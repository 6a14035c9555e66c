"""The tables, the chart, and the record that both are made from."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import tables
from benchmarks.chart import chart, contestants
from benchmarks.figures import BEST, Bar, Line, Measured
from benchmarks.report import Machine, Report, read_report, write_report

TREE = Line(
    "tree",
    "whole command over <many> files",
    "s",
    Measured("fsworkers", [0.6, 0.62, 0.64], cpu_s=[1.0] * 3, max_rss_bytes=[5e7] * 3),
    [
        Measured("xargs sha256sum", [0.85, 0.87, 0.9], cpu_s=[1.5] * 3, max_rss_bytes=[4e6] * 3),
        Measured("C, OpenSSL", [0.29, 0.3, 0.31], is_limit=True),
        Measured("rclone", missing="install rclone"),
    ],
    [Bar(0.7, "xargs sha256sum")],
)
MAP = Line(
    "map-sha256",
    "jobs a second",
    "/s",
    Measured("fsworkers Pool.map", [150e3]),
    [
        Measured("ProcessPoolExecutor, chunk 1", [9e3]),
        Measured("ProcessPoolExecutor, chunk 100", [160e3]),
        Measured("joblib", failed="exit code 1: no"),
    ],
    [Bar(0.95, BEST)],
    is_more_better=True,
)
SIZE = Line("journal", "bytes a file", "B", Measured("fsworkers", [110.0]), bars=[Bar(120)])


def report_of(*lines: Line, **more) -> Report:
    """A report from nowhere."""
    machine = Machine("a processor", 2, "Linux 6", "CPython 3.11")
    versions = {"xargs": "4.9", "rclone": None}
    return Report("0.1", "2026-01-01", False, 2, machine, versions, lines=list(lines), **more)


def test_details_show_everybody() -> None:
    """Medians, spreads, ratios; who is missing, and how the bar stands."""
    text = tables.details(TREE)
    ours, theirs, *_ = text.splitlines()[2:]
    assert " ".join(ours.split()) == "fsworkers 0.62 s 0.60 s to 0.64 s 1.00 s 50.0 MB"
    assert "0.711 (0.706 to 0.713)" in theirs
    assert "rclone: missing: install rclone" in text
    assert "bar ≤ 0.7 of xargs sha256sum: missed at 0.711" in text


def test_details_leave_out_columns_that_nobody_fills() -> None:
    """Bytes have no processor time, and nobody to be divided by."""
    assert tables.details(SIZE).splitlines()[1].split() == ["median", "least", "to", "most"]
    assert "bar ≤ 120 B: held at 110 B" in tables.details(SIZE)


def test_the_summary_has_a_row_for_each_bar() -> None:
    """As Markdown, with the peer that counts; benchmarks that failed stand at the end."""
    text = tables.summary(report_of(TREE, MAP, SIZE, problems={"resume": "it broke"}))
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in text.splitlines()]
    assert {len(row) for row in rows} == {6}
    assert [row[0] for row in rows[2:]] == [
        "tree: whole command over <many> files",
        "map-sha256: jobs a second",
        "journal: bytes a file",
        "resume",
    ]
    assert rows[3][1:] == [
        "150 k/s",
        "ProcessPoolExecutor, chunk 100 160 k/s",
        "0.938 (0.938 to 0.938)",
        "≥ 0.95",
        "missed",
    ]
    assert rows[4][1:] == ["110 B", "", "", "≤ 120 B", "held"]
    assert rows[5][5] == "failed: it broke"


def test_the_conditions_name_who_was_missing() -> None:
    """So that nobody takes a short list for all there is."""
    text = tables.conditions(report_of(TREE))
    assert "peers: xargs 4.9" in text
    assert "missing: rclone" in text
    assert "short form" in text


def test_a_report_comes_back_from_its_file(tmp_path: Path) -> None:
    """Nothing is lost in JSON."""
    report = report_of(TREE, MAP, seconds={"tree": 3.5}, problems={"resume": "it broke"})
    write_report(report, tmp_path / "report.json")
    assert read_report(tmp_path / "report.json") == report


@pytest.mark.parametrize(
    ("line", "has_failed"),
    [
        (TREE, False),
        (MAP, False),  # a peer did
        (Line("a", "b", "s", Measured("fsworkers", missing="blake3")), False),
        (Line("a", "b", "s", Measured("fsworkers", failed="exit code 1")), True),
        (Line("a", "b", "s", MAP.ours, [Measured("fsworkers -j 6", failed="no")]), True),
    ],
)
def test_only_failures_of_ours_count(line: Line, has_failed: bool) -> None:
    """A peer that fails is the peer's affair, and a missed bar is a figure."""
    assert report_of(line).has_failed is has_failed
    assert report_of(problems={"tree": "it broke"}).has_failed


def test_the_chart_is_sound_svg_with_a_bar_for_everybody() -> None:
    """The longest bar is the largest figure, names are escaped, dark pages are thought of."""
    text = chart(report_of(TREE, MAP, SIZE))
    root = ET.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    bars = root.findall(f"{space}rect")
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert [bar.attrib["class"] for bar in bars] == ["limit", "bar ours", "bar", "bar", "bar ours"]
    assert widths[:3] == sorted(widths[:3])
    assert widths[3] == widths[2] > widths[4]
    texts = [element.text for element in root.findall(f"{space}text")]
    assert "tree: whole command over <many> files (less is better)" in texts
    assert {"0.62 s", "0.87 s", "160 k/s"} <= set(texts)
    assert "prefers-color-scheme: dark" in text
    height = float(root.attrib["height"])
    assert all(float(bar.attrib["y"]) + float(bar.attrib["height"]) < height for bar in bars)


def test_of_several_chunk_sizes_only_the_best_is_drawn() -> None:
    """Nor is anything drawn where ours or all others are not there."""
    names = [one.name for one in contestants(MAP)]
    assert names == ["ProcessPoolExecutor, chunk 100", "fsworkers Pool.map"]
    assert contestants(SIZE) == []
    assert chart(report_of()).count("<rect") == 0
