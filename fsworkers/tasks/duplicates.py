"""The task ``duplicates``: files with the same content, as groups.

Before the run the master looks at every file's size, and at the first block of large ones whose
size comes more than once. What has been met more than once is noted in bits, so that memory stays
flat and the workers get little: sometimes they say so of what came once, which only costs that
one's reading. Workers then hash the whole of what is left.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections import Counter
from contextlib import suppress
from os import readv
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias, get_args
from weakref import finalize

from fsworkers.errors import BadSetting, FsworkersError, MissingExtra
from fsworkers.tasks.reading import Reader
from fsworkers.tasks.task import Column

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fsworkers.tasks.task import Preparation

DigestOf: TypeAlias = Literal["sha256", "blake2b", "blake3"]

LARGE_BYTES = 1 << 17
"""Above it a file's first block is looked at first; up to it, hashing the whole costs as little."""

BLOCK_BYTES = 1 << 14

MOST_PREPARED = 100_000
"""So many large files, and inodes with several names, are kept in mind before the run."""

MOST_MEMBERS = 100_000
"""So many candidates are kept in memory, in some 20 MB; more than a block has."""


class NoRoomForGroups(FsworkersError, OSError):
    """The groups of duplicates are too many for memory, and there is no room for them on disk."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"the groups of duplicates can't be put on disk: {reason}; set TMPDIR to a directory "
            "with more room, and resume"
        )


class Duplicates:
    """Find files with the same content, and tell how much they take; delete nothing.

    Made ready by ``prepare``; without it, every file is hashed. A measuring task function.

    Args:
        algorithm: What content is compared by.

    Raises:
        BadSetting: An algorithm that is not known.
        MissingExtra: ``blake3`` is asked for and not installed.
    """

    columns: ClassVar = (
        Column("group", "text", meaning="the content's digest, if others may have the same"),
        Column("size", "integer", "bytes"),
        Column("inode", "text", meaning="device:inode; hard links, which have one, are one copy"),
    )
    is_measuring = True
    is_graceful = True
    example: ClassVar = "fsworkers process photos --task duplicates -o files.jsonl"

    def __init__(
        self,
        algorithm: Annotated[DigestOf, "blake3 needs fsworkers[blake3]"] = "sha256",
    ) -> None:
        self.algorithm = algorithm
        self._new = _constructor(algorithm)
        self._sizes: Repeated | None = None
        self._blocks: Repeated | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Travel by the algorithm's name."""
        return vars(self) | {"_new": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Arrive."""
        vars(self).update(state, _new=_constructor(state["algorithm"]))

    def prepare(self, preparation: Preparation) -> Duplicates:
        """Look at sizes, and at the first blocks of large files, to know what need not be read."""
        self._sizes = sizes = Repeated()
        self._blocks = blocks = Repeated()
        large: list[tuple[str, int]] = []
        for copies in _copies(preparation.scan()):
            sizes.add(size for _, size in copies)
            if len(large) < MOST_PREPARED:
                large += [one for one in copies if one[1] > LARGE_BYTES]
        sizes.forget_first()
        is_all = len(large) < MOST_PREPARED
        for copies in [large] if is_all else _copies(preparation.scan()):
            with Reader() as reader:
                for path, size in copies:
                    if size > LARGE_BYTES and size in sizes:
                        with suppress(OSError):  # the worker that meets it will tell
                            blocks.add([_first_block(reader, path, size)])
        blocks.forget_first()
        return self

    def still_holds(self, value: dict[str, Any]) -> bool:
        """Whether a file that came alone then still does; a digest is good while its file is."""
        return value["group"] is not None or not self._is_candidate(value["size"])

    def _is_candidate(self, size: int) -> bool:
        return size > 0 and (self._sizes is None or size in self._sizes)

    def __call__(self, path: str) -> tuple[dict[str, Any], int, int]:
        """Look at one file.

        Raises:
            OSError: It can't be opened or read.
        """
        (result,) = self.each_of([path])
        return result

    def each_of(self, paths: Sequence[str]) -> Iterator[tuple[dict[str, Any], int, int]]:
        """Look at one file after another: its value, size, and modification time before that."""
        with Reader() as reader:
            for path in paths:
                status = os.stat(path)
                size = status.st_size
                digest = inode = None
                if self._is_candidate(size):
                    digest, size = self._digest(reader, path, size)
                    if digest is not None:
                        inode = f"{status.st_dev}:{status.st_ino}"
                yield {"group": digest, "size": size, "inode": inode}, size, status.st_mtime_ns

    def _digest(self, reader: Reader, path: str, size: int) -> tuple[str | None, int]:
        """The digest of a file, unless its beginning shows that there is no other, and its size."""
        blocks = self._blocks if size > LARGE_BYTES else None
        into = reader.into if blocks is None else [reader.into[0][:BLOCK_BYTES]]
        (buffer,) = into
        descriptor = reader.open(path)
        try:
            total = count = readv(descriptor, into)
            if blocks is not None and _number_of(buffer[:count], size) not in blocks:
                return None, size
            digest = self._new(buffer[:count])
            # A read that ends short where the file does was the last.
            if total != size or count == len(buffer):
                (buffer,) = reader.into
                while count := readv(descriptor, reader.into):
                    digest.update(buffer[:count])
                    total += count
        finally:
            reader.close(descriptor)
        return digest.hexdigest() if total else None, total

    def reducer(self) -> Groups:
        """Puts the groups together."""
        return Groups()


class Repeated:
    """Which numbers came more than once, to the best of sixteen million bits.

    Numbers that differ may share a bit: what came more than once is always known, and of what came
    once it is sometimes said as well. Sizes below 16 MiB have a bit each.
    """

    _BITS = (1 << 24) - 3  # a prime: sizes are often multiples of a power of two

    def __init__(self) -> None:
        self._first = bytearray(self._BITS // 8 + 1)
        self._again = bytearray(self._BITS // 8 + 1)

    def add(self, numbers: Iterable[int]) -> None:
        """Note some numbers."""
        bits, first, again = self._BITS, self._first, self._again
        for number in numbers:
            at = number % bits
            bit = 1 << (at & 7)
            at >>= 3
            if first[at] & bit:
                again[at] |= bit
            else:
                first[at] |= bit

    def __contains__(self, number: int) -> bool:
        at = number % self._BITS
        return bool(self._again[at >> 3] >> (at & 7) & 1)

    def forget_first(self) -> None:
        """Nothing more will be added."""
        self._first = bytearray()

    def __getstate__(self) -> bytes:
        """Travel small: most bits are not set."""
        return zlib.compress(self._again, 1)

    def __setstate__(self, state: bytes) -> None:
        """Arrive."""
        self._first = bytearray()
        self._again = bytearray(zlib.decompress(state))


def _copies(found: Iterable[object]) -> Iterator[list[tuple[str, int]]]:
    """Paths and sizes of files that are not empty, by one of its names each.

    Where there are more inodes with several names than are kept, further ones come by each of
    theirs, and are read though they need not be.
    """
    known: set[tuple[int, int]] = set()
    for paths in found:
        if not isinstance(paths, list):
            continue
        copies: list[tuple[str, int]] = []
        for path in paths:
            try:
                status = os.stat(path)
            except OSError:
                continue  # the worker that meets it will tell
            if status.st_nlink > 1:
                inode = status.st_dev, status.st_ino
                if inode in known:
                    continue
                if len(known) < MOST_PREPARED:
                    known.add(inode)
            if size := status.st_size:
                copies.append((path, size))
        yield copies


def _first_block(reader: Reader, path: str, size: int) -> int:
    descriptor = reader.open(path)
    try:
        return _number_of(os.read(descriptor, BLOCK_BYTES), size)
    finally:
        reader.close(descriptor)


def _number_of(block: bytes | memoryview, size: int) -> int:
    digest = hashlib.blake2b(block, digest_size=8, salt=size.to_bytes(16, "little"))
    return int.from_bytes(digest.digest(), "little")


class Groups:
    """Counts groups, and what in them is one copy too many.

    What may be in one is kept in memory while it is little, then on disk.
    """

    def __init__(self) -> None:
        self.empty = 0
        self._recent: set[str] = set()
        self._database: sqlite3.Connection | None = None
        self._result: dict[str, int] | None = None

    def add(self, _path: str, value: dict[str, Any]) -> None:
        """Take a file; another name of one that is known changes nothing."""
        self._result = None
        if value["group"] is not None:
            self._recent.add(f"{value['group']} {value['size']} {value['inode']}")
            self._make_room()
        elif not value["size"]:
            self.empty += 1

    def merge(self, other: Groups) -> None:
        """Take those of a worker's block, which are few."""
        self.empty += other.empty
        self._recent |= other._recent
        self._result = None
        self._make_room()

    def result(self) -> dict[str, int]:
        """The figures.

        Raises:
            NoRoomForGroups: The disk for temporary files is full.
        """
        if self._result is not None:
            return self._result
        groups = files = size_bytes = 0
        for content, count in self._counts():
            if count > 1:
                groups += 1
                files += count - 1
                size_bytes += (count - 1) * int(content.rpartition(" ")[2])
        self._result = {
            "groups": groups,
            "redundant_files": files,
            "redundant_bytes": size_bytes,
            "empty_files": self.empty,
        }
        return self._result

    def lines(self) -> list[str]:
        """The figures in words."""
        from rich.filesize import decimal  # noqa: PLC0415  (only where somebody reads it)

        groups, files, size_bytes, empty = self.result().values()
        line = "no duplicates"
        if groups:
            line = (
                f"{_counted(groups, 'group')} of duplicates: "
                f"{_counted(files, 'redundant file')}, {decimal(size_bytes)} could be saved"
            )
        return [f"{line}; {_counted(empty, 'empty file')}" if empty else line]

    def _counts(self) -> Iterable[tuple[str, int]]:
        """How many inodes there are of each content."""
        if self._database is None:
            return Counter(one.rpartition(" ")[0] for one in self._recent).items()
        return self._counts_on_disk(self._database)

    def _counts_on_disk(self, database: sqlite3.Connection) -> Iterator[tuple[str, int]]:
        import sqlite3  # noqa: PLC0415  (as below)

        self._move_to_disk(database)
        try:
            yield from database.execute(
                "SELECT content, count(DISTINCT inode) AS many FROM member GROUP BY content"
                " HAVING many > 1"
            )
        except sqlite3.Error as error:
            raise NoRoomForGroups(str(error)) from error

    def _make_room(self) -> None:
        if len(self._recent) < MOST_MEMBERS:
            return
        if self._database is None:
            import sqlite3  # noqa: PLC0415  (only in the master, and only for many)

            # An empty name: a file that SQLite makes when its cache is full, and that has no name.
            self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            finalize(self, self._database.close)
            self._database.executescript(
                "PRAGMA cache_size = -16384; PRAGMA journal_mode = OFF;"
                "CREATE TABLE member (content TEXT, inode TEXT)"
            )
        self._move_to_disk(self._database)

    def _move_to_disk(self, database: sqlite3.Connection) -> None:
        import sqlite3  # noqa: PLC0415  (as above)

        try:
            database.execute("BEGIN")
            database.executemany(
                "INSERT INTO member VALUES (?, ?)", (one.rsplit(" ", 1) for one in self._recent)
            )
            database.execute("COMMIT")
        except sqlite3.Error as error:
            raise NoRoomForGroups(str(error)) from error
        self._recent.clear()


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _constructor(algorithm: str) -> Callable[[memoryview], Any]:
    if algorithm not in get_args(DigestOf):
        raise BadSetting("algorithm", algorithm, f"one of {', '.join(get_args(DigestOf))}")
    if algorithm == "blake3":
        try:
            from blake3 import blake3  # noqa: PLC0415  (an extra)
        except ImportError as error:
            raise MissingExtra("the algorithm blake3", "blake3") from error
        return blake3
    constructor: Callable[[memoryview], Any] = getattr(hashlib, algorithm)
    return constructor
