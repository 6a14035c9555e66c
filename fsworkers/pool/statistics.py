"""A pool's figures: of this moment, and over its life."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from fsworkers.model import DescriptorUse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fsworkers.pool.wire import Descriptors


class AtWork(NamedTuple):
    """An item that runs for a while already.

    Attributes:
        worker: Number of the worker.
        item: As the pool was given it.
        seconds: For how long.
    """

    worker: int
    item: Any
    seconds: float


class PoolStatistics(msgspec.Struct, frozen=True):
    """A pool at one moment.

    Attributes:
        workers: Worker processes that live.
        queued: Jobs in no lane yet.
        in_flight: Jobs that workers hold.
        restarts: Workers that were replaced because they had died or hung.
        recycled: Workers that were replaced because they had run enough jobs or grown too large.
        retries: Attempts after the first.
        lent: Descriptors that file operations hold now, over all workers.
        waiting: File operations that wait for a descriptor now.
        at_work: Items that run for some seconds already, as workers tell once in a while.
        descriptors: Over the pool's life.
    """

    workers: int = 0
    queued: int = 0
    in_flight: int = 0
    restarts: int = 0
    recycled: int = 0
    retries: int = 0
    lent: int = 0
    waiting: int = 0
    at_work: tuple[AtWork, ...] = ()
    descriptors: DescriptorUse = DescriptorUse()


class Figures:
    """Adds up what the workers report of their descriptors."""

    def __init__(self) -> None:
        self._latest: dict[int, Descriptors] = {}
        self._gone: set[int] = set()
        self._retired = DescriptorUse()

    def note(self, worker: int, descriptors: Descriptors) -> None:
        """Take a worker's latest figures; they count from its start. Late ones are not counted."""
        if worker not in self._gone:
            self._latest[worker] = descriptors

    def retire(self, worker: int) -> None:
        """A worker has ended: its figures are final."""
        self._gone.add(worker)
        last = self._latest.pop(worker, None)
        if last is not None:
            self._retired = _combine(self._retired, [last])

    def snapshot(
        self,
        *,
        workers: int,
        queued: int,
        in_flight: int,
        restarts: int,
        recycled: int,
        retries: int,
        at_work: Iterable[tuple[int, Any, float]],
    ) -> PoolStatistics:
        """The figures of this moment."""
        latest = list(self._latest.values())
        return PoolStatistics(
            workers=workers,
            queued=queued,
            in_flight=in_flight,
            restarts=restarts,
            recycled=recycled,
            retries=retries,
            lent=sum(one.lent for one in latest),
            waiting=sum(one.waiting for one in latest),
            at_work=tuple(map(AtWork._make, at_work)),
            descriptors=_combine(self._retired, latest),
        )


def _combine(before: DescriptorUse, more: Sequence[Descriptors | DescriptorUse]) -> DescriptorUse:
    return DescriptorUse(
        limit=max([before.limit, *(one.limit for one in more)]),
        budget=max([before.budget, *(one.budget for one in more)]),
        peak=max([before.peak, *(one.peak for one in more)]),
        waits=before.waits + sum(one.waits for one in more),
        waited_s=before.waited_s + sum(one.waited_s for one in more),
        refused=before.refused + sum(one.refused for one in more),
    )


def total(pools: Sequence[PoolStatistics]) -> PoolStatistics:
    """The figures of several pools together, but for what they have in flight."""
    descriptors = [pool.descriptors for pool in pools]
    return PoolStatistics(
        workers=sum(pool.workers for pool in pools),
        restarts=sum(pool.restarts for pool in pools),
        recycled=sum(pool.recycled for pool in pools),
        retries=sum(pool.retries for pool in pools),
        descriptors=_combine(DescriptorUse(), descriptors),
    )
