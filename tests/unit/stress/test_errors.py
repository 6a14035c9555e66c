"""Errors of a stress run."""

from __future__ import annotations

import pickle

import pytest

from fsworkers.stress.errors import (
    LimitTooLarge,
    LimitTooSmall,
    NoSpace,
    StageFailed,
    UnknownScenario,
)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NoSpace("/tmp", "more", "0 MiB", "the run"), "the run needs more in /tmp"),
        (UnknownScenario("x", ("a", "b")), "there are a, b"),
        (LimitTooSmall(8, 30, "because"), "the least is 30 (because)"),
        (LimitTooLarge(99, 64), "hard limit of 64"),
        (NoSpace("/tmp", "9 MiB", "1 MiB"), "needs 9 MiB in /tmp"),
        (StageFailed("open-storm", "ordinary", "why"), "failed to run:\nwhy"),
    ],
)
def test_errors_say_what_to_do_and_survive_pickling(error: Exception, words: str) -> None:
    """The message is built from the fields, which travel."""
    assert words in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
