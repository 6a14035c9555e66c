"""The journal as a file: its tables, how it comes into being, and how SQLite's errors are told.

Outcomes arrive as ``batch`` rows, a packed list each, which costs a sixth of a row for every
outcome. Whoever first asks for single ones *files* the batches: it moves them into ``outcome``,
where each path of a run has one row (``journal.filing``).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from fsworkers.journal.errors import (
    JournalBusy,
    JournalError,
    JournalFailed,
    JournalTooNew,
    JournalUnwritable,
    NotAJournal,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APPLICATION_ID = 0x66737772
"""``fswr`` in the file's header: what SQLite keeps there for programs to know their files by."""

VERSION = 1

BUSY_S = 5.0
"""How long another program's lock on the file is waited for."""

OUTCOME_COLUMNS = """
    run INTEGER NOT NULL,
    path BLOB NOT NULL,
    status TEXT NOT NULL,
    size INTEGER,
    mtime_ns INTEGER,
    attempts INTEGER NOT NULL,
    error,
    duration_s REAL NOT NULL,
    worker INTEGER,
    traceback,
    value BLOB,
    PRIMARY KEY (run, path)
"""

_TABLES = f"""
CREATE TABLE run (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    started REAL NOT NULL,
    ended REAL,
    seconds REAL NOT NULL DEFAULT 0,
    cwd TEXT NOT NULL,
    argv TEXT NOT NULL,
    roots TEXT NOT NULL,
    options TEXT,
    fingerprint TEXT NOT NULL,
    versions TEXT NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    timed_out INTEGER NOT NULL DEFAULT 0,
    crashed INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0,
    size_bytes INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE batch (number INTEGER PRIMARY KEY, run INTEGER NOT NULL, rows BLOB NOT NULL);
CREATE TABLE outcome ({OUTCOME_COLUMNS}) WITHOUT ROWID;
"""

_CHECKPOINT_PAGES = 8000
"""Pages of 4 KiB after which the write-ahead log is moved into the file: each time is a sync."""


def open_journal(path: Path) -> sqlite3.Connection:
    """Open the journal at ``path``, which is made if there is none or an empty file.

    Raises:
        NotAJournal: Something else is there.
        JournalTooNew: It is of a later format.
        JournalUnwritable: It can't be opened or made.
        JournalBusy: Another program has it locked.
    """
    try:
        is_there = path.stat().st_size > 0
    except FileNotFoundError:
        is_there = False
    except OSError as error:
        raise JournalUnwritable(os.fspath(path), os.strerror(error.errno or 0)) from error
    if not is_there:
        _create(path)
    return connect(path)


def connect(path: Path) -> sqlite3.Connection:
    """Open a journal that exists.

    Any thread may use the connection, one at a time.

    Raises:
        NotAJournal: Something else is there.
        JournalTooNew: It is of a later format.
        JournalUnwritable: It can't be opened.
        JournalBusy: Another program has it locked.
    """
    name = os.fspath(path)
    if not os.path.isfile(name):
        raise JournalUnwritable(name, "there is no such file")
    with _opening(path):
        connection = _connect(path)
        try:
            ((application,),) = connection.execute("PRAGMA application_id")
            if application != APPLICATION_ID:
                raise NotAJournal(name)
            ((version,),) = connection.execute("PRAGMA user_version")
            if version > VERSION:
                raise JournalTooNew(name, version, VERSION)
            connection.execute("PRAGMA journal_mode = WAL")
            # What is committed outlives this process; after a power cut the last may be missing.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        except BaseException:
            connection.close()
            raise
    return connection


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
        raise JournalFailed(os.fspath(path), str(error)) from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write everything that is done in the block, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk has rolled it back already
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _create(path: Path) -> None:
    """Make a journal under another name and rename it: it is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        with _opening(path):
            connection = _connect(temporary)
            try:
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(_TABLES)
            finally:
                connection.close()
        temporary.replace(path)
    except JournalError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    except OSError as error:
        raise JournalUnwritable(os.fspath(path), os.strerror(error.errno or 0)) from error


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=32
    )


@contextmanager
def _opening(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        name = os.fspath(path)
        if _code(error) == sqlite3.SQLITE_BUSY:
            raise JournalBusy(name, BUSY_S) from error
        if _code(error) == sqlite3.SQLITE_NOTADB:
            raise NotAJournal(name) from error
        raise JournalUnwritable(name, str(error)) from error


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
