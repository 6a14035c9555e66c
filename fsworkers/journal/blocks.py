"""The blocks of one run, found by directory: what look-ups and lists of outcomes are made from.

Where a directory's files are is put together anew by whoever asks, in a temporary table, a row a
directory and block. So a reader never writes to a journal, and a run never pays for an index.
"""

from __future__ import annotations

import os
from collections import defaultdict
from functools import lru_cache
from itertools import chain, count, groupby, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import msgspec

from fsworkers.journal.errors import JournalUnreadable
from fsworkers.journal.known import Known, known_at
from fsworkers.journal.rows import Rows, names_of, unpack_directories, unpack_rows, values_of
from fsworkers.journal.schema import connect, reading, transaction, version_of
from fsworkers.journal.version1 import move_to_blocks
from fsworkers.model import STATUSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from fsworkers.model import Status

_MOST_BLOCKS = 32
"""Where a list of files may be in more blocks, their paths are looked up one by one, to expand no
more than has to be: a directory of a hundred thousand files, or a list in no order."""

_BLOCKS_KEPT = 8
_VALUE_BYTES_KEPT = 4_000_000

T = TypeVar("T")

Group: TypeAlias = "tuple[str, Sequence[str]]"
"""A directory with its slash, as it stands in the paths, and names of files."""


