"""Waiting times in a fixed number of buckets, so that ten minutes take no more room than one.

Bounds grow by an eighth from 1 µs on: a percentile is right to 12.5 %, the maximum is exact.
"""

from __future__ import annotations

from math import ceil, log
from typing import TYPE_CHECKING

from fsworkers.stress.records import Waits

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST_S = 1e-6
GROWTH = 1.125
_LOG_GROWTH = log(GROWTH)


def bucket_of(seconds: float) -> int:
    """The number of the bucket whose upper bound is the first that is not below ``seconds``."""
    if seconds <= FIRST_S:
        return 0
    return ceil(log(seconds / FIRST_S) / _LOG_GROWTH - 1e-9)


def bound_s(bucket: int) -> float:
    """A bucket's upper bound in seconds."""
    return float(FIRST_S * GROWTH**bucket)


class Histogram:
    """Counts durations."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._max_s = 0.0

    def add(self, durations_s: Iterable[float]) -> None:
        """Count durations in seconds."""
        counts = self._counts
        for seconds in durations_s:
            bucket = bucket_of(seconds)
            counts[bucket] = counts.get(bucket, 0) + 1
            self._max_s = max(self._max_s, seconds)

    def percentile(self, share: float) -> float:
        """The seconds that ``share`` (0 to 1) of all durations do not exceed; 0 if there are none.

        It is the upper bound of the bucket that the percentile falls in, and at most the maximum.
        """
        rank = ceil(share * sum(self._counts.values()))
        seen = 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= rank:
                return min(bound_s(bucket), self._max_s)
        return 0.0

    def waits(self) -> Waits | None:
        """What has been counted, as a record; ``None`` if nothing has."""
        if not self._counts:
            return None
        return Waits(
            p50_s=self.percentile(0.5),
            p99_s=self.percentile(0.99),
            max_s=self._max_s,
            counts={f"{bound_s(b):.3g}": n for b, n in sorted(self._counts.items())},
        )
