"""The list of runs, as people see it."""

from __future__ import annotations

from fsworkers.cli.runs import table_of
from fsworkers.model import STATUSES
from tests.unit.journal.samples import a_run


def test_eighty_columns_are_enough_to_tell_runs_apart() -> None:
    """Only the command is cut, and what stands in each row of it is left out."""
    counts = dict.fromkeys(STATUSES, 0) | {"done": 1_000_000, "failed": 638}
    argv = ("fsworkers", "process", "photos", "-o", "o" * 60)
    runs = [a_run(f"20261128T09525{n}Z-65069f", counts=counts, argv=argv) for n in range(3)]
    heading, *lines = table_of(runs, 80)
    assert heading.split() == ["run", "state", "files", "failed", "command"]
    for line in lines:
        assert len(line) == 80
        assert line.split()[2:7] == ["1,000,638", "638", "photos", "-o", line.split()[6]]
        assert line.endswith("o…")
    assert "started" in table_of(runs, 120)[0]


def test_nothing_is_cut_or_padded_in_a_pipe() -> None:
    """No blanks at the end of a line, however long another one is."""
    counts = dict.fromkeys(STATUSES, 0)
    commands = (("fsworkers", "process", "a"), ("fsworkers", "process", "b" * 3000))
    runs = [a_run(command[-1][:3], counts=counts, argv=command) for command in commands]
    lines = table_of(runs, None)
    assert lines == [line.rstrip() for line in lines]
    assert lines[1].endswith(" a")
    assert lines[2].endswith("b" * 3000)