class RunBlocks:
    """The blocks of a run that are there now.

    It has a connection of its own, which ``close`` gives back. Any thread may use it, one at a
    time. All it does raises ``JournalUnreadable`` where the journal is damaged.

    Args:
        journal: The journal.
        run: The run's number there.

    Raises:
        JournalError: The journal can't be read.
    """

    def __init__(self, journal: Path, run: int) -> None:
        self.journal = journal
        self.run = run
        self.connection = connect(journal)
        self._has_paths = False
        self._names_and_rows = lru_cache(_BLOCKS_KEPT)(self._unpack)
        self._values_kept: dict[int, tuple[int, list[msgspec.Raw | None]]] = {}
        self._last: tuple[object, dict[str, dict[str, Known]]] = (None, {})
        try:
            with reading(journal):
                self._find_places()
        except BaseException:
            self.connection.close()
            raise

    def close(self) -> None:
        """Give the connection back."""
        self.connection.close()

    def known(self, groups: Sequence[Group]) -> list[dict[str, Known]]:
        """What is known of some files, group by group, by name; of two outcomes, the later one.

        There may be others of the same directories among them.
        """
        directories = list(dict.fromkeys(directory for directory, _ in groups))
        with reading(self.journal):
            places = self._places(directories)
            if places is None:
                known = self._by_path(groups, self._all_known)
            elif self._last[0] == (directories, places):
                known = self._last[1]
            else:
                known = {directory: {} for directory in directories}
                for number, first, file_count, directory in places:
                    names, rows = self._names_and_rows(number)
                    at = range(first, first + file_count)
                    some = zip(names[at.start : at.stop], known_at(rows, at), strict=False)
                    known[directory] |= some
                self._last = (directories, places), known
        return [known[directory] for directory, _ in groups]

    def values(self, groups: Sequence[Group]) -> list[dict[str, msgspec.Raw | None]]:
        """The values of some files as JSON, likewise; ``None`` where none is recorded."""
        wanted: dict[str, set[str]] = defaultdict(set)
        for directory, names in groups:
            wanted[directory].update(names)
        with reading(self.journal):
            places = self._places(list(wanted))
            if places is None:
                told = self._by_path(groups, self._values)
            else:
                told = {directory: {} for directory in wanted}
                for number, first, file_count, directory in places:
                    names, _ = self._names_and_rows(number)
                    at, among = slice(first, first + file_count), wanted[directory]
                    each = zip(names[at], self._values(number)[at], strict=True)
                    told[directory].update((name, one) for name, one in each if name in among)
        return [told[directory] for directory, _ in groups]

    def parts(self, statuses: Sequence[Status]) -> Iterator[tuple[int, list[tuple[bytes, range]]]]:
        """The blocks in order, and what in them is of directories with one of some outcomes."""
        rows = self.connection.execute(
            "SELECT block, directory, first, count FROM place WHERE directory IN"
            " (SELECT directory FROM place WHERE statuses & ?) ORDER BY block, first",
            (_mask(statuses),),
        )
        for number, group in groupby(rows, itemgetter(0)):
            yield number, [(name, range(first, first + many)) for _, name, first, many in group]

    def packed_rows(self, number: int) -> bytes:
        """The rows of a block."""
        query = "SELECT rows FROM block WHERE number = ?"
        row = self.connection.execute(query, (number,)).fetchone()
        if row is None:
            raise JournalUnreadable(os.fspath(self.journal), "a run has altered it just now")
        packed: bytes = row[0]
        return packed

    def _find_places(self) -> None:
        execute = self.connection.execute
        execute(
            "CREATE TEMP TABLE place"
            " (directory BLOB, first INTEGER, count INTEGER, block INTEGER, statuses INTEGER)"
        )
        with transaction(self.connection, writes=False):
            if version_of(self.connection) == 1:
                execute(
                    "CREATE TEMP TABLE block"
                    " (number INTEGER PRIMARY KEY, run INTEGER, directories BLOB, rows BLOB)"
                )
                move_to_blocks(self.connection, "temp.block", self.run)
            for number, packed in execute(
                "SELECT number, directories FROM block WHERE run = ?", (self.run,)
            ):
                directories = unpack_directories(packed)
                mask = _mask(directories.statuses)
                self.connection.executemany(
                    "INSERT INTO place VALUES (?, ?, ?, ?, ?)",
                    ((name, at.start, len(at), number, mask) for name, at in directories.parts),
                )
            execute("CREATE INDEX temp.place_directory ON place (directory, block, first, count)")

    def _places(self, directories: Sequence[str]) -> list[tuple[int, int, int, str]] | None:
        """Block, first position, count, and directory, in order; ``None`` if there are too many."""
        query = "SELECT block, first, count FROM place WHERE directory = ? LIMIT ?"
        places: list[tuple[int, int, int, str]] = []
        blocks: set[int] = set()
        for directory in directories:
            values = os.fsencode(directory), _MOST_BLOCKS + 1
            found = self.connection.execute(query, values).fetchall()
            blocks.update(number for number, *_ in found)
            if max(len(found), len(blocks)) > _MOST_BLOCKS:
                return None
            places += [(*place, directory) for place in found]
        return sorted(places)

    def _by_path(
        self, groups: Sequence[Group], of_block: Callable[[int], Sequence[T]]
    ) -> dict[str, dict[str, T]]:
        self._find_paths()
        known: dict[str, dict[str, T]] = {directory: {} for directory, _ in groups}
        asked: dict[int, dict[str, T]] = {}
        for one, names in groups:
            asked.update(zip(map(hash, map(one.__add__, names)), repeat(known[one]), strict=False))
        places = self.connection.execute(
            "SELECT block, position, hash FROM path WHERE hash IN"
            " (SELECT value FROM json_each(?)) ORDER BY block, position",
            (msgspec.json.encode(list(asked)).decode(),),
        )
        for number, found in groupby(places, itemgetter(0)):
            block_names, _ = self._names_and_rows(number)
            each = of_block(number)
            for _, position, key in found:
                asked[key][block_names[position]] = each[position]
        return known

    def _find_paths(self) -> None:
        """Note for all files where they are: a microsecond each, so only when it is needed."""
        if self._has_paths:
            return
        execute = self.connection.execute
        execute("CREATE TEMP TABLE path (hash INTEGER, block INTEGER, position INTEGER)")
        with transaction(self.connection, writes=False):
            for number, parts in self.parts(STATUSES):
                names, _ = self._names_and_rows(number)
                paths = chain.from_iterable(
                    map(os.fsdecode(directory).__add__, names[at.start : at.stop])
                    for directory, at in parts
                )
                rows = zip(map(hash, paths), repeat(number), count(), strict=False)
                self.connection.executemany("INSERT INTO path VALUES (?, ?, ?)", rows)
            execute("CREATE INDEX temp.path_hash ON path (hash, block, position)")
        self._has_paths = True

    def _all_known(self, number: int) -> list[Known]:
        names, rows = self._names_and_rows(number)
        return known_at(rows, range(len(names)))

    def _values(self, number: int) -> list[msgspec.Raw | None]:
        """A block's values; those looked at last are kept, as far as they are not large."""
        kept = self._values_kept
        found = kept.pop(number, None)
        if found is None:
            packed = self.packed_rows(number)
            found = len(packed), values_of(unpack_rows(packed))
        kept[number] = found
        while len(kept) > 1 and sum(size for size, _ in kept.values()) > _VALUE_BYTES_KEPT:
            del kept[next(iter(kept))]
        return found[1]

    def _unpack(self, number: int) -> tuple[list[str], Rows]:
        rows = unpack_rows(self.packed_rows(number))
        rows.values = b""  # they may be large, and the last few blocks are kept
        return names_of(rows), rows


def _mask(statuses: Sequence[Status]) -> int:
    return sum(1 << STATUSES.index(status) for status in set(statuses))
