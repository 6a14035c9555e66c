"""How many files a call may be given."""

from __future__ import annotations

import os
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from fsworkers.tasks.arguments import (
    MOST_BYTES,
    cost_of,
    in_batches,
    room_for_files,
    system_limit,
)

names = st.text(alphabet="abc", min_size=1, max_size=20)


@given(st.lists(st.lists(names)), st.integers(40, 200), st.none() | st.integers(1, 4))
def test_every_file_is_in_one_batch_that_fits(
    found: list[list[str]], room: int, most: int | None
) -> None:
    """In order; an empty list ends a batch and is passed on."""
    batches = [batch for batches in in_batches(found, room, most, 2) for batch in batches]
    assert [path for batch in batches for path in batch] == [p for paths in found for p in paths]
    for batch in batches:
        assert batch
        assert most is None or len(batch) <= most
        taken = sum(cost_of(path.encode()) + 2 for path in batch)
        assert taken <= room or len(batch) == 1


def test_the_end_of_a_part_ends_a_batch() -> None:
    """So that what stands between two parts keeps its place."""
    assert list(in_batches([["a"], [], ["b"]], 1000, None, 0)) == [[("a",)], [], [("b",)]]


def test_an_unlimited_stack_does_not_make_room_without_end() -> None:
    """The kernel takes 6 MiB whatever sysconf(3) says."""
    assert room_for_files([b"true"], {}, 1 << 60) < MOST_BYTES


def test_what_fits_by_computation_is_taken_by_the_system() -> None:
    """All of the room is used up by short names, whose pointers weigh most, and by long ones."""
    environment = {b"FILLER": b"x" * 100_000, b"PATH": os.environb[b"PATH"]}
    room = room_for_files([b"true"], environment, system_limit())
    for name in (b"x", b"x" * 3000):
        arguments = [name] * (room // cost_of(name))
        done = subprocess.run([b"true", *arguments], env=environment, check=False)
        assert done.returncode == 0
