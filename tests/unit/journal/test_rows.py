"""Outcomes packed into blocks and expanded again."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.journal import rows as rows_module
from fsworkers.journal.known import known_at
from fsworkers.journal.rows import (
    Block,
    by_directory,
    cut,
    lengthened,
    names_of,
    outcomes_of,
    pack_done,
    pack_outcomes,
    pack_untried,
    shortened,
    unpack_directories,
    unpack_rows,
)
from fsworkers.model import Outcome
from fsworkers.sinks.plain import encode
from tests.unit.journal.samples import JSON, NUMBERS, OUTCOMES, PATHS, TIMES


def latest(outcomes: list[Outcome]) -> list[Outcome]:
    """Of two outcomes for one path, the later one."""
    return list({one.path: one for one in outcomes}.values())


def expanded(*blocks: Block) -> list[Outcome]:
    """All outcomes of some blocks."""
    return [one for block in blocks for _, some in outcomes_of(block) for one in some]


@given(st.lists(OUTCOMES, max_size=6))
def test_outcomes_come_back(outcomes: list[Outcome]) -> None:
    """Any path, text and JSON value is read as it was written, each path once."""
    assert expanded(*pack_outcomes(outcomes, encode)) == latest(outcomes)


@given(st.lists(st.tuples(PATHS, JSON, NUMBERS, TIMES, st.floats(0, 9)), min_size=1, max_size=6))
def test_done_files_come_back(
    files: list[tuple[str, object, int | None, int | None, float]],
) -> None:
    """What a worker packs in columns is read as the outcomes that it stands for."""
    paths, values, sizes, times, durations = zip(*files, strict=True)
    block = pack_done(paths, msgspec.json.encode(values), sizes, times, durations, 7)
    assert expanded(block) == [
        Outcome(path, "done", value, None, 1, size, duration, 7, None, time)
        for path, value, size, time, duration in files
    ]


@pytest.mark.parametrize("sizes", [None, [1, 2]])
def test_untried_files_come_back(sizes: list[int] | None) -> None:
    """One status and reason for all, with size and time or without."""
    block = pack_untried(["d/a", "b"], "skipped", "\udcff", sizes, sizes)
    assert expanded(block) == [
        Outcome(path, "skipped", error="\udcff", size=size, mtime_ns=size)
        for path, size in zip(["d/a", "b"], sizes or (None, None), strict=True)
    ]
    assert unpack_directories(block[0]).statuses == ["skipped"]


@pytest.mark.parametrize(
    "name", [b"x.txt", b"/", b"/x", b"a//b", b"a/", b"new\nline/\xff\xfe", b"nul\0nul", b""]
)
def test_any_name_is_kept(name: bytes) -> None:
    """To the byte, with a directory or without, also where a part of the path is empty."""
    (outcome,) = expanded(pack_done([os.fsdecode(name)], b"[1]", [1], [1], [0.5], 0))
    assert os.fsencode(outcome.path) == name


@given(st.lists(PATHS, max_size=8))
def test_paths_are_divided_by_directory(paths: list[str]) -> None:
    """Where the directory changes and nowhere else; directory and name are the path."""
    groups = by_directory(paths)
    assert [directory + name for directory, names in groups for name in names] == paths
    directories = [directory for directory, _ in groups]
    assert all(one != other for one, other in pairwise(directories))
    assert not any("/" in name for _, names in groups for name in names)
    assert all(not directory or directory.endswith("/") for directory in directories)


def test_large_values_are_recorded_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks stay below what SQLite takes in one piece; a value beyond that is left out."""
    monkeypatch.setattr(rows_module, "_LARGEST_BLOCK_BYTES", 150)
    monkeypatch.setattr(rows_module, "LARGEST_VALUE_BYTES", 200)
    outcomes = [Outcome(f"{n}", "done", "x" * n, mtime_ns=1) for n in (50, 150, 250)]
    blocks = list(pack_outcomes(outcomes, encode))
    assert len(blocks) == 3
    again = expanded(*blocks)
    assert [(len(one.value or ""), one.mtime_ns) for one in again] == [(50, 1), (150, 1), (0, None)]


def test_worker_leaves_out_what_is_more_than_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's block is one piece: where its values are too large, the largest are left out."""
    monkeypatch.setattr(rows_module, "LARGEST_VALUE_BYTES", 100)
    values = ["x" * 90, "y" * 40]
    block = pack_done(["a", "b"], msgspec.json.encode(values), [1, 1], [5, 5], [0.0, 0.0], 0)
    assert [(one.value, one.mtime_ns) for one in expanded(block)] == [(None, None), ("y" * 40, 5)]


