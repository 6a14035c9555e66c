"""Figures in words and cells, as the table and the report show them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsworkers.stress.invariants import DESCRIPTOR_ERRORS, told_errors

if TYPE_CHECKING:
    from fsworkers.stress.records import ScenarioResult, SideResult, StressResult

HEADINGS: tuple[str, ...] = (
    "scenario", "side", "done", "went wrong", "peak", "wait p50", "p99", "max", "done/s", "deaths",
)  # fmt: skip

INVARIANTS = (
    "nothing failed, nothing was lost, nothing hung, content was right, the peak kept within the "
    "limit, waiters were served in order, descriptors and processes afterwards were those before"
)


OWN_INVARIANTS = (
    "no call of your function failed for want of a descriptor, nothing was lost, nothing hung, the "
    "peak kept within the limit, waiters were served in order, descriptors and processes "
    "afterwards were those before"
)


def cells(result: ScenarioResult, side: SideResult) -> tuple[str, ...]:
    """A side as the cells of its row, in the order of ``HEADINGS``."""
    return (
        result.name,
        side.side,
        f"{side.done:,} of {side.wanted:,}",
        wrongs(side),
        "?" if side.peak is None else f"{side.peak:,}",
        *(in_time(one) for one in _percentiles(side)),
        f"{side.per_s:,.0f}",
        f"{side.survived} of {side.deaths} survived" if side.deaths else "-",
    )


def wrongs(side: SideResult) -> str:
    """What went wrong, in a few words; what was meant to crash and did comes last."""
    parts = [f"{count:,} {name}" for name, count in sorted(side.failed.items())]
    parts += [
        f"{count:,} {word}"
        for word, count in (
            ("wrong", side.wrong),
            ("crashed", side.unmeant),
            ("lost", side.lost),
            ("hung", side.hung),
            ("told twice", side.duplicates),
        )
        if count
    ]
    if side.crashed:
        parts.append(f"{side.crashed:,} crashed as meant")
    return ", ".join(parts) or "nothing"


def _percentiles(side: SideResult) -> tuple[float | None, float | None, float | None]:
    waits = side.waits
    return (None,) * 3 if waits is None else (waits.p50_s, waits.p99_s, waits.max_s)


def in_time(seconds: float | None) -> str:
    """A time with two digits and the unit that fits; a dash where it is not known."""
    if seconds is None:
        return "-"
    if seconds <= 0:
        return "0"
    for factor, unit in ((1e6, "µs"), (1e3, "ms")):
        amount = seconds * factor
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if amount >= 9.95 else f"{amount:.1f} {unit}"
    return f"{seconds:.1f} s"


def verdict(result: StressResult) -> str:
    """The verdict in one sentence."""
    plan = result.plan
    where = f"seed {plan.seed}, limit {plan.limit}, {plan.workers} workers, {result.seconds:.1f} s"
    if result.is_kept and plan.call is not None:
        return f"KEPT: {OWN_INVARIANTS}; {own_doing(result.scenarios[0].fsworkers)} ({where})"
    if result.is_kept:
        count = len(result.scenarios)
        scenarios = "scenario" if count == 1 else "scenarios"
        return f"KEPT in {count} {scenarios}: {INVARIANTS} ({where})"
    count = sum(1 for one in result.scenarios if one.broken)
    return f"BROKEN in {count} of {len(result.scenarios)} scenarios ({where})"


def broken_lines(result: StressResult) -> list[str]:
    """Each broken invariant in a line."""
    return [
        f"broken: {one.scenario}: {one.invariant}: {one.seen}"
        for scenario in result.scenarios
        for one in scenario.broken
    ]


def notes(result: StressResult) -> list[str]:
    """What the figures do not say by themselves."""
    said = []
    if result.unread:
        places = "place" if len(result.unread) == 1 else "places"
        said.append(
            f"{len(result.unread):,} {places} of the input could not be read and "
            f"{'was' if len(result.unread) == 1 else 'were'} passed over, first {result.unread[0]}"
        )
    for one in result.scenarios:
        ours = one.fsworkers
        if ours.injected:
            said.append(f"{one.name}: {ours.injected}")
        if ours.rescued or ours.deadlocks:
            said.append(
                f"{one.name}: {ours.rescued} waiters served from the reserve and "
                f"{ours.deadlocks} run again, to end deadlocks"
            )
        if ours.rerun:
            jobs = "job was" if ours.rerun == 1 else "jobs were"
            said.append(f"{one.name}: {ours.rerun} {jobs} killed twice and handed in again")
        if ours.peak is None:
            said.append(
                f"{one.name}: descriptors were not counted: it was over too soon, or other "
                "processes' can't be counted here"
            )
        if result.plan.call is not None:
            said += own_task_lines(one, result.plan.limit)
        elif ours.layer is not None and ours.layer.restarts > ours.deaths:
            count = ours.layer.restarts - ours.deaths
            workers = "worker was" if count == 1 else "workers were"
            said.append(f"{one.name}: {count} {workers} replaced that nobody had attacked")
    return said


def own_task_lines(result: ScenarioResult, limit: int) -> list[str]:
    """What the user's own function does when descriptors run short."""
    ordinary, ours = result.ordinary, result.fsworkers
    short = sum(count for name, count in ordinary.failed.items() if name in DESCRIPTOR_ERRORS)
    lines = []
    if short:
        lines.append(
            f"The ordinary way at a limit of {limit}, your function fails for want of descriptors "
            f"on {short:,} of {ordinary.wanted:,} files."
        )
    else:
        lines.append(
            f"The ordinary way, a limit of {limit} alone does not make your function fail."
        )
    if ordinary.lost:
        lines.append(
            f"The ordinary way, {ordinary.lost:,} files were never heard of again when a worker "
            f"had died; {ordinary.deaths} were killed or stopped."
        )
    if ordinary.hung:
        lines.append(
            f"The ordinary way, it did not return on {ordinary.hung:,} files: {ordinary.cut_short}."
        )
    layer = ours.layer
    if layer is not None:
        lines.append(
            f"Under fsworkers it waited {layer.waits:,} times for a descriptor, "
            f"{layer.waited_s:.2f} s in all; the kernel refused {layer.refused:,} times; at most "
            f"{layer.peak:,} were lent in a worker."
        )
    if _own_failures(ours) or ours.unmeant:
        lines.append(f"For reasons of its own, {own_doing(ours)}: {told_errors(ours)}")
    return lines


def own_doing(side: SideResult) -> str:
    """What the user's function itself did, whatever it was given."""
    done = [
        f"it {what} on {count:,} of {side.wanted:,} files"
        for what, count in (("failed", _own_failures(side)), ("killed its worker", side.unmeant))
        if count
    ]
    return " and ".join(done) or "it did not fail by itself either"


def _own_failures(side: SideResult) -> int:
    return sum(count for name, count in side.failed.items() if name not in DESCRIPTOR_ERRORS)
