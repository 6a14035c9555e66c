"""How many of the files that a scan finds are taken: the first ones, or a random choice.

A file's lot is drawn from its path, as it is found, and the seed: so a run that is resumed, over
the same files, chooses the same ones, in whatever order it finds them.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from heapq import heappush, heappushpop
from itertools import count, islice
from typing import TYPE_CHECKING

from fsworkers.model import Entry
from fsworkers.scan.directory import MOST_PATHS
from fsworkers.scan.notation import parse_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fsworkers.scan.options import ScanOptions

__all__ = ["chosen"]

_LOT_BYTES = 8


def chosen(found: Iterator[list[str] | Entry], options: ScanOptions) -> Iterator[list[str] | Entry]:
    """Let through what the sample and then the limit take; what is settled comes in any case.

    A share is decided file by file. A number of files is known only when all are found: that many
    paths are held until then, and come in the order in which they were found.
    """
    if options.sample is not None:
        sample, lot = parse_sample(str(options.sample)), _lots(options.seed)
        if sample.share is not None:
            found = _share(found, lot, sample.share)
        elif sample.count is not None:
            found = _some(found, lot, sample.count)
    return found if options.limit is None else _first(found, options.limit)


def _lots(seed: int) -> Callable[[str], int]:
    key = str(seed).encode()[:64]

    def lot(path: str) -> int:
        digest = blake2b(os.fsencode(path), digest_size=_LOT_BYTES, key=key).digest()
        return int.from_bytes(digest)

    return lot


def _share(
    found: Iterable[list[str] | Entry], lot: Callable[[str], int], share: float
) -> Iterator[list[str] | Entry]:
    below = share * 256**_LOT_BYTES
    for each in found:
        if isinstance(each, Entry):
            yield each
        elif taken := [path for path in each if lot(path) < below]:
            yield taken


def _some(
    found: Iterable[list[str] | Entry], lot: Callable[[str], int], wanted: int
) -> Iterator[list[str] | Entry]:
    # The lowest lots win; of a heap's entries the smallest goes first, so they are negative.
    winners: list[tuple[int, int, str]] = []
    position = count()
    for each in found:
        if isinstance(each, Entry):
            yield each
            continue
        for entry in ((-lot(path), next(position), path) for path in each):
            if len(winners) < wanted:
                heappush(winners, entry)
            else:
                heappushpop(winners, entry)
    in_order = iter([path for _, _, path in sorted(winners, key=lambda entry: entry[1])])
    while part := list(islice(in_order, MOST_PATHS)):
        yield part


def _first(found: Iterable[list[str] | Entry], limit: int) -> Iterator[list[str] | Entry]:
    for each in found:
        if isinstance(each, Entry):
            yield each
            continue
        yield each[:limit]
        limit -= len(each)
        if limit <= 0:
            return
