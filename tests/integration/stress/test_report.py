"""The report in a real browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

webdriver = pytest.importorskip("selenium.webdriver")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="needs chromium, chromedriver"
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a small run."""
    folder = tmp_path_factory.mktemp("report")
    command = [sys.executable, "-c", "from fsworkers.cli import main; main()", "stress"]
    command += ["--files", "400", "--seed", "1", "--report", "r.html"]
    command += ["--scenario", "open-storm", "--scenario", "poison-file", "--scenario"]
    subprocess.run([*command, "kill-workers"], cwd=folder, check=True, timeout=50)
    return folder / "r.html"


@contextmanager
def opened(report: Path, profile: Path, width: int, scheme: str) -> Iterator[Any]:
    """The page in a browser of that width and colour scheme, drawn."""
    from selenium.webdriver.support.ui import WebDriverWait

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.get(report.as_uri())
        WebDriverWait(browser, 30).until(
            lambda one: one.execute_script(
                "return [...document.querySelectorAll('.plot')].every(plot => "
                "plot.querySelector('.main-svg'))"
            )
        )
        yield browser
    finally:
        browser.quit()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_is_drawn(width: int, scheme: str, report: Path, tmp_path: Path) -> None:
    """Every plot has marks, what went wrong is seen, nothing overflows, nothing is loaded."""
    with opened(report, tmp_path / os.urandom(4).hex(), width, scheme) as browser:
        empty = browser.execute_script(
            "return [...document.querySelectorAll('.plot')].filter(plot => !plot.querySelector("
            "'.js-line, .point path, .points path')).map(plot => plot.ariaLabel)"
        )
        assert empty == []
        assert browser.execute_script("return document.querySelectorAll('.plot').length") == 7
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        wrong = browser.execute_script(
            "return document.querySelector('td:nth-child(3)').getBoundingClientRect().right"
        )
        assert wrong <= width
        assert browser.get_log("browser") == []
        loaded = browser.execute_script(
            "return performance.getEntriesByType('resource').map(one => one.name)"
            ".filter(name => !name.startsWith('data:') && !name.startsWith('blob:'))"
        )
        assert loaded == []


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_text_has_contrast(scheme: str, report: Path, tmp_path: Path) -> None:
    """Every colour of text is told from its ground at 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    with opened(report, tmp_path / os.urandom(4).hex(), 800, scheme) as browser:
        colours = browser.execute_script(
            "const style = getComputedStyle(document.documentElement);"
            "return ['ground', 'ink', 'soft', 'wrong', 'right']"
            ".map(name => style.getPropertyValue('--' + name).trim())"
        )
    ground, *inks = map(luminance, colours)
    for ink in inks:
        lighter, darker = max(ink, ground), min(ink, ground)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` as WCAG defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
