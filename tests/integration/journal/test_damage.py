"""Journals that are damaged, full, linked, locked or on a medium that can only be read."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fsworkers.journal.blocks import RunBlocks
from fsworkers.journal.earlier import open_earlier
from fsworkers.journal.errors import (
    JournalBusy,
    JournalFailed,
    JournalTooNew,
    JournalUnreadable,
    JournalUnwritable,
    NotAJournal,
    RunInProgress,
    RunNotFound,
)
from fsworkers.journal.locks import RunLock, running
from fsworkers.journal.outcomes import read_outcomes
from fsworkers.journal.places import default_directory, default_journal, find_runs, make_room
from fsworkers.journal.recorder import Recorder
from fsworkers.journal.rows import pack_outcomes
from fsworkers.journal.schema import connect, open_journal
from fsworkers.journal.selection import Unchanged, left_to_do, new_or_changed
from fsworkers.model import Outcome
from fsworkers.sinks.plain import encode
from tests.unit.journal.samples import a_run

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = [f"2026010{n}T000000Z-00000{n}" for n in range(1, 4)]


def write(path: Path, name: str, outcomes: Sequence[Outcome] = (Outcome("a", "done"),)) -> None:
    """Record a run that has ended."""
    with Recorder.begin(path, a_run(name, cwd="/", roots=("a",))) as recorder:
        recorder.record(list(pack_outcomes(outcomes, encode)), {"done": len(outcomes)}, 0, 1.0)
        recorder.end("finished")


def alter(path: Path, statement: str) -> None:
    """Change a journal behind our back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three journals that nobody named."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    make_room()
    for name in NAMES:
        write(default_journal(name), name)
    return default_directory()


def flip_a_bit_of_the_schema(path: Path) -> None:
    """In the first page, where the tables' definitions are."""
    data = bytearray(path.read_bytes())
    data[data.index(b"CREATE TABLE run")] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(path.read_bytes()[:20_000]),
        lambda path: path.write_bytes(b"SQLite format 3\0" + b"\xff" * 50_000),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(os.urandom(40_000)),
        flip_a_bit_of_the_schema,
        lambda path: alter(path, "DROP TABLE run"),
        lambda path: alter(path, "UPDATE run SET argv = '[1'"),
        lambda path: alter(path, "UPDATE run SET roots = '[1]'"),
        lambda path: alter(path, "UPDATE run SET started = 'then'"),
        lambda path: alter(path, "UPDATE run SET versions = CAST(x'ff' AS TEXT)"),
        lambda path: alter(path, "PRAGMA user_version = 99"),
        lambda path: alter(path, "PRAGMA application_id = 1"),
        lambda path: (path.unlink(), path.symlink_to("nowhere")),
        lambda path: (path.unlink(), path.mkdir()),
    ],
)
def test_damaged_journal_costs_its_run_and_not_the_list(
    state: Path, harm: object, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named in one warning; the others are listed."""
    journal = default_journal(NAMES[1])
    harm(journal)  # type: ignore[operator]
    with caplog.at_level(logging.WARNING, "fsworkers"):
        assert [one.run.id for one in find_runs(None)] == [NAMES[0], NAMES[2]]
    (warning,) = caplog.messages
    assert str(journal) in warning


def test_old_journal_that_cannot_be_thrown_away_stays(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And keeps no run from beginning."""
    monkeypatch.setattr("fsworkers.journal.places.KEPT_RUNS", 2)
    (state / f"{NAMES[0]}.db.lock").symlink_to("elsewhere")
    make_room()
    assert sorted(one.name for one in state.iterdir()) == [
        f"{NAMES[0]}.db",
        f"{NAMES[0]}.db.lock",
        f"{NAMES[2]}.db",
    ]


def test_journal_that_vanishes_is_no_warning(
    state: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run may have thrown it away."""
    listed = os.listdir(state)
    default_journal(NAMES[1]).unlink()
    monkeypatch.setattr(os, "listdir", lambda directory: listed)
    assert len(find_runs(None)) == 2
    assert not caplog.messages


def test_damaged_earlier_run_is_left_out_of_the_comparison(
    state: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When it is opened, or when a file is looked up: one warning, and the others are asked."""
    file = tmp_path / "a"
    file.touch()
    known = Outcome(str(file), "done", size=0, mtime_ns=file.stat().st_mtime_ns, attempts=1)
    for name in NAMES:
        default_journal(name).unlink()
        write(default_journal(name), name, [known])
    alter(default_journal(NAMES[2]), "UPDATE block SET directories = x'00'")
    alter(default_journal(NAMES[1]), "UPDATE block SET rows = x'00'")
    with ExitStack() as stack:
        run = a_run("20260109T000000Z-000009", cwd="/", roots=("a",))
        stack.enter_context(Recorder.begin(default_journal(run.id), run))
        earlier = open_earlier(stack, None, run)
        assert [one.run.id for one in earlier] == [NAMES[1], NAMES[0]]
        lists = [[str(file)], [str(file)]]
        found = list(new_or_changed(lists, earlier, "/"))
    assert [type(one) for one in found] == [Unchanged, Unchanged]
    assert len(caplog.messages) == 2
    for message, name in zip(caplog.messages, (NAMES[2], NAMES[1]), strict=True):
        assert "it is damaged" in message
        assert f"{name}.db" in message


def test_damaged_block_is_told_of(tmp_path: Path) -> None:
    """By whatever reads it: in words, and with the journal's name."""
    path = tmp_path / "j.db"
    write(path, NAMES[0], [Outcome("a", "done", "value")])
    for column in ("rows", "directories"):
        alter(path, f"UPDATE block SET {column} = substr({column}, 1, length({column}) - 1)")
        for look in read_outcomes, lambda blocks: left_to_do([["a"]], blocks, print):
            with (
                pytest.raises(JournalUnreadable, match=r"j\.db' can't be read: it is damaged \("),
                closing(RunBlocks(path, 1)) as blocks,
            ):
                list(look(blocks))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("DROP TABLE block", "lacks what a journal has .*; begin the run anew"),
        ("ALTER TABLE run DROP COLUMN failed", "lacks what a journal has"),
        ("PRAGMA max_page_count = 10", "no room is left .* is whole, so make room and resume"),
        ("PRAGMA query_only = 1", "can only be read .* is whole, so make it writable and resume"),
    ],
)
def test_failure_is_told_as_what_it_is(tmp_path: Path, harm: str, words: str) -> None:
    """Only a full disk asks for room; nothing of the call that failed is recorded."""
    path = tmp_path / "j.db"
    blocks = list(pack_outcomes([Outcome("a", "done", "x" * 200_000)], encode))
    with Recorder.begin(path, a_run()) as recorder:
        recorder._connection.execute(harm)
        with pytest.raises(
            JournalFailed, match=rf"writing to the journal '.*j\.db' failed: .*{words}"
        ):
            recorder.record(blocks, {"done": 1}, 0, 1.0)
        recorder._connection.execute("PRAGMA query_only = 0")
    assert not path.with_name("j.db.lock").exists()


