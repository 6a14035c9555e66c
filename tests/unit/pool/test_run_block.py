"""A block as it is being run."""

from __future__ import annotations

import random
import sys
import threading
import time
from array import array
from itertools import pairwise

import pytest

from fsworkers.pool.payload import unpack_values
from fsworkers.pool.run_block import BlockRun, Span, encode_values
from fsworkers.pool.task_function import TaskFunction


def block_of(function: object, items: list[object], **traits: bool) -> BlockRun:
    """A block of these items."""
    return BlockRun(TaskFunction(function, encode_values, **traits), 7, 100, items)  # type: ignore[arg-type]


def values_of(span: Span) -> list[object]:
    """The values in an answer."""
    return unpack_values(span.frames[0])


def nothing(*_: object) -> None:
    """Nobody looks."""


def test_all_items_are_run_in_order() -> None:
    """What they come to is one span, with a failure of its own among them."""
    block = block_of(lambda number: 12 // number, [4, 3, 0, 2])
    begun: list[tuple[int, int]] = []
    block.run(lambda start, stop: begun.append((start, stop)), nothing)
    (span,) = block.take()
    assert (span.start, span.stop, values_of(span)) == (100, 104, [3, 4, 6])
    assert [(one.position, one.failure.error[:17]) for one in span.failures] == [
        (102, "ZeroDivisionError")
    ]
    assert begun[0][0] == 100
    assert begun[-1][1] == 104
    assert all(one[1] == other[0] for one, other in pairwise(begun))


def test_failures_divide_an_ordered_span() -> None:
    """So that each can be put in its place, whenever that is."""
    block = block_of(lambda number: 12 // number, [0, 3, 0, 2], is_ordered=True)
    block.run(nothing, nothing)
    spans = block.take()
    assert [(one.start, one.stop, len(one.failures)) for one in spans] == [
        (100, 101, 1),
        (101, 102, 0),
        (102, 103, 1),
        (103, 104, 0),
    ]


def test_what_is_given_back_is_not_run() -> None:
    """The last ones that were not begun; what was begun stays."""
    block = block_of(str, list(range(10)))
    given: list[tuple[int, int, int] | None] = []

    def look(_: float) -> None:
        if not given:
            given.append(block.give_back(6))

    block.run(nothing, look)
    (span,) = block.take()
    assert given == [(7, 104, 110)]
    assert (span.start, span.stop) == (100, 104)
    assert block.give_back(10) is None


def test_a_chunk_that_takes_longer_than_it_was_made_for_is_given_back() -> None:
    """Items are short, and then one takes long: what is behind it in its chunk goes to others."""
    is_long, goes_on = threading.Event(), threading.Event()
    run: list[int] = []

    def work(item: int) -> int:
        run.append(item)
        if item == 900:
            is_long.set()
            assert goes_on.wait(10)
        return item

    block = block_of(work, [*range(1000)])
    runner = threading.Thread(target=block.run, args=(nothing, nothing))
    runner.start()
    assert is_long.wait(10)
    assert block.give_back(1000) == (7, 1001, 1100)
    goes_on.set()
    runner.join(10)
    assert run == [*range(901)]


@pytest.mark.parametrize("seed", range(5))
def test_each_item_is_run_or_given_back(seed: int) -> None:
    """Once, however often and whenever some are recalled."""
    chance = random.Random(seed)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(40):
            run: list[int] = []
            block = block_of(run.append, [*range(3000)])
            runner = threading.Thread(target=block.run, args=(nothing, nothing))
            runner.start()
            given: list[int] = []
            while runner.is_alive():
                if (span := block.give_back(chance.randrange(1, 40))) is not None:
                    given += range(span[1] - 100, span[2] - 100)
            runner.join()
            assert sorted(run + given) == [*range(3000)]
            assert sum(span.stop - span.start for span in block.take()) == len(run)
    finally:
        sys.setswitchinterval(before)


def test_answers_in_parts_make_up_the_whole() -> None:
    """Taken between any two chunks, nothing is missing and nothing comes twice; times add up."""
    block = block_of(str, list(range(5000)))
    spans: list[Span] = []
    began = time.perf_counter()

    def look(_: float) -> None:
        if len(spans) < 5:
            spans.extend(block.take())
        block.restart_clock()

    block.run(nothing, look)
    whole_s = time.perf_counter() - began
    spans += block.take()
    assert [value for span in spans for value in values_of(span)] == list(map(str, range(5000)))
    assert [span.stop for span in spans[:-1]] == [span.start for span in spans[1:]]
    durations = [one for span in spans for one in array("d", span.frames[1])]
    assert len(durations) == 5000
    assert min(durations) >= 0
    assert sum(durations) == pytest.approx(sum(span.busy_s for span in spans))
    assert 0.2 * whole_s < sum(durations) <= whole_s


def test_value_is_as_it_was_when_the_task_returned_it() -> None:
    """What the task alters later is another item's value."""
    seen: list[int] = []

    def remember(number: int) -> list[int]:
        seen.append(number)
        return seen

    block = block_of(remember, [1, 2, 3])
    block.run(nothing, nothing)
    (span,) = block.take()
    packed = values_of(span)
    assert len(packed) == 3
    assert len({one.data for one in packed}) == 3  # type: ignore[attr-defined]


def test_item_at_hand_is_told() -> None:
    """While it runs: which one, and for how long."""
    told: list[object] = []

    def ask(_: object) -> None:
        told.append(block.running(time.perf_counter() + 5.0))

    block = block_of(ask, ["a", "b"])
    assert block.running(0.0) is None
    block.run(nothing, nothing)
    assert [one[:2] for one in told] == [(7, 100), (7, 101)]  # type: ignore[index]
    assert all(5.0 <= one[2] < 10.0 for one in told)  # type: ignore[index]
