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

from msgspec.structs import astuple, replace

import fsworkers
from fsworkers.errors import BadSetting
from fsworkers.names import printable
from fsworkers.scan.options import ScanOptions
from fsworkers.scan.tree import scan
from fsworkers.stress.model import SIDES, Brief, Look, Plan, ScenarioResult, StressResult
from fsworkers.stress.scenarios.registry import BY_NAME, NAMES, OWN, OWN_PATHS
from fsworkers.stress.scoreboard import ROWS
from fsworkers.stress.supervisor import Supervisor
from fsworkers.stress.verdict import broken_invariants
from fsworkers.stress.workspace import LEAST_BYTES, check_room

if TYPE_CHECKING:
    from collections.abc import Callable

LEAST_LIMIT = 30
"""A worker holds some 17 itself, 4 are kept in reserve, and to start a process takes up to 8."""


def check_plan(plan: Plan) -> None:
    """Refuse what can't be run, before anything is made.

    Raises:
        BadSetting: A number that can't be, or a name that is no scenario's.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most_limit = inf if hard == resource.RLIM_INFINITY else hard
    for option, value, least, most in (
        ("--files", plan.files, 2, inf),
        ("--size", plan.size_bytes, LEAST_BYTES, inf),
        ("--workers", plan.workers, 1, ROWS),
        ("--concurrency", plan.concurrency, 1, inf),
        ("--max-open-files", plan.limit, LEAST_LIMIT, most_limit),
    ):
        if not least <= value <= most:
            end = "" if most == inf else f" and at most {most}"
            end += ", the hard limit (ulimit -Hn)" if value == plan.limit > most else ""
            raise BadSetting(option, value, f"at least {least}{end}")
    if not 0 <= plan.duration_s < inf:
        raise BadSetting("--duration", plan.duration_s, "0 or more seconds")
    for name in plan.scenarios:
        if name not in NAMES:
            raise BadSetting("--scenario", name, f"one of {', '.join(NAMES)}")


def run_stress(
    plan: Plan, folder: str, *, show: Callable[[Look], None], obey: Callable[[], None]
) -> StressResult:
    """Run everything that was asked for, in a folder with the tree.

    ``show`` is called with each look at a side, ``obey`` now and then; what it raises ends the run.

    Raises:
        BadSetting: There is nothing to run the user's function over.
        WorkerStartError: A side could not be run at all.
    """
    began_s = monotonic()
    machine: dict[str, str | int] = {
        "system": f"{platform.system()} {platform.release()}",
        "processors": os.cpu_count() or 1,
        "python": platform.python_version(),
        "fsworkers": fsworkers.__version__,
        "began": strftime("%Y-%m-%dT%H:%M:%SZ", gmtime()),
    }
    given, unread = (plan, []) if plan.call is None else _list_own(plan, folder, obey)
    results = []
    for name in plan.scenarios if plan.call is None else (OWN.name,):
        scenario = BY_NAME[name]
        ordinary, ours = (
            Supervisor(Brief(given, name, side, folder), show, obey).run() for side in SIDES
        )
        broken = broken_invariants(name, ours, plan, scenario.load(given))
        results.append(ScenarioResult(name, scenario.proves, ordinary, ours, broken))
    return StressResult(
        plan=plan,
        machine=machine,
        command=repeat_command(plan, plan.scenarios),
        seconds=monotonic() - began_s,
        scenarios=results,
        is_kept=not any(result.broken for result in results),
        unread=unread,
    )


def _list_own(plan: Plan, folder: str, obey: Callable[[], None]) -> tuple[Plan, list[str]]:
    """Write down the user's own files; the plan with their number, and what could not be read."""
    found: list[str] = []
    unread: list[str] = []
    for met in scan([plan.input or "."], ScanOptions()):
        obey()
        if isinstance(met, list):
            found += met
        elif met.status == "failed":
            unread.append(f"{printable(met.path)}: {met.reason}")
    if not found:
        why = f" that can be read ({unread[0]})" if unread else ""
        raise BadSetting("--input", plan.input, f"a directory with files in it{why}")
    listed = b"".join(os.fsencode(os.path.abspath(path)) + b"\0" for path in found)
    check_room(folder, "the run", len(listed), len(found))
    Path(folder, OWN_PATHS).write_bytes(listed)
    return replace(plan, files=len(found)), unread


def repeat_command(plan: Plan, names: tuple[str, ...]) -> str:
    """The command that runs the same again, with the same seed."""
    parts = ["fsworkers stress", f"--seed {plan.seed}"]
    options = ("files", "size", "workers", "max-open-files", "concurrency", "duration")
    every = zip(options, astuple(plan), astuple(Plan(workers=-1)), strict=False)
    parts += [
        f"--{option} {value}".removesuffix(".0") for option, value, usual in every if value != usual
    ]
    if plan.call is not None:
        parts += [f"--call {plan.call}", f"--input {shlex.quote(str(plan.input))}"]
    elif names != NAMES:
        parts += [f"--scenario {name}" for name in names]
    return " ".join(parts)
