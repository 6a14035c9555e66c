"""A result as the tests of what is shown need it."""

from __future__ import annotations

from fsworkers.stress.model import (
    Broken,
    Event,
    Layer,
    Plan,
    Sample,
    ScenarioResult,
    SideResult,
    StressResult,
    Waits,
)

WAITS = Waits(p50_s=0.001, p99_s=0.02, max_s=0.03)
SAMPLES = [Sample(0.0, 20, 0), Sample(0.5, 60, 40), Sample(1.0, 20, 0)]
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
        story=["0.500 s: process 11 gets SIGKILL"],
    )  # fmt: skip
    broken = [] if is_kept else [Broken(name, "nothing hangs", "</script><b>1 of 10")]
    machine: dict[str, str | int] = {
        "system": "Linux", "processors": 2, "python": "3.11", "fsworkers": "0", "began": "2026",
    }  # fmt: skip
    return StressResult(
        plan=Plan(scenarios=(name,), seed=5),
        machine=machine,
        command="fsworkers stress --seed 5",
        seconds=2.0,
        scenarios=[ScenarioResult(name, "it proves", ordinary, ours, broken)],
        is_kept=is_kept,
    )
