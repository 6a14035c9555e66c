"""What is written behind options, read: sizes, times, a niceness."""

from __future__ import annotations

import time

from fsworkers.errors import BadOption, BadSetting
from fsworkers.scan.options import SizeRange, parse_duration, parse_size


def parse_bytes(option: str, text: str) -> int:
    """A size, as in ``500M``, with the units of ``--size``.

    Raises:
        BadSetting: It is none.
    """
    try:
        size = parse_size(text)
    except ValueError:
        size = SizeRange()
    if not (size.minimum_bytes and size.minimum_bytes == size.maximum_bytes):
        raise BadSetting(option, text, "a size, as in 500M or 2Gi")
    return size.minimum_bytes


def parse_memfree(text: str) -> int:
    """A size of memory that may be available.

    Raises:
        BadSetting: It is none, or more than there is.
    """
    from fsworkers.pool.master.machine import memory_bytes  # noqa: PLC0415  (few ask for it)

    size, there = parse_bytes("--memfree", text), memory_bytes("MemTotal")
    if size >= there:
        accepted = f"less than the {there >> 20:,} MiB that there are"
        if not there:
            accepted = "none: this system does not tell how much is available"
        raise BadSetting("--memfree", text, accepted)
    return size


def parse_nice(number: int) -> int:
    """A niceness.

    Raises:
        BadSetting: It would raise the priority, or is none.
    """
    if not 0 <= number <= 19:
        raise BadSetting("--nice", number, "a number from 0 to 19")
    return number


def parse_instant_of(option: str, text: str | None, now: float | None) -> float | None:
    """A point in time, or a length of time before now, in seconds; ``None`` for none.

    Raises:
        BadOption: It is neither.
    """
    if text is None:
        return None
    from fsworkers.scan.instants import parse_instant  # noqa: PLC0415  (rare)

    try:
        return parse_instant(text, time.time() if now is None else now)
    except ValueError as error:
        raise BadOption(f"{option}: {error}") from error


def parse_seconds(option: str, text: str) -> float:
    """A length of time with a unit, or a number of seconds.

    Raises:
        BadOption: It is neither.
    """
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return parse_duration(text)
    except ValueError as error:
        raise BadOption(f"{option}: {error}") from error
