"""The promise as conditions, and what was measured in words."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fsworkers.stress.model import Layer, Plan, SideResult
from fsworkers.stress.scenarios.registry import Load
from fsworkers.stress.verdict import (
    broken_invariants,
    broken_lines,
    cells,
    in_time,
    notes,
    own_task_lines,
    verdict,
    wrongs,
)
from tests.unit.stress.results import result_of

GOOD = SideResult("fsworkers", wanted=10, done=8, crashed=2, rounds=1, peak=60, served=5)
LOAD = Load(lambda _context, _op: None, 10, poison=frozenset({1, 2}))
OWN = Plan(call="mine:handle", input=".")


def broken(side: SideResult, plan: Plan = Plan(), load: Load = LOAD) -> list[str]:  # noqa: B008
    """The invariants that do not hold."""
    return [one.invariant for one in broken_invariants("it", side, plan, load)]


def test_a_side_that_kept_everything_breaks_nothing() -> None:
    """All done or crashed as meant, within the limit: kept."""
    assert broken(GOOD) == []


@pytest.mark.parametrize(
    ("change", "invariant"),
    [
        ({"done": 7, "failed": {"EMFILE": 1}}, "nothing fails"),
        ({"done": 7, "lost": 1}, "nothing is lost"),
        ({"done": 7, "hung": 1}, "nothing hangs"),
        ({"done": 7, "wrong": 1}, "content is right"),
        ({"done": 9, "crashed": 1}, "poison is reported"),
        ({"done": 7, "unmeant": 1}, "nothing else crashes"),
        ({"duplicates": 1}, "every result comes once"),
        ({"done": 7}, "every operation is counted once"),
        ({"peak": 65}, "the peak keeps within the limit"),
        ({"leaked": 1}, "descriptors afterwards are those before"),
        ({"master_leaked": 1}, "descriptors afterwards are those before"),
        ({"cut_short": "its process ended"}, "the pool ends by itself"),
        ({"processes_left": 1}, "processes afterwards are those before"),
        ({"overtaken": 1}, "waiters are served in order"),
    ],
)
def test_each_invariant_is_checked(change: dict[str, object], invariant: str) -> None:
    """Each way to break the promise is named, and no other."""
    assert broken(replace(GOOD, **change)) == [invariant]


def test_drawing_everything_at_once_breaks_a_bound() -> None:
    """Where the consumer is slow, half of the input drawn ahead is too much."""
    side = replace(GOOD, drawn_ahead=6)
    assert broken(side, load=LOAD._replace(consume_s=1.0)) == ["input is drawn a little ahead"]
    assert broken(side) == []


def test_an_own_function_may_fail_for_its_own_reasons() -> None:
    """A user's function is held to account only for descriptors."""
    assert broken(replace(GOOD, done=7, failed={"ENOENT": 1}), OWN) == []
    assert broken(replace(GOOD, done=7, unmeant=1), OWN) == []
    assert broken(replace(GOOD, done=7, hung=1), OWN) == ["your function returns"]
    assert broken(replace(GOOD, done=7, failed={"EMFILE": 1}), OWN) == ["nothing fails"]


def test_the_verdict_tells_the_seed() -> None:
    """Kept or broken, with what repeats it."""
    assert verdict(result_of(is_kept=True)).startswith("KEPT in 1 scenario: ")
    assert "seed 5" in verdict(result_of(is_kept=False))
    assert verdict(result_of(is_kept=False)).startswith("BROKEN in 1 of 1")


def test_what_is_broken_tells_its_story() -> None:
    """Below the invariant; what was kept has none to tell."""
    (kept,), (broken,) = (result_of(is_kept=one).scenarios for one in (True, False))
    assert broken_lines(kept) == []
    assert broken_lines(broken)[0].startswith("broken: open-storm: nothing hangs: ")
    assert broken_lines(broken)[1:] == ["  0.500 s: process 11 gets SIGKILL"]


def test_what_went_wrong_in_words() -> None:
    """Failures by errno first, then losses; nothing is said as nothing."""
    scenario = result_of(is_kept=True).scenarios[0]
    assert wrongs(scenario.ordinary) == "3 EMFILE, 2 lost"
    assert wrongs(scenario.fsworkers) == "nothing"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.34e-6, "2.3 µs"), (9.99e-4, "999 µs"), (0.0123, "12 ms"), (1.5, "1.5 s")],
)
def test_times_are_short(seconds: float, text: str) -> None:
    """Two or three digits and a unit."""
    assert in_time(seconds) == text


def test_waits_that_are_not_known_are_a_dash() -> None:
    """In the table."""
    (scenario,) = result_of(is_kept=True).scenarios
    columns = ("wait p50", "p99", "max")
    known = cells(scenario, scenario.ordinary)
    assert [known[one] for one in columns] == ["1.0 ms", "20 ms", "30 ms"]
    unknown = cells(scenario, replace(scenario.ordinary, waits=None))
    assert [unknown[one] for one in columns] == ["-", "-", "-"]


def test_what_an_own_function_did_by_itself_is_told_apart() -> None:
    """The verdict of a function that always fails does not say that nothing failed."""
    result = result_of(is_kept=True)
    (scenario,) = result.scenarios
    errors = {f"E: {number}": number for number in range(1, 8)}
    ours = replace(scenario.fsworkers, done=0, failed={"other": 8}, unmeant=2, errors=errors)
    own = replace(result, plan=OWN, scenarios=[replace(scenario, fsworkers=ours)])
    assert "nothing failed" not in verdict(own)
    assert "it failed on 8 of 10 files and it killed its worker on 2 of 10 files" in verdict(own)
    assert "7 times E: 7" in " ".join(notes(own))
    assert " ".join(notes(own)).endswith("3 times E: 3; and others")


def test_input_passed_over_is_told() -> None:
    """How many places, and the first of them with its reason."""
    result = replace(result_of(is_kept=True), unread=["a: Permission denied", "b: no"])
    assert notes(result) == ["of the input, 2 could not be read: a: Permission denied …"]


def test_workers_replaced_for_no_known_reason_are_told() -> None:
    """More restarts than attacks deserve a word."""
    result = result_of(is_kept=True)
    (scenario,) = result.scenarios
    ours = replace(scenario.fsworkers, layer=Layer(restarts=3))
    (said,) = notes(replace(result, scenarios=[replace(scenario, fsworkers=ours)]))
    assert "workers replaced that nobody had attacked: 2" in said


def test_an_own_function_is_told_what_it_does() -> None:
    """The user's function: how it fails the ordinary way, and how it waits under fsworkers."""
    told = " ".join(own_task_lines(result_of(is_kept=True).scenarios[0], 64))
    assert "for want of descriptors on 3 of 10" in told
    assert "waited 4 times" in told


def test_what_an_own_function_raises_reaches_no_terminal_as_it_is() -> None:
    """Its words may hold what a terminal obeys."""
    (scenario,) = result_of(is_kept=True).scenarios
    ours = replace(scenario.fsworkers, failed={"ValueError": 1}, errors={"ValueError: \x1b[31m": 1})
    told = own_task_lines(replace(scenario, fsworkers=ours), 64)
    assert told[-1].endswith(r"1 times ValueError: \x1b[31m")
