"""Turns, failures, and commands that are measured."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from benchmarks.measure import Command, CommandFailed, Contestant, check_lines, run, take_turns


def test_contestants_take_turns() -> None:
    """A B C A B C, and one that is slow only as often as it may."""
    turns: list[str] = []

    def contestant(name: str, most_rounds: int | None = None) -> Contestant:
        def measure() -> dict[str, float]:
            turns.append(name)
            return {"wall_s": len(turns)}

        return Contestant(name, measure, most_rounds=most_rounds)

    race = take_turns([contestant("a"), contestant("b", 1), contestant("c")], 3)
    assert "".join(turns) == "abcacac"
    assert race.measured("a", "wall_s").values == [1, 4, 6]
    assert race.measured("b", "wall_s").values == [2]


def test_who_fails_or_is_missing_stops_nobody() -> None:
    """It has no figures, also none of the rounds before, and its reason is kept."""
    rounds = iter(range(10))

    def fail_later() -> dict[str, float]:
        if next(rounds) == 1:
            raise CommandFailed("exit code 7")
        return {"wall_s": 1.0}

    contestants = [
        Contestant("fails", fail_later),
        Contestant("absent", dict, missing="install it"),
        Contestant("sound", lambda: {"wall_s": 2.0}),
    ]
    race = take_turns(contestants, 3)
    failed, absent, sound = (race.measured(one.name, "wall_s") for one in contestants)
    assert (failed.values, failed.failed) == ([], "exit code 7")
    assert (absent.values, absent.missing) == ([], "install it")
    assert (sound.values, sound.failed, sound.missing) == ([2.0] * 3, None, None)


def test_a_command_is_measured(tmp_path: Path) -> None:
    """Time, processor time, and the memory of the command and not of who started it."""
    ballast = bytearray(os.urandom(1 << 20) * 64)
    output = tmp_path / "output"
    sample = run(Command(["sh", "-c", "echo $MARK; pwd"], 10, output, {"MARK": "x"}, tmp_path))
    assert output.read_text() == f"x\n{tmp_path}\n"
    assert 0 < sample["wall_s"] < 10
    assert 0 <= sample["cpu_s"] < 10
    assert 0 < sample["max_rss_bytes"] < len(ballast)


def test_a_command_that_fails_says_why() -> None:
    """Its code and its last words; a command that is not there likewise."""
    with pytest.raises(CommandFailed, match="exit code 3: the reason"):
        run(Command(["sh", "-c", "echo more >&2; echo the reason >&2; exit 3"], 10))
    with pytest.raises(CommandFailed, match="No such file"):
        run(Command(["/nowhere/at/all"], 10))


def test_a_command_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    """Nothing of it runs on."""
    child = tmp_path / "child"
    script = f"sleep 100 & echo $! > {child}; wait"
    with pytest.raises(CommandFailed, match=r"not ended after 0\.15 s"):
        run(Command(["sh", "-c", script], 0.15))
    if child.exists():  # it was late, otherwise
        with suppress(psutil.NoSuchProcess):
            psutil.Process(int(child.read_text())).wait(10)


def test_output_that_is_too_short_is_a_failure(tmp_path: Path) -> None:
    """A peer that skips files is no faster for it."""
    path = tmp_path / "output"
    path.write_text("a\nb\n")
    check_lines(path, 2)
    with pytest.raises(CommandFailed, match="2 lines of output instead of 3"):
        check_lines(path, 3)
