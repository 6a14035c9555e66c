"""Halves of batches that failed: each file has one outcome, also where a run is cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from fsworkers.engines.batches import Bisection, _apart
from fsworkers.pool.actions import Conclude, Record
from fsworkers.pool.blocks import Block
from fsworkers.pool.failures import Failure
from fsworkers.pool.outcomes import concluded
from fsworkers.pool.run_block import encode_values
from fsworkers.pool.wire import NO_DESCRIPTORS, Answer
from fsworkers.tasks.command import BatchCommand

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

COMMAND = BatchCommand(["true", "{}"])


class Calls:
    """An engine that answers for batches, and begins none any more after so many."""

    def __init__(self, culprits: set[str], most: int, *, runs_several: bool) -> None:
        self.runs_several = runs_several
        self.left = most
        self._culprits = culprits

    def settled(
        self, _function: object, batches: Iterable[list[Any]], *_args: object, **_how: object
    ) -> Generator[list[Record | Conclude]]:
        """Batches with a culprit fail; what is not begun is not told of, as if never drawn."""
        for batch in [one for some in batches for one in some]:
            if not self.left:
                return
            self.left -= 1
            block = Block(0, 0, [batch])
            if self._culprits.intersection(batch):
                yield [Conclude(block, "failed", Failure("E: no"))]
            else:
                yield [Record(block, Answer(0, 0, 0, 1, 0, 0.1, [], NO_DESCRIPTORS), [])]


@given(
    st.integers(1, 40),
    st.sets(st.integers(0, 39).map(str), max_size=4),
    st.integers(1, 100),
    st.booleans(),
)
def test_each_file_of_a_batch_has_one_outcome(
    count: int, culprits: set[str], most: int, runs_several: bool
) -> None:
    """Culprits fail alone, others are done, and what was not begun is cancelled."""
    engine: Any = Calls(culprits, most, runs_several=runs_several)
    files = [f"{number}" for number in range(count)]
    bisection = Bisection(
        engine, COMMAND, encode_values, ordered=False, is_over=lambda: engine.left == 0
    )
    told: list[tuple[str, str]] = []
    for arrived in bisection.settled(iter([[files]])):
        for one in arrived:
            if isinstance(one, Record):
                told += [(path, "done") for path in one.block.items[0]]
            else:
                wholes = concluded(one)
                told += [(part.path, part.status) for whole in wholes for part in _apart(whole)]
    assert sorted(path for path, _ in told) == sorted(files)
    for path, status in told:
        assert status in {"cancelled", "failed" if path in culprits else "done"}
    if engine.left:
        assert "cancelled" not in {status for _, status in told}