def test_scan_failures_are_packed_apart() -> None:
    """What was not looked at is told from what a task failed on, without a look at the rows."""
    outcomes = [
        Outcome("a", "failed", error="no such file", attempts=0),
        Outcome("b", "failed", error="ValueError", attempts=1),
        Outcome("c", "skipped", error="FIFO"),
    ]
    blocks = list(pack_outcomes(outcomes, encode))
    directories = [unpack_directories(block[0]) for block in blocks]
    assert [one.is_scan_failure for one in directories] == [True, False]
    assert set(directories[1].statuses) == {"failed", "skipped"}


@given(st.lists(OUTCOMES, min_size=2, max_size=6, unique_by=lambda one: one.path))
def test_block_is_cut_up(outcomes: list[Outcome]) -> None:
    """Each piece holds its files and nothing else."""
    outcomes = [msgspec.structs.replace(one, attempts=1) for one in outcomes]
    (block,) = pack_outcomes(outcomes, encode)
    parts = list(unpack_directories(block[0]).parts)
    odd = [(name, [at for at in some if at % 2]) for name, some in parts]
    even = [(name, [at for at in some if not at % 2]) for name, some in parts]
    whole, *halves = cut(block[1], [parts, even, odd])
    assert expanded(whole) == outcomes
    assert [expanded(half) for half in halves] == [outcomes[::2], outcomes[1::2]]
    (swapped,) = cut(block[1], [[(name, list(some)[::-1]) for name, some in parts]])
    assert sorted(expanded(swapped), key=str) == sorted(outcomes, key=str)


def test_columns_of_different_lengths_are_damage() -> None:
    """A block whose parts do not fit together is not expanded into something else."""
    one = pack_done(["a", "b"], b"[1, 2]", [1, 1], [5, 5], [0.0, 0.0], 0)
    broken = unpack_rows(one[1])
    broken.sizes = [1]
    with pytest.raises(msgspec.DecodeError, match="a column of 2 files has 1 entries"):
        unpack_rows(msgspec.msgpack.encode(broken))
    broken = unpack_rows(one[1])
    broken.values = b"[1]"
    with pytest.raises(msgspec.DecodeError):
        expanded((one[0], msgspec.msgpack.encode(broken)))
    for packed in b"", b"\x00", one[1][:-1]:
        with pytest.raises(msgspec.DecodeError):
            unpack_rows(packed)


@given(st.lists(OUTCOMES, min_size=1, max_size=4), st.data())
def test_any_damage_is_told_or_harmless(outcomes: list[Outcome], data: st.DataObject) -> None:
    """With some byte altered a block is refused, or has as many outcomes as names."""
    blocks = list(pack_outcomes(outcomes, encode))
    block = list(data.draw(st.sampled_from(blocks)))
    which = data.draw(st.integers(0, 1))
    altered = bytearray(block[which])
    altered[data.draw(st.integers(0, len(altered) - 1))] ^= data.draw(st.integers(1, 255))
    block[which] = bytes(altered)
    try:
        again = expanded((block[0], block[1]))
        rows = unpack_rows(block[1])
        known = known_at(rows, range(len(names_of(rows))))
    except (msgspec.MsgspecError, ValueError, TypeError):
        return
    assert len(again) == len(known) == len(names_of(rows))


def test_workers_load_no_database() -> None:
    """A worker packs, and only the master writes."""
    program = "import fsworkers.journal.rows, sys; print('sqlite3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"False\n"


digests = st.integers(1, 40).flatmap(
    lambda size: st.lists(st.binary(min_size=size, max_size=size).map(bytes.hex), min_size=1)
)


@given(digests | st.lists(st.text('0123456789abcdefAF," []', max_size=6), min_size=1))
def test_digests_take_half_the_space(values: list[str]) -> None:
    """And come back as they were, as does everything that only looks like them."""
    array = msgspec.json.encode(values)
    short = shortened(array, len(values))
    assert lengthened(short) == array
    if len({*map(len, values)}) == 1 and len(values[0]) >= 8 and "".join(values).isalnum():
        is_lower = "".join(values) == "".join(values).lower()
        assert not is_lower or len(short) < 0.6 * len(array)
