"""What a person sees of ``fsworkers stress``."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console
from rich.text import Text

from fsworkers.cli.stress_display import rendered
from fsworkers.cli.stress_table import as_text
from fsworkers.stress.model import Brief, Look, Plan
from tests.unit.stress.results import result_of


class Terminal(StringIO):
    """A terminal, as far as one can tell."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """It says so."""
        return True


@pytest.mark.parametrize("columns", ["40", "70", "90", "200"])
def test_what_went_wrong_is_readable_at_any_width(
    columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the one column that matters."""
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("NO_COLOR", "1")
    text = as_text(result_of(is_kept=True), Terminal())
    table = Text.from_ansi(text).plain.partition("KEPT")[0]
    assert all(word in table for word in ("open-storm", "5 of 10", "3 EMFILE, 2 lost"))
    assert max(map(len, table.splitlines())) <= int(columns)


def test_bars_that_are_not_shown_are_counted() -> None:
    """With the fullest of them."""
    brief = Brief(Plan(), "open-storm", "fsworkers", "t")
    look = Look(brief, 1.0, [*range(20, 30), 25], 0, 0, 1, 0, 0.0)
    console = Console(file=StringIO(), width=100)
    with console.capture() as capture:
        console.print(rendered(look))
    shown = capture.get()
    assert shown.count("worker ") == 8
    assert "3 more" in shown
    assert "29/64 at most" in shown
