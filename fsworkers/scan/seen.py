"""Which paths of a list have come out already: in memory while they are few, else on disk.

A quarter of a million paths are kept as they are. When there are more, 16 bytes of each go into a
temporary database of SQLite's, a batch at a time and in order, so that memory stays flat: looking a
path up there takes some 5 µs more.
"""

from __future__ import annotations

import os
import sqlite3
from hashlib import blake2b
from typing import TYPE_CHECKING

from fsworkers.scan.errors import NoRoomForList

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_IN_MEMORY = 250_000
"""Some 40 MB."""

_DIGEST_BYTES = 16
"""Two of ten million paths have the same digest with a probability of 10^-25."""

_CACHE_KIB = 16_384


class Seen:
    """A set of paths that grows without taking memory.

    Args:
        most_in_memory: How many are kept as they are.
    """

    def __init__(self, most_in_memory: int = MOST_IN_MEMORY) -> None:
        self._most_in_memory = most_in_memory
        self._recent: set[str] = set()
        self._database: sqlite3.Connection | None = None

    def known(self, paths: Iterable[str]) -> set[str]:
        """Those of some paths that are there.

        Raises:
            NoRoomForList: The temporary database can't be read.
        """
        asked = set(paths)
        known = asked & self._recent
        if self._database is not None and (left := asked - known):
            try:
                known |= self._on_disk(left, self._database)
            except sqlite3.Error as error:
                raise NoRoomForList(str(error)) from error
        return known

    def add(self, paths: Iterable[str]) -> None:
        """Note paths.

        Raises:
            NoRoomForList: The disk for temporary files is full.
        """
        self._recent.update(paths)
        if len(self._recent) > self._most_in_memory:
            try:
                self._move_to_disk()
            except sqlite3.Error as error:
                raise NoRoomForList(str(error)) from error

    def close(self) -> None:
        """Throw it all away."""
        self._recent.clear()
        if self._database is not None:
            self._database.close()
            self._database = None

    def _on_disk(self, paths: set[str], database: sqlite3.Connection) -> set[str]:
        by_digest = {_digest(path): path for path in paths}
        database.executemany("INSERT INTO asked VALUES (?)", zip(by_digest))
        found = database.execute(
            "SELECT digest FROM asked CROSS JOIN seen USING (digest)"
        ).fetchall()
        database.execute("DELETE FROM asked")
        return {by_digest[digest] for (digest,) in found}

    def _move_to_disk(self) -> None:
        if self._database is None:
            # An empty name: a file that SQLite makes when its cache is full, and that has no name.
            self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._database.executescript(
                f"PRAGMA cache_size = -{_CACHE_KIB}; PRAGMA journal_mode = OFF;"
                "CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID;"
                "PRAGMA temp_store = MEMORY; CREATE TEMP TABLE asked (digest BLOB)"
            )
        digests = sorted(map(_digest, self._recent))
        self._recent.clear()
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR IGNORE INTO seen VALUES (?)", zip(digests))
        self._database.execute("COMMIT")


def _digest(path: str) -> bytes:
    return blake2b(os.fsencode(path), digest_size=_DIGEST_BYTES).digest()