def test_links_are_not_followed(tmp_path: Path) -> None:
    """Neither the journal nor its lock nor the name under which it is made."""
    other = tmp_path / "other"
    other.write_text("precious")
    for name in ("j.db", "j.db.lock"):
        link = tmp_path / name
        link.symlink_to(other)
        with pytest.raises(JournalUnwritable, match="is a symbolic link"):
            Recorder.begin(tmp_path / "j.db", a_run())
        link.unlink()
    (tmp_path / ".j.db.tmp").symlink_to(other)
    write(tmp_path / "j.db", NAMES[0])
    assert other.read_text() == "precious"
    (tmp_path / "link.db").symlink_to("j.db")
    for look in find_runs, connect:
        with pytest.raises(JournalUnwritable, match="is a symbolic link"):
            look(tmp_path / "link.db")
    (tmp_path / "j.db.lock").symlink_to(other)
    assert running(tmp_path / "j.db") is None
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "j.db",
        "j.db.lock",
        "link.db",
        "other",
    ]


@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_files_are_private(tmp_path: Path, mask: int) -> None:
    """Whatever the umask: the journal, its log and its lock."""
    before = os.umask(mask)
    try:
        with Recorder.begin(tmp_path / "j.db", a_run()):
            modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("j.db", "j.db-wal", "j.db-shm", "j.db.lock"), 0o600)


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    """And stays as it was."""
    path = tmp_path / "j.db"
    with pytest.raises(JournalUnwritable, match="there is no such file"):
        connect(path)
    with pytest.raises(JournalUnwritable, match="there is no such file"):
        Recorder.go_on(path, "x")
    path.write_bytes(b"x" * 5000)
    for look in connect, open_journal:
        with pytest.raises(NotAJournal):
            look(path)
    assert path.read_bytes() == b"x" * 5000
    path.write_bytes(b"")
    with pytest.raises(NotAJournal):
        connect(path)
    write(path, NAMES[0])
    with pytest.raises(RunNotFound):
        Recorder.go_on(path, "other")
    alter(path, "PRAGMA user_version = 3")
    with pytest.raises(JournalTooNew):
        connect(path)
    for place in tmp_path, tmp_path / "j.db" / "k.db", tmp_path / "no" / "k.db":
        with pytest.raises(JournalUnwritable, match="can't be used"):
            Recorder.begin(place, a_run())


def test_lock_is_held_by_one(tmp_path: Path) -> None:
    """The second is told who holds it; once given back, nothing is left of it."""
    journal = tmp_path / "j.db"
    lock = RunLock(journal, "first")
    assert running(journal) == "first"
    with pytest.raises(RunInProgress, match=rf"run first \(process {os.getpid()}\)"):
        RunLock(journal, "second")
    lock.release()
    assert running(journal) is None
    RunLock(journal, "second").release()
    assert not list(tmp_path.iterdir())


def test_lock_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no traceback, and nothing is left of it."""

    def full(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, "")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(JournalUnwritable, match="No space left"):
        RunLock(tmp_path / "j.db", "run")
    assert not list(tmp_path.iterdir())


def test_lock_of_another_program_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal is busy, and the run that could not begin holds nothing."""
    monkeypatch.setattr("fsworkers.journal.schema.BUSY_S", 0.01)
    path = tmp_path / "j.db"
    write(path, NAMES[0])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalBusy):
            Recorder.begin(path, a_run())
    assert running(path) is None
    write(path, NAMES[1])


READ_ONLY = """
import os, sys
from pathlib import Path
from fsworkers.journal.blocks import RunBlocks
from fsworkers.journal.outcomes import read_outcomes
from fsworkers.journal.places import find_runs
(located,) = find_runs(Path(sys.argv[1]))
blocks = RunBlocks(located.journal, located.run.number)
print(*[one.path for some in read_outcomes(blocks) for one in some])
"""


def test_medium_that_can_only_be_read(tmp_path: Path) -> None:
    """A journal there is listed and read, though its log can't be made."""
    unshare = shutil.which("unshare")
    place = tmp_path / "a #?%"
    place.mkdir()
    write(place / "j.db", NAMES[0])
    mount = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
    argv = [unshare or "", "-rm", "sh", "-c", mount, "sh", str(place)]
    if (
        unshare is None
        or subprocess.run([*argv, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no mount can be made here")
    done = subprocess.run(
        [*argv, sys.executable, "-c", READ_ONLY, str(place / "j.db")],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (b"a\n", b"")
