"""Outcomes packed and unpacked, and the tables that they go through."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.journal import rows as rows_module
from fsworkers.journal.errors import RunInProgress
from fsworkers.journal.locks import RunLock, running
from fsworkers.journal.places import surplus
from fsworkers.journal.queries import count_outcomes, read_outcomes
from fsworkers.journal.record import RunRecord, read_runs
from fsworkers.journal.recorder import Recorder
from fsworkers.journal.rows import outcome_of, packed_batches, unpack_batch
from fsworkers.journal.schema import connect
from fsworkers.model import STATUSES, Outcome
from fsworkers.sinks.plain import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

PATHS = st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name).map(os.fsdecode)
NUMBERS = st.none() | st.integers(0, 2**63 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
ANY_TEXT = st.none() | st.text(st.characters())
OUTCOMES = st.builds(
    Outcome,
    path=PATHS,
    status=st.sampled_from(STATUSES),
    value=JSON,
    error=ANY_TEXT,
    attempts=st.integers(0, 9),
    size=NUMBERS,
    duration_s=st.floats(0, 1e6),
    worker=NUMBERS,
    traceback=ANY_TEXT,
    mtime_ns=st.none() | st.integers(-(2**63), 2**63 - 1),
)


def a_run(name: str = "20260101T000000Z-00000a") -> RunRecord:
    """A run as it begins; its names are no UTF-8."""
    return RunRecord(
        id=name,
        cwd="/\udcff",
        argv=("fsworkers", "process", "\udcfe"),
        roots=("\udcfe",),
        options=None,
        fingerprint="f",
    )


def record(recorder: Recorder, outcomes: Sequence[Outcome]) -> None:
    """Record a batch; the figures do not matter."""
    recorder.record(outcomes, {"done": len(outcomes)}, 0, 1.0)


@given(st.lists(OUTCOMES, max_size=5))
def test_outcomes_come_back(outcomes: list[Outcome]) -> None:
    """Any path, text and JSON value is read as it was written."""
    packed = packed_batches(outcomes, encode)
    again = [outcome_of(row) for batch in packed for row in unpack_batch(batch)]
    assert again == outcomes


@given(batches=st.lists(st.lists(OUTCOMES, max_size=4), max_size=4))
def test_latest_outcome_of_a_path_stands(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Outcome]]
) -> None:
    """Filed batches hold each path once, with its last outcome, in the order of bytes."""
    path = tmp_path_factory.mktemp("journal") / "j.db"
    with Recorder.begin(path, a_run(), encode) as recorder:
        for batch in batches:
            record(recorder, batch)
        recorder.file()
        found = [outcome for batch in recorder.outcomes() for outcome in batch]
    latest = {outcome.path: outcome for batch in batches for outcome in batch}
    assert found == [latest[name] for name in sorted(latest, key=os.fsencode)]


def test_large_values_are_recorded_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches stay below what SQLite takes in one piece; a value beyond that is left out."""
    monkeypatch.setattr(rows_module, "_BATCH_BYTES", 100)
    monkeypatch.setattr(rows_module, "LARGEST_VALUE_BYTES", 200)
    outcomes = [Outcome(f"{n}", "done", "x" * n, mtime_ns=1) for n in (50, 150, 250)]
    packed = list(packed_batches(outcomes, encode))
    assert len(packed) == 3
    again = [outcome_of(row) for batch in packed for row in unpack_batch(batch)]
    assert [(len(one.value or ""), one.mtime_ns) for one in again] == [(50, 1), (150, 1), (0, None)]


def test_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Names that are no UTF-8 survive; one left without an end is interrupted."""
    path = tmp_path / "j.db"
    with Recorder.begin(path, a_run(), encode) as recorder:
        record(recorder, [Outcome("a", "done", size=3), Outcome("b", "failed", error="\udcff")])
    connection = connect(path)
    (run,) = read_runs(connection)
    connection.close()
    assert (run.cwd, run.argv, run.roots) == (a_run().cwd, a_run().argv, a_run().roots)
    assert run.state == "interrupted"
    assert run.command == "fsworkers process '\\xfe'"
    assert [name.name for name in tmp_path.iterdir()] == ["j.db"]
    with Recorder.go_on(path, run.id, encode) as recorder:
        assert (dict(recorder.counts), recorder.size_bytes) == ({"done": 1, "failed": 1}, 3)
        recorder.end("finished")


def test_failure_of_a_batch_leaves_the_others(tmp_path: Path) -> None:
    """What can't be encoded ends the run; the batch before it is there whole."""

    def fails(value: object) -> bytes:
        if value == "bad":
            raise RuntimeError
        return encode(value)

    path = tmp_path / "j.db"
    with Recorder.begin(path, a_run(), fails) as recorder:
        record(recorder, [Outcome("a", "done", "good")])
        with pytest.raises(RuntimeError):
            record(recorder, [Outcome("b", "done", "good"), Outcome("c", "done", "bad")])
        recorder.file()
        assert [one.path for batch in recorder.outcomes() for one in batch] == ["a"]


def test_pages_of_outcomes_join(tmp_path: Path) -> None:
    """More outcomes than one query gives come once each, and are counted."""
    path = tmp_path / "j.db"
    with Recorder.begin(path, a_run(), encode) as recorder:
        record(recorder, [Outcome(f"{n:05}", STATUSES[n % 2], size=n) for n in range(2500)])
        recorder.file()
        connection = connect(path)
        found = [one for batch in read_outcomes(connection, 1, ["failed"]) for one in batch]
        counts, size_bytes = count_outcomes(connection, 1)
        connection.close()
    assert [one.size for one in found] == list(range(1, 2500, 2))
    assert (counts["done"], size_bytes) == (1250, sum(range(0, 2500, 2)))


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


def test_oldest_journals_are_surplus() -> None:
    """Names begin with the time, so the order of names is that of time."""
    journals = [Path(f"2026{n:02}.db") for n in (3, 1, 2)]
    assert surplus(journals, 2) == [Path("202601.db")]
    assert surplus(journals, 3) == []
