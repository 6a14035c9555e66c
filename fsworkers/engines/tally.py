"""Counts what becomes of the files of a run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fsworkers.model import FAILURES, RunSummary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsworkers.engines.encoding import Portion
    from fsworkers.model import Status
    from fsworkers.pool.statistics import PoolStatistics


class Tally:
    """The counts of a run so far: what it has come to now, and had come to before it was resumed.

    Args:
        before: The outcomes that were recorded before.
        before_bytes: The bytes of the files done before.
    """

    def __init__(self, before: Mapping[Status, int] | None = None, before_bytes: int = 0) -> None:
        self.outcomes: Counter[Status] = Counter()
        self.unchanged = 0
        self.size_bytes = 0
        # Of the thread that scans; the others are of the one that consumes.
        self._before: Counter[Status] = Counter(before or {})
        self._before_bytes = before_bytes

    def add(self, portion: Portion) -> None:
        """Count what became of some files; the bytes are those of the files that were done."""
        self.size_bytes += portion.size_bytes
        self.outcomes["done"] += portion.done
        self.outcomes.update(one.status for one in portion.outcomes if one.status != "done")
        self.unchanged += portion.unchanged

    def displace(self, counts: Mapping[Status, int], done_bytes: int) -> None:
        """Count outcomes of before no longer: their files have another turn."""
        self._before.subtract(counts)
        self._before_bytes -= done_bytes

    @property
    def new(self) -> int:
        """Files that came to their outcome now."""
        return self.outcomes.total()

    @property
    def done_before(self) -> int:
        """Files that were done before, and are not done again."""
        return self._before["done"]

    @property
    def found(self) -> int:
        """Files that have an outcome."""
        return self.outcomes.total() + self._before.total()

    @property
    def failed(self) -> int:
        """Files that failed, were timed out or crashed."""
        return sum(self.outcomes[status] + self._before[status] for status in FAILURES)

    @property
    def counts(self) -> Counter[Status]:
        """The outcomes of the whole run."""
        return self.outcomes + self._before

    @property
    def all_bytes(self) -> int:
        """The bytes of all files that are done."""
        return self.size_bytes + self._before_bytes

    def summary(
        self, run: str, seconds: float, workers: int, statistics: PoolStatistics
    ) -> RunSummary:
        """What the whole run came to; what workers and descriptors did is of now."""
        counts = self.counts
        found = counts.total()
        return RunSummary(
            run=run,
            found=found,
            done=counts["done"],
            failed=counts["failed"],
            skipped=counts["skipped"],
            timed_out=counts["timed_out"],
            crashed=counts["crashed"],
            cancelled=counts["cancelled"],
            bytes=self.all_bytes,
            seconds=round(seconds, 6),
            files_per_s=round(found / seconds, 3) if seconds > 0 else 0.0,
            workers=workers,
            restarts=statistics.restarts,
            retries=statistics.retries,
            descriptors=statistics.descriptors,
        )
