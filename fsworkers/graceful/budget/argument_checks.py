"""Whether what a caller passes makes sense, said before anything is changed by it."""

from __future__ import annotations

# Of ``threading``, without what loading that takes.
from _thread import TIMEOUT_MAX
from operator import index


def count(name: str, value: int | None, *, least: int) -> int | None:
    """An integer of at least so much, or ``None``.

    Raises:
        TypeError: It is no integer.
        ValueError: It is less.
    """
    return None if value is None else number(name, value, least=least, or_none=" or None")


def number(name: str, value: int, *, least: int, or_none: str = "") -> int:
    """An integer of at least so much; errors as ``count``."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} is an integer{or_none}, not {value!r}")
    if value < least:
        raise ValueError(f"{name} is at least {least}, not {value}")
    return index(value)


def seconds(name: str, value: float | None) -> float | None:
    """A number of seconds that a wait can last, or ``None``.

    Raises:
        TypeError: It is no number.
        ValueError: It is below 0, or longer than can be waited.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(f"{name} is a number of seconds or None, not {value!r}")
    if not 0 <= value <= TIMEOUT_MAX:  # which no comparison with NaN is
        raise ValueError(f"{name} is from 0 to {TIMEOUT_MAX:.0f}, not {value}; None waits for ever")
    return float(value)
