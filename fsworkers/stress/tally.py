"""Counts what a board says. Pure: a round's states in, numbers out."""

from __future__ import annotations

from collections import Counter
from errno import EDEADLK, errorcode
from typing import TYPE_CHECKING

import msgspec

from fsworkers.stress.board import (
    CRASHED,
    DELIVERED,
    DONE,
    FAILED,
    OTHER_ERROR,
    REFUSED,
    UNDELIVERED,
    WRONG,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsworkers.stress.records import Sample

MOST_SAMPLES = 1000


class Tally(msgspec.Struct):
    """What became of operations; every operation is in exactly one of the counts.

    Attributes:
        done: Right, and the caller has the result.
        failed: By the name of their errno; ``other`` for errors that have none, and for those whose
            job was reported as failed although they had not.
        wrong: Read, and not what it should have been.
        crashed: Meant to kill their worker, did, and were reported so.
        unmeant: Reported so and not meant to.
        open_ended: All others: the caller has heard nothing of them.
    """

    done: int = 0
    failed: Counter[str] = msgspec.field(default_factory=Counter)
    wrong: int = 0
    crashed: int = 0
    unmeant: int = 0
    open_ended: int = 0

    def add(self, other: Tally) -> None:
        """Add another round."""
        self.done += other.done
        self.failed.update(other.failed)
        self.wrong += other.wrong
        self.crashed += other.crashed
        self.unmeant += other.unmeant
        self.open_ended += other.open_ended


def tally(
    states: Sequence[int],
    errnos: Sequence[int],
    delivered: Sequence[int],
    ops_per_job: int,
    poison: frozenset[int],
) -> Tally:
    """Count a round.

    Args:
        states: Of each operation.
        errnos: Of each operation; looked at where it failed.
        delivered: Of each job.
        ops_per_job: How many operations a job has; the last may have fewer.
        poison: The operations that were meant to kill their worker.
    """
    counted = Tally()
    for op, state in enumerate(states):
        heard = delivered[op // ops_per_job]
        if heard == CRASHED and op in poison:
            counted.crashed += 1
        elif heard == CRASHED:
            counted.unmeant += 1
        elif state == FAILED:
            counted.failed[error_name(errnos[op])] += 1
        elif state == WRONG:
            counted.wrong += 1
        elif heard == REFUSED:
            counted.failed[error_name(OTHER_ERROR)] += 1
        elif state == DONE and heard == DELIVERED:
            counted.done += 1
        else:
            counted.open_ended += 1
    return counted


def has_ended(delivered: Sequence[int]) -> int:
    """How many jobs the caller has heard of."""
    return sum(1 for heard in delivered if heard != UNDELIVERED)


def error_name(number: int) -> str:
    """An errno's name, as ``EMFILE``."""
    if number == EDEADLK:
        return "EDEADLK"  # on Linux it has a second name
    return "other" if number == OTHER_ERROR else errorcode.get(number, f"errno {number}")


def thinned(samples: list[Sample], most: int = MOST_SAMPLES) -> list[Sample]:
    """No more than ``most`` samples: neighbours become one, and a peak stays a peak."""
    while len(samples) > most:
        pairs = [samples[at : at + 2] for at in range(0, len(samples), 2)]
        samples = [
            msgspec.structs.replace(
                pair[-1],
                open=max(one.open for one in pair),
                waiting=max(one.waiting for one in pair),
            )
            for pair in pairs
        ]
    return samples
