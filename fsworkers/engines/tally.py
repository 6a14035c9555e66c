"""Counts what becomes of the files of a run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fsworkers.model import RunSummary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsworkers.model import Outcome, Status
    from fsworkers.pool.figures import PoolStatistics


class Tally:
    """The counts of a run so far."""

    def __init__(self) -> None:
        self.outcomes: Counter[Status] = Counter()
        self.size_bytes = 0

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Count outcomes; the bytes are those of the files that were done."""
        sizes = [outcome.size for outcome in outcomes if outcome.status == "done"]
        self.size_bytes += sum(filter(None, sizes))
        self.outcomes["done"] += len(sizes)
        if len(sizes) != len(outcomes):
            self.outcomes.update(one.status for one in outcomes if one.status != "done")

    @property
    def found(self) -> int:
        """Files that have an outcome."""
        return self.outcomes.total()

    def summary(
        self, run: str, seconds: float, workers: int, statistics: PoolStatistics
    ) -> RunSummary:
        """What the run came to."""
        counts = self.outcomes
        return RunSummary(
            run=run,
            found=self.found,
            done=counts["done"],
            failed=counts["failed"],
            skipped=counts["skipped"],
            timed_out=counts["timed_out"],
            crashed=counts["crashed"],
            cancelled=counts["cancelled"],
            bytes=self.size_bytes,
            seconds=round(seconds, 6),
            files_per_s=round(self.found / seconds, 3) if seconds > 0 else 0.0,
            workers=workers,
            restarts=statistics.restarts,
            retries=statistics.retries,
            descriptors=statistics.descriptors,
        )
