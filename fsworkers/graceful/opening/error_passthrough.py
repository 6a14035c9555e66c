"""Descriptor errors that get past code which takes any ``OSError`` for an empty folder.

``glob`` and, from Python 3.12 on, ``pathlib`` end a folder's listing at any ``OSError``, and
``tempfile`` goes on to the next candidate, or to another way: what could not be opened in time
would be missing from the result without a word, or waited for twice. ``copytree`` waits for each
file in turn, and in the end has only texts of its errors. While such code runs below
``let_through``, a descriptor error travels as what is no ``OSError``, and is itself again when it
comes out.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import wraps
from threading import local

from fsworkers.graceful.errors import GracefulError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


class WrappedError(BaseException):
    """A descriptor error on its way out."""

    def __init__(self, error: GracefulError) -> None:
        super().__init__(error)
        self.error = error


class _Depth(local):
    """How many calls that swallow errors this thread is in."""

    count = 0


_depth = _Depth()


def escaping(error: GracefulError) -> BaseException:
    """What to raise, so that an error goes past code that would swallow it."""
    return WrappedError(error) if _depth.count else error


@contextmanager
def unswallowed() -> Iterator[None]:
    """A block whose descriptor errors go past code that would swallow them."""
    try:
        yield
    except GracefulError as error:
        raise escaping(error)  # noqa: B904 - the same error


def let_through(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function, or what makes an iterator, from which descriptor errors come out."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        made = _step(lambda: function(*args, **kwargs))
        is_iterator = hasattr(made, "__next__") and not hasattr(made, "fileno")
        return _steps(made) if is_iterator else made

    return call


def _steps(iterator: Iterator[Any]) -> Iterator[Any]:
    end = object()
    try:
        while (found := _step(lambda: next(iterator, end))) is not end:
            yield found
    finally:
        getattr(iterator, "close", bool)()


def _step(action: Callable[[], Any]) -> Any:
    _depth.count += 1
    try:
        return action()
    except WrappedError as carried:
        if _depth.count > 1:
            raise  # there is more of such code above
        error = carried.error
    finally:
        _depth.count -= 1
    raise error
