"""Counting a board."""

from __future__ import annotations

from collections import Counter
from errno import EDEADLK, EMFILE

from hypothesis import given
from hypothesis import strategies as st

from fsworkers.stress import board
from fsworkers.stress.records import Sample
from fsworkers.stress.tally import Tally, error_name, tally, thinned

STATES = st.integers(min_value=board.UNTOUCHED, max_value=board.WRONG)
HEARD = st.integers(min_value=board.UNDELIVERED, max_value=board.CRASHED)


@given(st.lists(STATES, min_size=1, max_size=60), st.integers(1, 7), st.data())
def test_every_operation_is_counted_once(states: list[int], per_job: int, data: st.DataObject):
    """Whatever the board says, the counts add up to the operations."""
    jobs = -(-len(states) // per_job)
    delivered = data.draw(st.lists(HEARD, min_size=jobs, max_size=jobs))
    poison = frozenset(data.draw(st.sets(st.integers(0, len(states) - 1), max_size=3)))
    counted = tally(states, [EMFILE] * len(states), delivered, per_job, poison)
    total = counted.done + counted.failed.total() + counted.wrong + counted.crashed
    total += counted.unmeant
    assert total + counted.open_ended == len(states)


def test_a_result_that_never_came_is_not_done() -> None:
    """Read and right is not enough: the caller must have heard of it."""
    counted = tally([board.DONE] * 4, [0] * 4, [board.DELIVERED, board.UNDELIVERED], 2, frozenset())
    assert counted == Tally(done=2, open_ended=2)


def test_poison_counts_as_crashed_only_if_it_was_said() -> None:
    """An operation meant to kill its worker is no loss once it is reported as crashed."""
    states = [board.ASKED, board.ASKED]
    heard = [board.CRASHED, board.UNDELIVERED]
    assert tally(states, [0, 0], heard, 1, frozenset({0, 1})) == Tally(crashed=1, open_ended=1)


def test_failures_go_by_the_name_of_their_errno() -> None:
    """An errno is shown by its name, an error without one as ``other``."""
    failed = tally(
        [board.FAILED] * 3, [EMFILE, EMFILE, board.OTHER_ERROR], [board.REFUSED], 3, frozenset()
    ).failed
    assert failed == Counter({"EMFILE": 2, "other": 1})
    assert error_name(EDEADLK) == "EDEADLK"


def test_what_the_caller_heard_of_is_not_lost() -> None:
    """A job reported as failed or crashed has failed or crashed, whatever it had come to."""
    states = [board.ASKED, board.DONE, board.FAILED, board.ASKED]
    heard = [board.REFUSED, board.REFUSED, board.CRASHED, board.CRASHED]
    counted = tally(states, [0, 0, EMFILE, 0], heard, 1, frozenset({3}))
    assert counted == Tally(failed=Counter({"other": 2}), unmeant=1, crashed=1)


@given(st.lists(st.integers(0, 99), min_size=1, max_size=300), st.integers(2, 50))
def test_thinning_keeps_peaks(values: list[int], most: int) -> None:
    """Fewer samples have the same peak and the same end."""
    samples = [Sample(float(at), value, value, at) for at, value in enumerate(values)]
    few = thinned(samples, most)
    assert len(few) <= most
    assert max(one.open for one in few) == max(values)
    assert few[-1].ended == len(values) - 1
