"""The promise, as conditions on what was measured. Pure: figures in, what is broken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsworkers.stress.records import Broken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsworkers.stress.records import SideResult

DESCRIPTOR_ERRORS = frozenset({"EMFILE", "ENFILE", "EDEADLK"})
"""What a function of the user's must never meet; its other errors are its own affair."""


def broken_invariants(
    scenario: str,
    side: SideResult,
    *,
    limit: int,
    poison: int,
    is_own_task: bool = False,
    is_drawn_bounded: bool = False,
) -> list[Broken]:
    """What does not hold.

    Args:
        scenario: Its name.
        side: What the fsworkers side came to.
        limit: The soft limit of its workers.
        poison: Operations of a round that kill their worker.
        is_own_task: The work is the user's, so it may fail for reasons of its own.
        is_drawn_bounded: The input must not be drawn all at once.
    """
    found = [
        *_results(side, poison, is_own_task=is_own_task),
        *_resources(side, limit),
    ]
    if side.overtaken:
        seen = f"{side.overtaken} of {side.served} were served before one who had come earlier"
        found.append(("waiters are served in order", seen))
    if is_drawn_bounded and side.drawn_ahead > side.wanted / max(1, side.rounds) / 2:
        seen = f"{side.drawn_ahead} items were drawn ahead of the consumer"
        found.append(("input is drawn a little ahead", seen))
    return [Broken(scenario, invariant, seen) for invariant, seen in found]


def _results(side: SideResult, poison: int, *, is_own_task: bool) -> Iterator[tuple[str, str]]:
    failed = {
        name: count
        for name, count in side.failed.items()
        if not is_own_task or name in DESCRIPTOR_ERRORS
    }
    if failed:
        seen = ", ".join(f"{count} {name}" for name, count in failed.items())
        yield "nothing fails", f"{seen} ({_errors(side)})"
    if side.lost:
        yield "nothing is lost", f"{side.lost} of {side.wanted} ({_errors(side)})"
    if side.hung and is_own_task:
        seen = f"it had not on {side.hung} of {side.wanted} files: {side.cut_short}"
        yield "your function returns", seen
    elif side.hung:
        yield "nothing hangs", f"{side.hung} of {side.wanted} had not ended: {side.cut_short}"
    if side.wrong:
        yield "content is right", f"{side.wrong} of {side.wanted} were not what was written"
    if side.crashed != poison * side.rounds and not side.hung:
        seen = f"{side.crashed} of {poison * side.rounds} were reported as crashed"
        yield "poison is reported", seen
    if side.unmeant and not is_own_task:
        seen = f"{side.unmeant} of {side.wanted} were reported as crashed ({_errors(side)})"
        yield "nothing else crashes", seen
    if side.duplicates:
        yield "every result comes once", f"{side.duplicates} came once more"
    ended = side.done + sum(side.failed.values()) + side.wrong + side.crashed + side.unmeant
    if ended + side.lost + side.hung != side.wanted:
        yield "every operation is counted once", f"{ended} ended of {side.wanted}"


def _resources(side: SideResult, limit: int) -> Iterator[tuple[str, str]]:
    if side.cut_short and not side.hung:
        yield "the pool ends by itself", side.cut_short
    if side.peak is not None and side.peak > limit:
        yield "the peak keeps within the limit", f"{side.peak} open at a limit of {limit}"
    if side.leaked or side.master_leaked:
        seen = f"{side.leaked} more in workers, {side.master_leaked} more in the caller's process"
        yield "descriptors afterwards are those before", seen
    if side.processes_left:
        yield "processes afterwards are those before", f"{side.processes_left} left running"


def _errors(side: SideResult) -> str:
    return told_errors(side) or "no error told"


def told_errors(side: SideResult) -> str:
    """What jobs failed with most, and that there was more if so."""
    told = [f"{count:,} times {text}" for text, count in side.errors.items()]
    return "; ".join([*told, *([f"and {side.untold:,} more"] if side.untold else [])])
