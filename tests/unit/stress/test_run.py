"""The command that repeats a run."""

from __future__ import annotations

from fsworkers.stress.model import Plan
from fsworkers.stress.run import repeat_command
from fsworkers.stress.scenarios.registry import NAMES


def test_a_run_of_all_is_repeated_without_their_names() -> None:
    """What the defaults say already is left out."""
    plan = Plan(seed=7, workers=2)
    assert repeat_command(plan, NAMES) == "fsworkers stress --seed 7 --workers 2"
    named = repeat_command(plan, ("open-storm",))
    assert named == "fsworkers stress --seed 7 --workers 2 --scenario open-storm"


def test_every_option_is_repeated() -> None:
    """As the command line takes it."""
    plan = Plan(files=9, size_bytes=64, workers=3, limit=32, concurrency=5, duration_s=2.0, seed=1)
    options = "--files 9 --size 64 --workers 3 --max-open-files 32 --concurrency 5 --duration 2"
    assert repeat_command(plan, NAMES) == f"fsworkers stress --seed 1 {options}"


def test_a_folder_with_a_blank_can_be_pasted() -> None:
    """The command is for a shell."""
    plan = Plan(seed=7, workers=2, call="mod:handle", input="/my files")
    command = repeat_command(plan, ("own-task",))
    assert command.endswith("--call mod:handle --input '/my files'")
