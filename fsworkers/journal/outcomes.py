"""Single outcomes, expanded from the blocks of a run: each path once, in the order of paths.

Blocks are in the order in which they were done. So they are first cut up among ranges of paths, in
a temporary database, and then one range after another is expanded: memory stays flat.
"""

from __future__ import annotations

import os
import sqlite3
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from contextlib import closing
from itertools import chain, islice, repeat
from operator import attrgetter
from typing import TYPE_CHECKING, TypeAlias

from fsworkers.journal.rows import cut, outcomes_of, unpack_rows
from fsworkers.journal.schema import reading, transaction, version_of
from fsworkers.model import STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fsworkers.journal.blocks import RunBlocks
    from fsworkers.journal.rows import Block, Part
    from fsworkers.model import Outcome, Status

_RANGE_FILES = 50_000
_RANGE_BYTES = 16_000_000
"""What is expanded at one time, some 30 MB: so many outcomes, or so many bytes of packed ones."""

_AT_ONCE = 1000

_path_of = attrgetter("path")

_SAMPLED_BLOCKS = 16
_SAMPLES = 64
"""How many paths of a range decide where it ends, and over how many blocks they are spread."""

Bound: TypeAlias = tuple[bytes, bytes]
"""A directory and a name: the first ones of a range."""


def read_outcomes(
    blocks: RunBlocks, statuses: Sequence[Status] | None = None
) -> Iterator[list[Outcome]]:
    """A run's outcomes in lists; only those of some statuses if asked.

    They come by directory (with its slash, as it stands in the path) and then by name, byte by
    byte. However slowly they are drawn, nothing is held up.

    Raises:
        JournalUnreadable: The journal is damaged, or there is no room for temporary files.
    """
    wanted = STATUSES if statuses is None else tuple(statuses)
    with reading(blocks.journal), closing(_temporary_database()) as pieces:
        with transaction(blocks.connection, writes=False):
            bounds = _bounds(blocks, wanted)
            _cut_up(blocks, wanted, bounds, pieces)
        for number in range(len(bounds) + 1):
            query = "SELECT directories, rows FROM piece WHERE range = ? ORDER BY rowid"
            yield from _merged(pieces.execute(query, (number,)), wanted)


def _temporary_database() -> sqlite3.Connection:
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA page_size = 16384")
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("CREATE TABLE piece (range INTEGER, directories BLOB, rows BLOB)")
    return connection


def _bounds(blocks: RunBlocks, wanted: Sequence[Status]) -> list[Bound]:
    """Where ranges of paths begin, going by a sample. The first one begins with the first path."""
    query = "SELECT count(*), ifnull(sum(length(rows)), 0) FROM block WHERE run = ?"
    ((block_count, packed_bytes),) = blocks.connection.execute(query, (blocks.run,))
    files = sum(len(at) for _, parts in blocks.parts(wanted) for _, at in parts)
    ranges = 1 + max(files // _RANGE_FILES, packed_bytes // _RANGE_BYTES)
    if ranges == 1 or not files:
        return []
    stride = 1 + block_count // _SAMPLED_BLOCKS
    paths = chain.from_iterable(
        zip(repeat(directory), names[at.start : at.stop], strict=False)
        for number, parts in islice(blocks.parts(wanted), 0, None, stride)
        for names in [unpack_rows(blocks.packed_rows(number)).names.split(b"/")]
        for directory, at in parts
    )
    sample = sorted(islice(paths, 0, None, max(1, files // stride // (ranges * _SAMPLES))))
    return sorted({sample[len(sample) * n // ranges] for n in range(1, ranges)})


def _cut_up(
    blocks: RunBlocks, wanted: Sequence[Status], bounds: list[Bound], store: sqlite3.Connection
) -> None:
    """Make blocks of the files of each range."""
    store.execute("BEGIN")
    for number, parts in blocks.parts(wanted):
        packed = blocks.packed_rows(number)
        names: list[bytes] = []
        pieces: dict[int, list[Part]] = defaultdict(list)
        for directory, at in parts:
            first = bisect_right(bounds, (directory, b""))
            last = bisect_left(bounds, (directory + b"\0", b""))
            if first == last:
                pieces[first].append((directory, at))
                continue
            names = names or unpack_rows(packed).names.split(b"/")
            rest = sorted(at, key=names.__getitem__)
            for n in range(first, last + 1):  # the directory is divided itself
                stop = len(rest)
                if n < last:
                    stop = bisect_left(rest, bounds[n][1], key=names.__getitem__)
                if stop:
                    pieces[n].append((directory, rest[:stop]))
                rest = rest[stop:]
        for n, piece in zip(pieces, cut(packed, pieces.values()), strict=True):
            store.execute("INSERT INTO piece VALUES (?, ?, ?)", (n, *piece))
    store.execute("CREATE INDEX piece_range ON piece (range)")
    store.execute("COMMIT")


def _merged(pieces: Iterable[Block], wanted: Sequence[Status]) -> Iterator[list[Outcome]]:
    """The outcomes of one range: the latest of each path, in order."""
    found: dict[bytes, list[list[Outcome]]] = defaultdict(list)
    for piece in pieces:
        for directory, outcomes in outcomes_of(piece):
            found[directory].append(outcomes)
    ready: list[Outcome] = []
    for directory in sorted(found):
        latest, *others = found.pop(directory)
        if others:
            latest = list({one.path: one for some in (latest, *others) for one in some}.values())
        is_ascii = "".join([one.path for one in latest]).isascii()
        latest.sort(key=_path_of if is_ascii else lambda one: os.fsencode(one.path))
        ready += latest if wanted is STATUSES else [one for one in latest if one.status in wanted]
        if len(ready) >= _AT_ONCE or not found:
            yield from (ready[at : at + _AT_ONCE] for at in range(0, len(ready), _AT_ONCE))
            ready = []


def count_outcomes(blocks: RunBlocks, *, anew: bool = False) -> tuple[Counter[Status], int]:
    """How many files have each outcome, and the bytes of those that are done.

    These are the run's own figures, except where a resumed run was cut off: then they lack the
    files that were to be done again, and all are counted anew, at a microsecond each.

    Raises:
        JournalUnreadable: The journal is damaged.
    """
    query = f"SELECT size_bytes, {', '.join(STATUSES)} FROM run WHERE number = ? AND is_counted"  # noqa: S608
    with reading(blocks.journal):
        if not anew and version_of(blocks.connection) > 1:
            for size_bytes, *numbers in blocks.connection.execute(query, (blocks.run,)).fetchall():
                return +Counter(dict(zip(STATUSES, numbers, strict=True))), size_bytes
    counts: Counter[Status] = Counter()
    size_bytes = 0
    for outcomes in read_outcomes(blocks):
        counts.update(map(attrgetter("status"), outcomes))
        size_bytes += sum(one.size or 0 for one in outcomes if one.status == "done")
    return counts, size_bytes
