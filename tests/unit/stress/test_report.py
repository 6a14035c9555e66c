"""The report as a page, and what it says in words."""

from __future__ import annotations

import json
import re

import pytest
from msgspec.structs import replace

from fsworkers.stress.plots import of_scenario
from fsworkers.stress.records import (
    Broken,
    Event,
    Layer,
    Machine,
    Plan,
    Sample,
    ScenarioResult,
    SideResult,
    StressResult,
    Waits,
)
from fsworkers.stress.report import make_page
from fsworkers.stress.wording import cells, in_time, notes, own_task_lines, verdict, wrongs

WAITS = Waits(p50_s=0.001, p99_s=0.02, max_s=0.03, counts={"0.001": 5, "0.03": 5})
SAMPLES = [Sample(0.0, 20, 0, 0), Sample(0.5, 60, 40, 5), Sample(1.0, 20, 0, 10)]
EVENTS = [Event(0.1, "worker", 11), Event(0.5, "kill", 11, "SIGKILL"), Event(0.6, "gone", 11)]


def result_of(*, is_kept: bool, name: str = "open-storm") -> StressResult:
    """A run of one scenario."""
    ordinary = SideResult(
        "ordinary", wanted=10, done=5, failed={"EMFILE": 3}, lost=2, peak=64, waits=WAITS,
        samples=SAMPLES, events=EVENTS, deaths=1, rounds=1,
    )  # fmt: skip
    ours = SideResult(
        "fsworkers", wanted=10, done=10, peak=60, waits=WAITS, samples=SAMPLES, events=EVENTS,
        deaths=1, survived=1, rounds=1, layer=Layer(waits=4, waited_s=1.5, refused=2, peak=40),
    )  # fmt: skip
    broken = [] if is_kept else [Broken(name, "nothing hangs", "</script><b>1 of 10")]
    return StressResult(
        plan=Plan(scenarios=(name,), seed=5),
        machine=Machine("Linux", 2, "3.11", "0", "2026-01-01T00:00:00Z"),
        command="fsworkers stress --seed 5",
        seconds=2.0,
        scenarios=[ScenarioResult(name, "it proves", ordinary, ours, broken)],
        is_kept=is_kept,
    )


def test_the_page_is_whole_and_escaped() -> None:
    """No placeholder is left, what was told is text, and the plots are there as data."""
    page = make_page(result_of(is_kept=False), "/* the library */</script>")
    assert "[[" not in page
    assert page.count("</script>") == 3
    assert "&lt;/script&gt;&lt;b&gt;1 of 10" in page
    embedded = re.search(
        r'<script type="application/json" id="plots">(.*?)</script>', page, re.DOTALL
    )
    assert embedded is not None
    plots = json.loads(embedded[1])
    assert len(plots) == 6
    assert all(plot["data"] for plot in plots)


def test_every_plot_has_a_text_alternative() -> None:
    """Each drawing is labelled, and described by a sentence that is on the page."""
    page = make_page(result_of(is_kept=True), "")
    described = re.findall(r'role="img" aria-label="[^"]+" aria-describedby="([^"]+)"', page)
    assert len(described) == 6
    assert all(re.search(rf'<span id="{re.escape(one)}">[^<]+\.</span>', page) for one in described)


def test_the_verdict_tells_the_seed() -> None:
    """Kept or broken, with what repeats it."""
    assert verdict(result_of(is_kept=True)).startswith("KEPT in 1 scenario: ")
    assert "seed 5" in verdict(result_of(is_kept=False))
    assert verdict(result_of(is_kept=False)).startswith("BROKEN in 1 of 1")


def test_what_went_wrong_in_words() -> None:
    """Failures by errno first, then losses; nothing is said as nothing."""
    scenario = result_of(is_kept=True).scenarios[0]
    assert wrongs(scenario.ordinary) == "3 EMFILE, 2 lost"
    assert wrongs(scenario.fsworkers) == "nothing"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0"), (2.34e-6, "2.3 µs"), (9.99e-4, "999 µs"), (0.0123, "12 ms"), (1.5, "1.5 s")],
)
def test_times_are_short(seconds: float, text: str) -> None:
    """Two or three digits and a unit."""
    assert in_time(seconds) == text


def test_what_an_own_function_did_by_itself_is_told_apart() -> None:
    """The verdict of a function that always fails does not say that nothing failed."""
    result = result_of(is_kept=True)
    (scenario,) = result.scenarios
    ours = replace(
        scenario.fsworkers, done=0, failed={"other": 8}, unmeant=2, errors={"E: 1": 1}, untold=9
    )
    own = replace(
        result,
        plan=replace(result.plan, call="mine:handle", input="."),
        scenarios=[replace(scenario, fsworkers=ours)],
    )
    assert "nothing failed" not in verdict(own)
    assert "it failed on 8 of 10 files and it killed its worker on 2 of 10 files" in verdict(own)
    assert "1 times E: 1; and 9 more" in " ".join(notes(own))


def test_input_passed_over_is_told() -> None:
    """How many places, and the first of them with its reason."""
    result = replace(result_of(is_kept=True), unread=["a: Permission denied", "b: no"])
    (said,) = notes(result)
    assert said.startswith("2 places of the input could not be read")
    assert said.endswith("first a: Permission denied")


def test_workers_replaced_for_no_known_reason_are_told() -> None:
    """More restarts than attacks deserve a word."""
    result = result_of(is_kept=True)
    (scenario,) = result.scenarios
    ours = replace(scenario.fsworkers, layer=Layer(restarts=3))
    (said,) = notes(replace(result, scenarios=[replace(scenario, fsworkers=ours)]))
    assert "2 workers were replaced that nobody had attacked" in said


def test_waits_that_are_not_known_are_not_shown() -> None:
    """A dash in the table, and no plot."""
    (scenario,) = result_of(is_kept=True).scenarios
    assert cells(scenario, scenario.ordinary)[5:8] == ("1.0 ms", "20 ms", "30 ms")
    sides = [replace(side, waits=None) for side in (scenario.ordinary, scenario.fsworkers)]
    assert cells(scenario, sides[0])[5:8] == ("-", "-", "-")
    plots = of_scenario(replace(scenario, ordinary=sides[0], fsworkers=sides[1]), 64)
    assert [plot.id for plot in plots if "waits" in plot.id] == []


def test_an_own_function_is_told_what_it_does() -> None:
    """The user's function: how it fails the ordinary way, and how it waits under fsworkers."""
    told = " ".join(own_task_lines(result_of(is_kept=True).scenarios[0], 64))
    assert "for want of descriptors on 3 of 10" in told
    assert "waited 4 times" in told
