"""The scenarios by name, in the order in which they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsworkers.stress.errors import UnknownScenario
from fsworkers.stress.scenarios.consumer import SlowConsumer
from fsworkers.stress.scenarios.deaths import KillWorkers, PoisonFile
from fsworkers.stress.scenarios.directories import ScandirStorm
from fsworkers.stress.scenarios.everything import Everything
from fsworkers.stress.scenarios.holding import HoldAndWait
from fsworkers.stress.scenarios.own import OwnTask
from fsworkers.stress.scenarios.storms import ForeignHog, KernelRefuses, Leak, OpenStorm
from fsworkers.stress.scenarios.third_party import ThirdParty

if TYPE_CHECKING:
    from fsworkers.stress.records import Brief
    from fsworkers.stress.scenarios.scenario import Scenario

SCENARIOS: tuple[Scenario, ...] = (
    OpenStorm(),
    HoldAndWait(),
    ForeignHog(),
    Leak(),
    ScandirStorm(),
    ThirdParty(),
    KernelRefuses(),
    KillWorkers(),
    PoisonFile(),
    SlowConsumer(),
    Everything(),
)

NAMES = tuple(scenario.name for scenario in SCENARIOS)


def find_scenario(name: str) -> Scenario:
    """The scenario of that name.

    Raises:
        UnknownScenario: There is none; the message lists those there are.
    """
    for scenario in SCENARIOS:
        if scenario.name == name:
            return scenario
    raise UnknownScenario(name, NAMES)


def scenario_of(brief: Brief) -> Scenario:
    """The scenario that a side is to run: a built-in one, or the user's own function."""
    if brief.own_paths is not None:
        return OwnTask.of(brief)
    return find_scenario(brief.scenario)
