"""The journal as a file: its tables, how it comes into being, and how SQLite's errors are told.

A block of outcomes is a row, as it was packed (``journal.rows``); nothing is kept file by file.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from fsworkers.journal.errors import (
    JournalBusy,
    JournalError,
    JournalFailed,
    JournalTooNew,
    JournalUnreadable,
    JournalUnwritable,
    NotAJournal,
)
from fsworkers.journal.version1 import move_to_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APPLICATION_ID = 0x66737772
"""``fswr`` in the file's header: what SQLite keeps there for programs to know their files by."""

VERSION = 2
"""1 had a row for each outcome. Its tables are moved into blocks when a run writes to it again."""

BUSY_S = 5.0
"""How long another program's lock on the file is waited for."""

_PAGE_BYTES = 16_384
"""A block has some hundred thousand bytes: they are written a third faster than in 4 KiB."""

_CHECKPOINT_PAGES = 2000
"""Pages after which the write-ahead log is moved into the file: each time is a sync."""

_RUNS = """
CREATE TABLE run (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL,
    started REAL NOT NULL, ended REAL, seconds REAL NOT NULL DEFAULT 0,
    cwd TEXT NOT NULL, argv TEXT NOT NULL, roots TEXT NOT NULL,
    options TEXT, fingerprint TEXT NOT NULL, versions TEXT NOT NULL,
    done INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0, timed_out INTEGER NOT NULL DEFAULT 0,
    crashed INTEGER NOT NULL DEFAULT 0, cancelled INTEGER NOT NULL DEFAULT 0,
    size_bytes INTEGER NOT NULL DEFAULT 0, is_counted INTEGER NOT NULL DEFAULT 1
)"""

_BLOCKS = """
CREATE TABLE block (
    number INTEGER PRIMARY KEY, run INTEGER NOT NULL, directories BLOB NOT NULL, rows BLOB NOT NULL
)"""

_BLOCKS_OF_RUN = "CREATE INDEX block_run ON block (run)"


