"""``fsworkers stress``: prove the promise on this machine."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from fsworkers.cli.exits import (
    DONE,
    FAILED,
    INTERNAL,
    INTERRUPTED,
    TERMINATED,
    complain,
    say,
    write_out,
)
from fsworkers.errors import BadOption, BadSetting
from fsworkers.pool.settings import usable_processors
from fsworkers.sinks.errors import OutputFailed
from fsworkers.sinks.summary import check_summary_target, write_whole
from fsworkers.stress.interrupts import Interrupted, interrupts_noted
from fsworkers.stress.model import Plan
from fsworkers.tasks.callables import load_callable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO

    from fsworkers.stress.model import Look, StressResult

STDOUT = (Path("-"), Path("/dev/stdout"))
"""What ``--json`` takes for stdout; the table goes to stderr then."""

MOST_WORKERS = 8
"""By default no more: what is to be shown is a limit within each worker."""


def stress(
    *,
    files: int,
    size: str,
    workers: int | None,
    max_open_files: int,
    concurrency: int,
    duration: float,
    seed: int | None,
    scenario: list[str] | None,
    list_: bool,
    json: Path | None,
    report: Path | None,
    keep: bool,
    call: str | None,
    input_: str | None,
) -> int:
    """Run a load that breaks ordinary code, the ordinary way and ours, and judge the outcome."""
    from fsworkers.stress.scenarios.registry import NAMES, SCENARIOS  # noqa: PLC0415  (it is slow)

    if list_:
        write_out("".join(f"{one.name:<16}{one.proves}\n" for one in SCENARIOS))
        return DONE
    from fsworkers.stress.run import check_plan  # noqa: PLC0415  (an extra)

    _check_call(call, input_, scenario)
    plan = Plan(
        files=files,
        size_bytes=_bytes_of(size),
        workers=workers if workers is not None else min(MOST_WORKERS, usable_processors()),
        limit=max_open_files,
        concurrency=concurrency,
        duration_s=duration,
        seed=seed if seed is not None else int.from_bytes(os.urandom(3)),
        scenarios=() if call is not None else tuple(dict.fromkeys(scenario or NAMES)),
        call=call,
        input=input_,
    )
    check_plan(plan)
    _check_outputs(json, report)
    page = None if report is None else _page_maker()
    try:
        with interrupts_noted() as obey:
            result = _run(plan, obey, is_kept=keep)
    except Interrupted as interrupt:
        return INTERRUPTED if interrupt.number == signal.SIGINT else TERMINATED
    steps = [partial(_print, result, sys.stderr if json in STDOUT else sys.stdout)]
    if json is not None:
        steps.append(partial(_write_json, result, json))
    if report is not None and page is not None:
        steps.append(partial(_write_report, result, report, page))
    return _hand_over(result, steps)


def _run(plan: Plan, obey: Callable[[], None], *, is_kept: bool) -> StressResult:
    from fsworkers.cli.stress_display import open_display  # noqa: PLC0415  (as above)
    from fsworkers.stress.run import run_stress  # noqa: PLC0415
    from fsworkers.stress.workspace import workspace  # noqa: PLC0415

    with ExitStack() as stack:
        show: Callable[[Look], None] = _show_nothing
        if sys.stderr.isatty():
            first = "making the tree …" if plan.call is None else "looking for the files …"
            show = stack.enter_context(open_display(first))
        folder = stack.enter_context(workspace(plan, obey, _tell_kept if is_kept else None))
        return run_stress(plan, folder, show=show, obey=obey)


def _tell_kept(folder: str) -> None:
    complain(f"the tree is kept in {folder}")


def _hand_over(result: StressResult, steps: Sequence[Callable[[], None]]) -> int:
    """Tell what was found wherever it can be told; the exit code that follows."""
    from fsworkers.stress.verdict import verdict  # noqa: PLC0415  (as above)

    code = DONE if result.is_kept else FAILED
    for number, step in enumerate(steps):
        try:
            step()
        except BrokenPipeError:
            continue  # nobody reads it any more
        except OutputFailed as error:
            complain(str(error))
            if number == 0:
                complain(verdict(result))
            code = INTERNAL
    return code


def _print(result: StressResult, stream: TextIO | None) -> None:
    """Write the table and the verdict, and what repeats what is broken."""
    from fsworkers.cli.stress_table import as_text  # noqa: PLC0415  (rich takes its time)
    from fsworkers.stress.run import repeat_command  # noqa: PLC0415  (as above)

    text = as_text(result, stream)
    if not result.is_kept:
        broken = tuple(one.name for one in result.scenarios if one.broken)
        plan = replace(result.plan, scenarios=broken)
        text += f"Repeat it with: {repeat_command(plan, broken)}\n"
    if stream is sys.stdout:
        write_out(text)
    else:
        say(text)


def _write_json(result: StressResult, path: Path) -> None:
    text = msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n"
    if path in STDOUT:
        write_out(text)
    else:
        write_whole(path, text)


def _write_report(result: StressResult, path: Path, page: Callable[[StressResult], str]) -> None:
    write_whole(path, page(result).encode())
    complain(f"the report is in {path}")


def _show_nothing(_look: Look) -> None:
    """What is shown where no terminal is."""


def _page_maker() -> Callable[[StressResult], str]:
    """What makes the report; asked for before anything runs, because it may be missing.

    Raises:
        MissingExtra: Plotly is not installed.
    """
    from fsworkers.stress.report import make_page  # noqa: PLC0415  (an extra)

    return make_page


def _check_outputs(json: Path | None, report: Path | None) -> None:
    """Refuse what can't be written, before anything runs.

    Raises:
        BadOption: Both are the same, or a page is to go to stdout.
        OutputUnwritable: The system would refuse one of them.
    """
    if report in STDOUT:
        raise BadOption(f"--report {report}: a page is for a browser, give the name of a file")
    for path in (json, report):
        if path is not None and path not in STDOUT:
            check_summary_target(path)
    if json is not None and report is not None and _is_same(json, report):
        raise BadOption(f"--json and --report are the same file, {report}: give two")


def _is_same(one: Path, other: Path) -> bool:
    """Whether two paths are one file, of which the second would overwrite the first."""
    if one.exists() and other.exists():
        return one.is_file() and one.samefile(other)
    return os.path.realpath(one) == os.path.realpath(other)


def _check_call(call: str | None, input_: str | None, scenario: list[str] | None) -> None:
    """Refuse what does not go together.

    Raises:
        BadOption: One of the two without the other, or with a scenario.
        TaskNotFound: There is no such function.
    """
    if (call is None) != (input_ is None):
        raise BadOption("--call and --input go together: a function, and the files to run it over")
    if call is None or input_ is None:
        return
    if scenario:
        raise BadOption("--scenario is for the built-in loads, --call for your own: give one")
    if not os.path.isdir(input_):
        raise BadOption(f"--input {shlex.quote(input_)}: there is no such directory")
    load_callable(call, {})


def _bytes_of(text: str) -> int:
    """A size as 4096, 4k or 1M, in units of 1,024.

    Raises:
        BadSetting: It is none.
    """
    unit = text[-1:].lower()
    digits, power = (text[:-1], "kmg".index(unit) + 1) if unit and unit in "kmg" else (text, 0)
    if not digits.isdecimal():
        raise BadSetting("--size", text, "a number of bytes, or 4k, 1M")
    return int(digits) << 10 * power
