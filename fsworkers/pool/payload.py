"""Values on their way between processes: packed one by one, so that a bad one spoils no other.

Strings, numbers and the like travel as they are inside their message, at no cost. Anything else
is pickled for itself: what can't be pickled, or not be unpickled on the other side, is then that
one job's failure and not the whole message's.
"""

from __future__ import annotations

import pickle
from typing import Any

from fsworkers.errors import UnpicklableValue

_PLAIN = frozenset({str, bytes, int, float, bool, type(None)})


class Packed:
    """A pickled value inside a message."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __reduce__(self) -> tuple[type[Packed], tuple[bytes]]:
        return Packed, (self.data,)


def pickle_value(value: Any) -> bytes:
    """Pickle ``value``, by value where it comes from ``__main__`` or is a lambda or closure.

    Raises:
        Exception: Whatever the value's own pickling raises.
    """
    try:
        data = pickle.dumps(value, protocol=5)
    except Exception:  # noqa: BLE001  (user types raise anything; cloudpickle has the last word)
        return _cloudpickle(value)
    # Plain pickle names what lives in __main__, and the other process has another __main__.
    return _cloudpickle(value) if b"__main__" in data else data


def _cloudpickle(value: Any) -> bytes:
    import cloudpickle  # noqa: PLC0415  (35 ms; most runs need it not at all)

    data: bytes = cloudpickle.dumps(value, protocol=5)
    return data


def pack(value: Any) -> Any:
    """Make ``value`` safe to be put in a message; plain ones are returned as they are.

    Raises:
        UnpicklableValue: It can't be pickled.
    """
    if type(value) in _PLAIN:
        return value
    try:
        return Packed(pickle_value(value))
    except Exception as error:
        raise UnpicklableValue(type(value).__name__, f"{type(error).__name__}: {error}") from error


def size_of(value: Any) -> int:
    """How many bytes a packed value takes in a message; 0 for one that is never large."""
    if type(value) is Packed:
        return len(value.data)
    return len(value) if type(value) is bytes or type(value) is str else 0


def unpack(value: Any) -> Any:
    """Give back what ``pack`` was given.

    Raises:
        Exception: Whatever the value's own unpickling raises.
    """
    return pickle.loads(value.data) if type(value) is Packed else value
