"""The promise as conditions on what was measured, and what was measured in words. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fsworkers.names import printable
from fsworkers.stress.model import Broken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsworkers.stress.model import Plan, ScenarioResult, SideResult, StressResult
    from fsworkers.stress.scenarios.registry import Load

MOST_ERRORS = 5

DESCRIPTOR_ERRORS = frozenset({"EMFILE", "ENFILE", "EDEADLK"})
"""What a function of the user's must never meet; its other errors are its own affair."""

HEADINGS: tuple[str, ...] = (
    "scenario", "side", "done", "went wrong", "peak", "wait p50", "p99", "max", "done/s", "deaths",
)  # fmt: skip

RESULTS_KEPT = "nothing failed, nothing was lost, nothing hung, content was right"
OWN_RESULTS_KEPT = (
    "no call of your function failed for want of a descriptor, nothing was lost, nothing hung"
)
RESOURCES_KEPT = (
    "the peak kept within the limit, waiters were served in order, descriptors and processes "
    "afterwards were those before"
)


def broken_invariants(name: str, side: SideResult, plan: Plan, load: Load) -> list[Broken]:
    """What does not hold of our side of a scenario; a user's function may fail by itself."""
    is_own = plan.call is not None
    failed = {
        error: count
        for error, count in side.failed.items()
        if not is_own or error in DESCRIPTOR_ERRORS
    }
    meant = len(load.poison) * side.rounds
    is_unreported = side.crashed != meant and not side.hung
    has_crashed = side.unmeant and not is_own
    ended = side.done + sum(side.failed.values()) + side.wrong + side.crashed + side.unmeant
    counted = ended + side.lost + side.hung
    returns = "your function returns" if is_own else "nothing hangs"
    leaked, left = side.leaked + side.master_leaked, side.processes_left
    is_over_limit = side.peak is not None and side.peak > plan.limit
    is_drawn = load.consume_s and side.drawn_ahead > load.ops / 2
    of_all = f"of {side.wanted}"
    told = told_errors(side) or "no error told"
    checks: tuple[tuple[str, object, str], ...] = (
        ("nothing fails", failed, f"{_listed(failed.items())} ({told})"),
        ("nothing is lost", side.lost, f"{side.lost} {of_all} ({told})"),
        (returns, side.hung, f"{side.hung} {of_all} had not ended: {side.cut_short}"),
        ("content is right", side.wrong, f"{side.wrong} {of_all} were not what was written"),
        ("poison is reported", is_unreported, f"{side.crashed} of {meant} were"),
        ("nothing else crashes", has_crashed, f"{side.unmeant} {of_all} did ({told})"),
        ("every result comes once", side.duplicates, f"{side.duplicates} came once more"),
        ("every operation is counted once", counted != side.wanted, f"{counted} {of_all} were"),
        ("the pool ends by itself", side.cut_short and not side.hung, side.cut_short),
        ("the peak keeps within the limit", is_over_limit, f"{side.peak} open, limit {plan.limit}"),
        ("descriptors afterwards are those before", leaked, f"there are {leaked} more"),
        ("processes afterwards are those before", left, f"{left} left running"),
        ("waiters are served in order", side.overtaken, f"{side.overtaken} of {side.served} not"),
        ("input is drawn a little ahead", is_drawn, f"{side.drawn_ahead} items were drawn"),
    )
    return [Broken(name, invariant, seen) for invariant, is_so, seen in checks if is_so]


def told_errors(side: SideResult) -> str:
    """What jobs failed with most."""
    most = Counter(side.errors).most_common(MOST_ERRORS)
    told = [f"{count:,} times {printable(text)}" for text, count in most]
    return "; ".join([*told, *(["and others"] if len(side.errors) > MOST_ERRORS else [])])


def is_right(side: SideResult) -> bool:
    """Whether every operation ended as it should."""
    return side.done + side.crashed == side.wanted


def cells(result: ScenarioResult, side: SideResult) -> dict[str, str]:
    """A side as the cells of its row, by ``HEADINGS``."""
    waits = side.waits
    known = (waits.p50_s, waits.p99_s, waits.max_s) if waits else (None,) * 3
    texts = (
        result.name,
        side.side,
        f"{side.done:,} of {side.wanted:,}",
        wrongs(side),
        "?" if side.peak is None else f"{side.peak:,}",
        *(in_time(one) for one in known),
        f"{side.per_s:,.0f}",
        f"{side.survived} of {side.deaths} survived" if side.deaths else "-",
    )
    return dict(zip(HEADINGS, texts, strict=True))


