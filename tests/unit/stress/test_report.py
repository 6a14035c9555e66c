"""The report as a page."""

from __future__ import annotations

import re

import pytest

from tests.unit.stress.results import result_of

report = pytest.importorskip("fsworkers.stress.report")


@pytest.fixture
def short_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """What draws the plots is five million characters that nobody looks at here."""
    monkeypatch.setattr(report, "get_plotlyjs", lambda: "/* the library */</script>")


@pytest.mark.usefixtures("short_script")
def test_the_page_is_whole_and_escaped() -> None:
    """No placeholder is left, what was told is text, and the story is there."""
    page = report.make_page(result_of(is_kept=False))
    assert "the library */<\\/script>" in page
    assert not re.search(r"\$[a-z]", page)
    assert "&lt;/script&gt;&lt;b&gt;1 of 10" in page
    assert "process 11 gets SIGKILL" in page


@pytest.mark.usefixtures("short_script")
def test_every_plot_says_what_is_to_be_seen() -> None:
    """In its caption, and to those who do not see it."""
    page = report.make_page(result_of(is_kept=True))
    captions = re.findall(r"<figcaption><strong>[^<]+</strong> [^<]+\.</figcaption>", page)
    labels = re.findall(r'role="img" aria-label="[^"]+\."', page)
    assert len(captions) == len(labels) == page.count("Plotly.newPlot(") == 3


@pytest.mark.usefixtures("short_script")
def test_what_went_wrong_comes_first() -> None:
    """It is what a narrow screen has room for."""
    page = report.make_page(result_of(is_kept=True))
    assert re.findall(r'<th scope="col">([^<]+)', page)[:3] == ["scenario", "side", "went wrong"]
