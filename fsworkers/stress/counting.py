"""Counts what a scoreboard says at the end of a round, and tells the story of it. Pure."""

from __future__ import annotations

from collections import Counter
from errno import EDEADLK, errorcode
from statistics import quantiles
from typing import TYPE_CHECKING

from fsworkers.stress import scoreboard as board
from fsworkers.stress.model import Waits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fsworkers.stress.model import Event, SideResult
    from fsworkers.stress.scenarios.registry import Load
    from fsworkers.stress.scoreboard import Scoreboard

MOST_SORTED = 100_000
MOST_OPS = 5
MOST_LINES = 30

STATES = ("never begun", "begun", "in possession of its descriptor", "done", "failed", "wrong")
HEARD = ("nothing", "its result", "its failure", "its worker's death")
EVENTS = {"kill": "gets", "stop": "gets", "gone": "has ended", "worker": "begins to work"}


def end_of(state: int, heard: int, *, is_poison: bool) -> str:
    """What became of an operation: the name of exactly one of the counts of ``SideResult``.

    ``unheard`` is none of them: whether it is lost or hung depends on how the round ended. What
    was reported as failed has failed, whatever it had come to.
    """
    if heard == board.CRASHED:
        return "crashed" if is_poison else "unmeant"
    if state == board.WRONG:
        return "wrong"
    if state == board.FAILED or heard == board.REFUSED:
        return "failed"
    return "done" if (state, heard) == (board.DONE, board.DELIVERED) else "unheard"


def ends_of(scoreboard: Scoreboard, load: Load) -> list[str]:
    """What became of each operation of a round."""
    both = zip(scoreboard.states, scoreboard.delivered, strict=True)
    return [
        end_of(state, heard, is_poison=op in load.poison) for op, (state, heard) in enumerate(both)
    ]


def count_round(result: SideResult, scoreboard: Scoreboard, load: Load) -> tuple[int, list[float]]:
    """Add a round to a result; how many operations are unheard of, and the waits that are known."""
    ends = ends_of(scoreboard, load)
    failed = Counter(
        error_name(scoreboard.errnos[op] if scoreboard.states[op] == board.FAILED else 0)
        for op, end in enumerate(ends)
        if end == "failed"
    )
    result.failed = dict(failed + Counter(result.failed))
    result.done += ends.count("done")
    result.wrong += ends.count("wrong")
    result.crashed += ends.count("crashed")
    result.unmeant += ends.count("unmeant")
    known = zip(scoreboard.waits_s, ends, strict=True)
    waits_s = [wait_s for wait_s, end in known if end == "done" and wait_s != board.UNKNOWN_S]
    return ends.count("unheard"), waits_s


def error_name(number: int) -> str:
    """An errno's name, as ``EMFILE``."""
    if number == EDEADLK:
        return "EDEADLK"  # on Linux it has a second name
    return errorcode.get(number, "other")


def waits_of(waits_s: Sequence[float]) -> Waits | None:
    """Waits in percentiles, of very many by a part of them; ``None`` if there are none."""
    if not waits_s:
        return None
    some = list(waits_s[:: len(waits_s) // MOST_SORTED + 1])
    percentiles_s = quantiles(some if len(some) > 1 else some * 2, n=100, method="inclusive")
    return Waits(percentiles_s[49], percentiles_s[98], max(waits_s))


# The story


def gone_wrong(scoreboard: Scoreboard, load: Load) -> list[int]:
    """The operations of a round that did not end as they should: first those that were begun."""
    ends = enumerate(ends_of(scoreboard, load))
    wrong = [op for op, end in ends if end not in {"done", "crashed"}]
    return sorted(wrong, key=lambda op: scoreboard.states[op] == board.UNTOUCHED)


def states_of(scoreboard: Scoreboard, load: Load, path_of: Callable[[int], str]) -> list[str]:
    """How the first operations that went wrong stand, a line each."""
    wrong = gone_wrong(scoreboard, load)
    lines = [
        f"operation {op} ({path_of(op)}): {STATES[scoreboard.states[op]]}, "
        f"attempt {scoreboard.attempts[op]} in process {scoreboard.pids[op]}; "
        f"the caller has heard {HEARD[scoreboard.delivered[op]]}"
        for op in wrong[:MOST_OPS]
    ]
    return lines + [f"and {len(wrong) - MOST_OPS:,} more"] * (len(wrong) > MOST_OPS)


def last_of(events: Sequence[Event], told: Sequence[tuple[float, str]]) -> list[str]:
    """What happened last, in order: seconds since the first worker began, and what."""
    seen = [
        (one.at_s, f"process {one.pid} {EVENTS[one.kind]} {one.note}")
        for one in events
        if one.kind in EVENTS
    ]
    last = sorted([*seen, *told])[-MOST_LINES:]
    return [f"{at_s:.3f} s: {text}".rstrip() for at_s, text in last]
