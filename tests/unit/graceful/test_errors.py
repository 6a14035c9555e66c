"""Errors: messages from fields, builtins mixed in, and a way through pickle."""

from __future__ import annotations

import errno
import pickle

import pytest

from fsworkers.graceful import errors

EXAMPLES = [
    errors.BudgetTooSmall(2, 1),
    errors.BudgetTimeout("a", 1.5, 8, ["thread A holds 8"]),
    errors.BudgetTimeout(None, 1.5, 8),
    errors.DescriptorDeadlock(b"a\xff", 8, ["thread A holds 8"], ["thread B for 1"]),
    errors.TooFewDescriptors(32, 30, 4, 4),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling(error: errors.GracefulError) -> None:
    """Type, fields, message, errno and notes are the same on the other side."""
    error.add_note("noted")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)
    assert getattr(copy, "errno", None) == getattr(error, "errno", None)


def test_every_error_has_an_example() -> None:
    """A new class cannot be forgotten above."""
    assert {type(error) for error in EXAMPLES} == set(errors.GracefulError.__subclasses__())


def test_errors_are_the_builtins_a_caller_would_catch() -> None:
    """A timeout is a TimeoutError, want of descriptors an OSError with its number and path."""
    timeout = errors.BudgetTimeout("a/b", 1.5, 8, ["thread A holds 8"])
    assert isinstance(timeout, TimeoutError)
    assert timeout.filename == "a/b"
    assert "1.500 s" in str(timeout)
    assert "thread A holds 8" in str(timeout)
    assert isinstance(errors.BudgetTooSmall(2, 1), ValueError)
    assert errors.TooFewDescriptors(32, 30, 4, 4).errno == errno.EMFILE
    assert errors.DescriptorDeadlock("x", 8).errno == errno.EDEADLK
