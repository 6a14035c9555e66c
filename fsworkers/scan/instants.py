"""How instants are written: dates, or how long ago."""

from __future__ import annotations

import re

from fsworkers.scan.options import parse_duration

__all__ = ["parse_instant"]


def parse_instant(text: str, now: float) -> float:
    """Read a length of time before ``now``, or a date, as ``fd --changed-within`` does.

    ``2h``, ``1d``, ``2weeks`` (``parse_duration``); ``2026-01-31``, which is its first moment,
    ``2026-01-31 12:00:00``, either local unless it names a zone; ``@1767225600``.

    Args:
        text: What was written.
        now: From when a length of time counts back.

    Returns:
        Seconds since 1970.

    Raises:
        ValueError: The text is none of this.
    """
    stripped = text.strip()
    if re.fullmatch(r"(?a)@-?\d{1,24}(\.\d{1,9})?", stripped):
        return float(stripped[1:])
    from datetime import datetime  # noqa: PLC0415  (only where a time is asked for)

    try:
        return datetime.fromisoformat(stripped).timestamp()
    except (ValueError, OverflowError, OSError):
        pass
    try:
        return now - parse_duration(stripped)
    except ValueError:
        raise ValueError(
            f"'{text}' is neither a length of time nor a date; write 10min, 2h, 1d or 2weeks, "
            "2026-01-31, '2026-01-31 12:00:00' or @1767225600"
        ) from None
