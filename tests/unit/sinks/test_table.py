"""The table of first results: what it shows, and how it fits a terminal."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from fsworkers.model import Outcome
from fsworkers.sinks.columns import Declared
from fsworkers.sinks.layout import laid_out
from fsworkers.sinks.output import Output
from fsworkers.sinks.table import TableSink


def printed(tmp_path: Path, *batches: list[Outcome] | int, declared: tuple[str, ...] = ()) -> str:
    """What is printed of batches; a number is so many files that are done, from a worker."""
    with (tmp_path / "out").open("wb") as file:
        output = Output(io.FileIO(file.fileno(), "w", closefd=False), "out",
                        is_regular=False, is_owned=False)  # fmt: skip
        sink = TableSink(output, [Declared(name, "integer") for name in declared])
        for batch in batches:
            if isinstance(batch, int):
                paths, values = [f"f{n}" for n in range(batch)], [*range(batch)]
                lines = sink.encode_done(paths, values, values, [0.0] * batch, 1, 0, [0] * batch)
                assert lines is not None
                sink.write_encoded(lines)
            else:
                sink.write(batch)
        assert (tmp_path / "out").read_bytes() == b""
        sink.finish()
    return (tmp_path / "out").read_text()


def test_the_first_are_shown_and_the_others_counted(tmp_path: Path) -> None:
    """Whether they come encoded or not; with a status where one is not done."""
    shown = printed(
        tmp_path, 15, [Outcome("bad", "failed", None, "no\n", 1, 1234)], 30
    ).splitlines()
    assert shown[0].split() == ["path", "bytes", "status", "value"]
    assert shown[16] == "bad   1,234  failed  no"
    assert shown[17] == "f0        0  done    0"
    assert len(shown) == 22
    assert shown[21] == "… and 26 more; -o FILE keeps all"


def test_the_tasks_columns_are_shown(tmp_path: Path) -> None:
    """Numbers flush right, without what there is not; nothing at all of no file."""
    value: Any = {"lines": 5, "words": 1234, "more": 1}
    shown = printed(
        tmp_path,
        [Outcome("a", "done", value, None, 1, 7), Outcome("b", "done", {}, None, 1)],
        declared=("lines", "words"),
    )
    assert shown == "path  bytes  lines  words\na         7      5   1234\nb\n"
    assert printed(tmp_path) == ""


def test_names_and_values_are_printable(tmp_path: Path) -> None:
    """Whatever they hold."""
    shown = printed(tmp_path, [Outcome("a\x1b\udcff", "done", "b\n\x1b[31m\udc00")])
    assert shown.splitlines()[1] == "a\\x1b\\xff         b\\n\\x1b[31m�"


@pytest.mark.parametrize("width", [20, 40, 70])
def test_lines_fit(width: int) -> None:
    """The widest columns give way; of a path the end is shown, and letters may be wide."""
    rows = [["path", "n", "value"], ["folder/白菜の漬物" * 5, "12", "x" * 200]]
    lines = laid_out(rows, [False, True, False], width)
    assert [cell_len(line) <= width for line in lines] == [True, True]
    assert lines[1].startswith("…")
    assert lines[1].endswith("x…")
    assert "漬物 " in lines[1]
    assert laid_out(rows, [False, True, False], 0)[1].endswith("x" * 200)