def open_journal(path: Path, *, must_exist: bool = False) -> sqlite3.Connection:
    """Open the journal at ``path`` for writing; whoever does has its lock.

    It is made if there is none or an empty file, unless it must exist. One of an earlier format
    is brought up to this one.

    Raises:
        JournalError: As ``connect``, or it can't be made or written to.
    """
    if not must_exist and not _size_of(path):
        _create(path)
    connection = connect(path)
    try:
        with reading(path), writing(path):
            connection.execute("PRAGMA journal_mode = WAL")
            # What is committed outlives this process; after a power cut the last may be missing.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            if version_of(connection) < VERSION:
                _upgrade(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def connect(path: Path) -> sqlite3.Connection:
    """Open a journal that exists, for reading; it may be on a medium that can only be read.

    Any thread may use the connection, one at a time.

    Raises:
        NotAJournal: Something else is there.
        JournalTooNew: It is of a later format.
        JournalUnwritable: There is no such file, or it is a link.
        JournalUnreadable: It is damaged, or the system refuses it.
        JournalBusy: Another program has it locked.
    """
    if _size_of(path) is None:
        raise JournalUnwritable(os.fspath(path), "there is no such file")
    name = quote(os.fsencode(path.absolute()))
    try:
        return _connect_checked(path, f"file:{name}")
    except JournalUnreadable:
        log = path.with_name(path.name + "-wal")
        if os.access(path.parent, os.W_OK) or (log.exists() and log.stat().st_size):
            raise
        # A journal keeps itself two files for its log, which can't be made here and hold nothing.
        return _connect_checked(path, f"file:{name}?immutable=1")


def _connect_checked(path: Path, uri: str) -> sqlite3.Connection:
    with reading(path):
        connection = sqlite3.connect(
            uri, timeout=BUSY_S, isolation_level=None, check_same_thread=False, uri=True
        )
        try:
            ((application,),) = connection.execute("PRAGMA application_id")
            if application != APPLICATION_ID:
                raise NotAJournal(os.fspath(path))
            if (version := version_of(connection)) > VERSION:
                raise JournalTooNew(os.fspath(path), version, VERSION)
        except BaseException:
            connection.close()
            raise
    return connection


def version_of(connection: sqlite3.Connection) -> int:
    """The journal's format."""
    ((version,),) = connection.execute("PRAGMA user_version")
    return int(version)


def files_of(path: Path) -> tuple[Path, ...]:
    """Everything that a journal at ``path`` may put on the disk."""
    return path, *(path.with_name(path.name + ending) for ending in ("-wal", "-shm", ".lock"))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Tell what SQLite says during a run in the words of this package.

    Raises:
        JournalBusy: Another program has the file locked.
        JournalFailed: Anything else.
    """
    try:
        yield
    except sqlite3.Error as error:
        if _code(error) == sqlite3.SQLITE_BUSY:
            raise JournalBusy(os.fspath(path), BUSY_S) from error
        reason, remedy = _reason(error)
        raise JournalFailed(os.fspath(path), reason, remedy) from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Likewise where a journal is read: what can't be decoded is damaged.

    Raises:
        JournalBusy: Another program has the file locked.
        JournalUnreadable: Anything else.
    """
    try:
        yield
    except JournalError:
        raise
    except sqlite3.Error as error:
        if _code(error) == sqlite3.SQLITE_BUSY:
            raise JournalBusy(os.fspath(path), BUSY_S) from error
        if _code(error) == sqlite3.SQLITE_NOTADB:
            raise NotAJournal(os.fspath(path)) from error
        raise JournalUnreadable(os.fspath(path), _reason(error)[0]) from error
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise JournalUnreadable(os.fspath(path), f"it is damaged ({error})") from error


@contextmanager
def transaction(connection: sqlite3.Connection, *, writes: bool = True) -> Iterator[None]:
    """Write everything that is done in the block, or nothing; or read it as of one moment."""
    connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk has rolled it back already
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _size_of(path: Path) -> int | None:
    """The bytes of a file that may be a journal, ``None`` if there is no such file."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalUnwritable(os.fspath(path), os.strerror(error.errno or 0)) from error
    if stat.S_ISLNK(status.st_mode):
        raise JournalUnwritable(os.fspath(path), "it is a symbolic link; name the file itself")
    if not stat.S_ISREG(status.st_mode):
        raise JournalUnwritable(os.fspath(path), "it is no file")
    return status.st_size


def _create(path: Path) -> None:
    """Make a journal under another name and rename it: it is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(temporary, flags, 0o600))
        with closing(sqlite3.connect(temporary.absolute(), isolation_level=None)) as connection:
            for statement in (
                f"PRAGMA page_size = {_PAGE_BYTES}",
                "PRAGMA synchronous = OFF",
                "PRAGMA journal_mode = OFF",
                f"PRAGMA application_id = {APPLICATION_ID}",
                f"PRAGMA user_version = {VERSION}",
                _RUNS,
                _BLOCKS,
                _BLOCKS_OF_RUN,
                "PRAGMA journal_mode = WAL",
            ):
                connection.execute(statement)
        temporary.replace(path)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else str(error)
        raise JournalUnwritable(os.fspath(path), reason) from error


def _upgrade(connection: sqlite3.Connection) -> None:
    """Bring a journal of the first format up to this one, or leave it as it is."""
    with transaction(connection):
        connection.execute(_BLOCKS)
        move_to_blocks(connection, "main.block")
        for statement in (
            _BLOCKS_OF_RUN,
            "DROP TABLE outcome",
            "DROP TABLE batch",
            "ALTER TABLE run ADD COLUMN is_counted INTEGER NOT NULL DEFAULT 0",
            f"PRAGMA user_version = {VERSION}",
        ):
            connection.execute(statement)


def _reason(error: sqlite3.Error) -> tuple[str, str]:
    """What happened, and what to do about it if it was in writing."""
    said, code = str(error), _code(error)
    whole = "what it holds up to here is whole, so"
    if code == sqlite3.SQLITE_FULL:
        return f"no room is left ({said})", f"{whole} make room and resume"
    if code == sqlite3.SQLITE_READONLY:
        return f"it can only be read ({said})", f"{whole} make it writable and resume"
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return f"it is damaged ({said})", "begin the run anew"
    if said.startswith(("no such table", "no such column", "table ")):
        return f"it lacks what a journal has ({said})", "begin the run anew"
    return said, f"{whole} resume once that is mended"


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
