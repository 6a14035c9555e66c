"""Journals of the first format, built here as that version built them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from fsworkers.journal.blocks import RunBlocks
from fsworkers.journal.errors import JournalUnreadable
from fsworkers.journal.outcomes import count_outcomes, read_outcomes
from fsworkers.journal.places import find_runs
from fsworkers.journal.recorder import Recorder
from fsworkers.journal.rows import pack_untried
from fsworkers.model import Outcome

if TYPE_CHECKING:
    from pathlib import Path

TABLES = """
PRAGMA application_id = 0x66737772;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
CREATE TABLE run (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL,
    started REAL NOT NULL, ended REAL, seconds REAL NOT NULL DEFAULT 0,
    cwd TEXT NOT NULL, argv TEXT NOT NULL, roots TEXT NOT NULL, options TEXT,
    fingerprint TEXT NOT NULL, versions TEXT NOT NULL,
    done INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0, timed_out INTEGER NOT NULL DEFAULT 0,
    crashed INTEGER NOT NULL DEFAULT 0, cancelled INTEGER NOT NULL DEFAULT 0,
    size_bytes INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE batch (number INTEGER PRIMARY KEY, run INTEGER NOT NULL, rows BLOB NOT NULL);
CREATE TABLE outcome (
    run INTEGER NOT NULL, path BLOB NOT NULL, status TEXT NOT NULL, size INTEGER,
    mtime_ns INTEGER, attempts INTEGER NOT NULL, error, duration_s REAL NOT NULL,
    worker INTEGER, traceback, value BLOB, PRIMARY KEY (run, path)
) WITHOUT ROWID;
"""

Row = tuple[Any, ...]
"""path, status, size, mtime_ns, attempts, error, duration_s, worker, traceback, value."""

FILED: list[Row] = [
    (b"a/1", "done", 3, 5, 1, None, 0.5, 0, None, b'{"x":[1,null]}'),
    (b"a/\xff", "failed", 4, 6, 2, b"\xed\xb3\xbf", 0.5, 1, "trace", None),
    (b"b", "failed", None, None, 0, "no such file", 0.0, None, None, None),
]
LATER: list[Row] = [
    (b"a/\xff", "done", 4, 6, 3, None, 0.25, 1, None, b'"again"'),
    (b"c", "cancelled", None, None, 0, None, 0.0, None, None, None),
]
OUTCOMES = [
    Outcome("b", "failed", error="no such file"),
    Outcome("c", "cancelled"),
    Outcome("a/1", "done", {"x": [1, None]}, None, 1, 3, 0.5, 0, None, 5),
    Outcome("a/\udcff", "done", "again", None, 3, 4, 0.25, 1, None, 6),
]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Two runs: one with filed outcomes and a batch, one with a batch."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(TABLES)
        for number, name in (1, "one"), (2, "two"):
            connection.execute(
                "INSERT INTO run VALUES (?, ?, 'running', ?, NULL, 2.5, ?, '[\"x\"]', '[\".\"]',"
                " NULL, 'f', 'v', 1, 1, 1, 0, 0, 0, 3)",
                (number, name, float(number), json.dumps("/\udcff")),
            )
        connection.executemany(f"INSERT INTO outcome VALUES (1{', ?' * 10})", FILED)
        packed = msgspec.msgpack.encode(LATER)
        connection.execute("INSERT INTO batch (run, rows) VALUES (1, ?), (2, ?)", (packed, packed))
    return path


def test_old_journal_is_read(old: Path) -> None:
    """Without a change to it: its runs, their outcomes and what is known of files."""
    before = old.read_bytes()
    first, second = find_runs(old)
    assert (first.run.state, first.run.counts["done"], first.run.cwd) == ("killed", 1, "/\udcff")
    with closing(RunBlocks(old, first.run.number)) as blocks:
        assert [one for some in read_outcomes(blocks) for one in some] == OUTCOMES
        assert count_outcomes(blocks) == ({"done": 2, "failed": 1, "cancelled": 1}, 7)
        (there,) = blocks.known([("a/", ["1", "\udcff"])])
        assert {name: known[0] for name, known in there.items()} == {"1": (3, 5), "\udcff": (4, 6)}
    with closing(RunBlocks(old, second.run.number)) as blocks:
        assert sum(map(len, read_outcomes(blocks))) == 2
    assert old.read_bytes() == before


def test_old_run_is_gone_on_with(old: Path) -> None:
    """Whoever writes to it brings it up to this format, all its runs."""
    with Recorder.go_on(old, "one") as recorder:
        assert (recorder.counts, recorder.size_bytes) == (
            {"done": 2, "failed": 1, "cancelled": 1},
            7,
        )
        recorder.forget_scan_failures()
        assert recorder.counts == {"done": 2, "cancelled": 1}
        recorder.record([pack_untried(["c"], "skipped", "FIFO")], {}, 0, 1.0)
        outcomes = [one for some in recorder.outcomes() for one in some]
        assert outcomes == [Outcome("c", "skipped", error="FIFO"), *OUTCOMES[2:]]
    with Recorder.go_on(old, "two") as recorder:
        assert recorder.counts == {"done": 1, "cancelled": 1}
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        tables = connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table'"
        ).fetchall()
    assert sorted(tables) == [("block",), ("resumption",), ("run",)]


def test_old_journal_that_cannot_be_moved_stays_as_it_is(old: Path) -> None:
    """A damaged batch: nothing is lost of what can be read."""
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("UPDATE batch SET rows = x'00' WHERE run = 2")
    with pytest.raises(JournalUnreadable, match="damaged"):
        Recorder.go_on(old, "one")
    with closing(RunBlocks(old, 1)) as blocks:
        assert [one for some in read_outcomes(blocks) for one in some] == OUTCOMES
