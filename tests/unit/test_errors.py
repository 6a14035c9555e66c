"""The error hierarchy as a whole."""

from __future__ import annotations

import inspect
import pickle
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

import pytest

from fsworkers.broken import WorkerDied
from fsworkers.errors import FsworkersError, RemoteError, Skip, TookTooLong
from fsworkers.model import Outcome

if TYPE_CHECKING:
    from fsworkers.model import Status


def subclasses(root: type[FsworkersError]) -> list[type[FsworkersError]]:
    """Every class below ``root``."""
    found = []
    for child in root.__subclasses__():
        found += [child, *subclasses(child)]
    return sorted(set(found), key=lambda kind: kind.__name__)


SAMPLES = {"int": 3, "str": "text", "float": 1.5, "object": "text", "Path": "text"}
OWN_INIT = [kind for kind in subclasses(FsworkersError) if "__init__" in vars(kind)]


@pytest.mark.parametrize("kind", OWN_INIT, ids=lambda kind: kind.__name__)
def test_errors_survive_pickling(kind: type[FsworkersError]) -> None:
    """Each class comes back from pickle with its type, message and fields."""
    parameters = list(inspect.signature(kind).parameters.values())
    if any(parameter.name in {"known", "holders"} for parameter in parameters):
        pytest.skip("takes collections; its own tests pickle it")
    arguments = [
        SAMPLES.get(str(parameter.annotation).strip("'").split(" |")[0], "text")
        for parameter in parameters
        if parameter.kind is not parameter.KEYWORD_ONLY
    ]
    error = kind(*arguments)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    assert vars(again) == vars(error)


@pytest.mark.parametrize("kind", OWN_INIT, ids=lambda kind: kind.__name__)
def test_errors_say_what_they_are(kind: type[FsworkersError]) -> None:
    """Each class has a sentence of its own."""
    assert kind.__doc__
    assert kind.__doc__ != FsworkersError.__doc__


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("failed", RemoteError),
        ("timed_out", TookTooLong),
        ("crashed", WorkerDied),
        ("skipped", Skip),
        ("cancelled", CancelledError),
    ],
)
def test_outcome_raises_what_it_is(status: Status, kind: type[Exception]) -> None:
    """Each with its words; one that is done gives its value, also if that is nothing."""
    outcome = Outcome("path", status, error="words", traceback="Traceback of the worker")
    assert not outcome.ok
    with pytest.raises(kind, match="words") as caught:
        outcome.result()
    assert type(caught.value) is kind
    assert ("Traceback of the worker" in str(caught.value)) == issubclass(kind, RemoteError)
    done = Outcome("path", "done", None)
    assert done.ok
    assert done.result() is None