def wrongs(side: SideResult) -> str:
    """What went wrong, in a few words; what was meant to crash and did comes last."""
    counts = [*sorted(side.failed.items()), ("wrong", side.wrong), ("crashed", side.unmeant)]
    counts += [("lost", side.lost), ("hung", side.hung), ("told twice", side.duplicates)]
    return _listed([*counts, ("crashed as meant", side.crashed)]) or "nothing"


def _listed(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{count:,} {word}" for word, count in counts if count)


def in_time(seconds: float | None) -> str:
    """A time with two digits and the unit that fits; a dash where it is not known."""
    if seconds is None:
        return "-"
    for factor, unit in ((1e6, "µs"), (1e3, "ms")):
        amount = seconds * factor
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if amount >= 9.95 else f"{amount:.1f} {unit}"
    return f"{seconds:.1f} s"


def verdict(result: StressResult) -> str:
    """The verdict in one sentence."""
    plan, count = result.plan, len(result.scenarios)
    where = f"seed {plan.seed}, limit {plan.limit}, {plan.workers} workers, {result.seconds:.1f} s"
    if not result.is_kept:
        broken = sum(1 for one in result.scenarios if one.broken)
        return f"BROKEN in {broken} of {count} scenarios ({where})"
    if plan.call is not None:
        doing = own_doing(result.scenarios[0].fsworkers)
        return f"KEPT: {OWN_RESULTS_KEPT}, {RESOURCES_KEPT}; {doing} ({where})"
    scenarios = "scenario" if count == 1 else "scenarios"
    return f"KEPT in {count} {scenarios}: {RESULTS_KEPT}, {RESOURCES_KEPT} ({where})"


def broken_lines(result: ScenarioResult) -> list[str]:
    """Each broken invariant of a scenario in a line, and then what happened."""
    lines = [f"broken: {one.scenario}: {one.invariant}: {one.seen}" for one in result.broken]
    return lines + [f"  {line}" for line in result.fsworkers.story if lines]


def notes(result: StressResult) -> list[str]:
    """What the figures do not say by themselves."""
    said = []
    if result.unread:
        count, first = len(result.unread), result.unread[0]
        said.append(f"of the input, {count:,} could not be read: {first}" + " …" * (count > 1))
    for one in result.scenarios:
        said += [f"{one.name}: {text}" for text in _notes_of(one.fsworkers)]
        if result.plan.call is not None:
            said += own_task_lines(one, result.plan.limit)
    return said


def _notes_of(side: SideResult) -> Iterator[str]:
    if side.injected:
        yield side.injected
    if side.rescued or side.deadlocks:
        turned = f"{side.deadlocks} run again"
        yield f"{side.rescued} waiters served from the reserve and {turned}, to end deadlocks"
    if side.rerun:
        yield f"killed twice and handed in again: {side.rerun}"
    unasked = side.layer.restarts - side.deaths - side.unmeant if side.layer else 0
    if unasked > 0:
        yield f"workers replaced that nobody had attacked: {unasked}"


def own_task_lines(result: ScenarioResult, limit: int) -> list[str]:
    """What the user's own function does when descriptors run short."""
    ordinary, ours, layer = result.ordinary, result.fsworkers, result.fsworkers.layer
    short = sum(count for name, count in ordinary.failed.items() if name in DESCRIPTOR_ERRORS)
    on = f"on {short:,} of {ordinary.wanted:,} files" if short else "on none of its files"
    lines = [f"your function fails for want of descriptors {on}."]
    if ordinary.lost:
        died = f"when a worker had died; {ordinary.deaths} were killed or stopped"
        lines.append(f"{ordinary.lost:,} files were never heard of again {died}.")
    if ordinary.hung:
        lines.append(f"it did not return on {ordinary.hung:,} files: {ordinary.cut_short}.")
    lines = [f"The ordinary way, at a limit of {limit}, {line}" for line in lines]
    if layer is not None:
        waited = f"waited {layer.waits:,} times for a descriptor, {layer.waited_s:.2f} s in all"
        refused = f"the kernel refused {layer.refused:,} times"
        lent = f"at most {layer.peak:,} were lent in a worker"
        lines.append(f"Under fsworkers it {waited}; {refused}; {lent}.")
    if _own_failures(ours) or ours.unmeant:
        lines.append(f"For reasons of its own, {own_doing(ours)}: {told_errors(ours)}")
    return lines


def own_doing(side: SideResult) -> str:
    """What the user's function itself did, whatever it was given."""
    counts = (("failed", _own_failures(side)), ("killed its worker", side.unmeant))
    done = [f"it {what} on {count:,} of {side.wanted:,} files" for what, count in counts if count]
    return " and ".join(done) or "it did not fail by itself either"


def _own_failures(side: SideResult) -> int:
    return sum(count for name, count in side.failed.items() if name not in DESCRIPTOR_ERRORS)
