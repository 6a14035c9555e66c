"""A whole stress run: check what was asked for, build the tree, run each scenario both ways."""

from __future__ import annotations

import os
import platform
import resource
import shlex
from math import inf
from pathlib import Path
from time import gmtime, monotonic, strftime
from typing import TYPE_CHECKING

import fsworkers
from fsworkers.errors import BadSetting
from fsworkers.names import printable
from fsworkers.scan.options import ScanOptions
from fsworkers.scan.tree import scan
from fsworkers.stress.board import ROWS, board_bytes
from fsworkers.stress.conductor import Look, SideRun
from fsworkers.stress.errors import LimitTooLarge, LimitTooSmall
from fsworkers.stress.invariants import broken_invariants
from fsworkers.stress.records import (
    SIDES,
    Brief,
    Machine,
    Plan,
    ScenarioResult,
    Side,
    SideResult,
    StressResult,
)
from fsworkers.stress.scenarios.own import NAME as OWN_TASK
from fsworkers.stress.scenarios.registry import NAMES, find_scenario, scenario_of
from fsworkers.stress.space import check_room
from fsworkers.stress.tree import LEAST_BYTES, SPARE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsworkers.stress.workplace import Workplace

LEAST_LIMIT = 30
LEAST_REASON = (
    "a worker holds some 17 itself: its sockets, its event loop, the record; "
    "4 are kept in reserve, and starting a process takes up to 8 at once"
)


def check_plan(plan: Plan) -> None:
    """Refuse what can't be run, before anything is made.

    Raises:
        BadSetting: A number that can't be.
        LimitTooSmall: No worker could start.
        LimitTooLarge: The hard limit forbids it.
        UnknownScenario: A name that is none.
    """
    least = {"files": 2, "size": LEAST_BYTES, "workers": 1, "concurrency": 1}
    given = {
        "files": plan.files,
        "size": plan.size_bytes,
        "workers": plan.workers,
        "concurrency": plan.concurrency,
    }
    for name, value in given.items():
        if value < least[name]:
            raise BadSetting(f"--{name}", value, f"at least {least[name]}")
    if plan.workers > ROWS:
        raise BadSetting("--workers", plan.workers, f"at most {ROWS}, the board has no more rows")
    if not 0 <= plan.duration_s < inf:
        raise BadSetting("--duration", plan.duration_s, "0 or more seconds")
    if plan.limit < LEAST_LIMIT:
        raise LimitTooSmall(plan.limit, LEAST_LIMIT, LEAST_REASON)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and plan.limit > hard:
        raise LimitTooLarge(plan.limit, hard)
    for name in plan.scenarios:
        find_scenario(name)


def own_paths(plan: Plan, folder: str) -> tuple[str, list[str]]:
    """Write the paths that the user's own function is run over to a file, NUL-separated.

    Returns:
        That file, and what could not be read as it was looked for them.

    Raises:
        BadSetting: There are none.
        NoSpace: There is no room for the list, and a board for as many operations.
    """
    met = list(scan([plan.input or "."], ScanOptions()))
    found = [path for one in met if isinstance(one, list) for path in one]
    unread = [
        f"{printable(one.path)}: {one.reason}"
        for one in met
        if not isinstance(one, list) and one.status == "failed"
    ]
    if not found:
        why = f" that can be read ({unread[0]})" if unread else ""
        raise BadSetting("--input", plan.input, f"a directory with files in it{why}")
    listed = b"".join(os.fsencode(os.path.abspath(path)) + b"\0" for path in found)
    needed_bytes = len(listed) + board_bytes(len(found), len(found)) + SPARE_BYTES
    check_room(folder, "the run", needed_bytes)
    where = Path(folder, "own-paths")
    where.write_bytes(listed)
    return str(where), unread


def run_stress(
    plan: Plan,
    place: Workplace,
    command: str,
    *,
    show: Callable[[Look], None],
) -> StressResult:
    """Run everything that was asked for.

    Args:
        plan: What was asked for.
        place: Where; its tree is there.
        command: What repeats it.
        show: Called with each look at a side.

    Raises:
        StageFailed: A side could not be run at all.
    """
    began_s = monotonic()
    machine = machine_now()
    paths, unread = (None, []) if plan.call is None else own_paths(plan, place.folder)
    names = (OWN_TASK,) if plan.call is not None else plan.scenarios
    results = [_run_scenario(plan, place, name, paths, show) for name in names]
    return StressResult(
        plan=plan,
        machine=machine,
        command=command,
        seconds=monotonic() - began_s,
        scenarios=results,
        is_kept=not any(result.broken for result in results),
        unread=unread,
    )


def _run_scenario(
    plan: Plan, place: Workplace, name: str, paths: str | None, show: Callable[[Look], None]
) -> ScenarioResult:
    sides: dict[Side, SideResult] = {}
    for side in SIDES:
        brief = Brief(
            plan=plan,
            scenario=name,
            side=side,
            tree=os.path.join(place.folder, "tree"),
            board=os.path.join(place.folder, f"{name}-{side}"),
            scratch=os.path.join(place.folder, "scratch"),
            temporary=place.temporary,
            own_paths=paths,
        )
        scenario = scenario_of(brief)
        sides[side] = SideRun(scenario, brief, show).run()
    broken = broken_invariants(
        name,
        sides["fsworkers"],
        limit=plan.limit,
        poison=len(scenario.poison(plan)),
        is_own_task=plan.call is not None,
        is_drawn_bounded=scenario.consume_s(plan) > 0,
    )
    return ScenarioResult(name, scenario.proves, sides["ordinary"], sides["fsworkers"], broken)


def machine_now() -> Machine:
    """This machine."""
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        processors=os.cpu_count() or 1,
        python=platform.python_version(),
        fsworkers=fsworkers.__version__,
        began=strftime("%Y-%m-%dT%H:%M:%SZ", gmtime()),
    )


def repeat_command(plan: Plan, names: tuple[str, ...]) -> str:
    """The command that runs the same again, with the same seed."""
    parts = ["fsworkers stress", f"--seed {plan.seed}"]
    standard = Plan()
    for option, value, usual in (
        ("files", plan.files, standard.files),
        ("size", plan.size_bytes, standard.size_bytes),
        ("workers", plan.workers, None),
        ("max-open-files", plan.limit, standard.limit),
        ("concurrency", plan.concurrency, standard.concurrency),
        ("duration", plan.duration_s, standard.duration_s),
    ):
        if value != usual:
            parts.append(
                f"--{option} {value:g}" if isinstance(value, float) else f"--{option} {value}"
            )
    if plan.call is not None:
        return " ".join([*parts, f"--call {plan.call}", f"--input {shlex.quote(str(plan.input))}"])
    if names == NAMES:
        return " ".join(parts)
    return " ".join([*parts, *(f"--scenario {name}" for name in names)])
