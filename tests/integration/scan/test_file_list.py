"""Lists of paths, as other programs print them."""

from __future__ import annotations

import io
import os
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers.model import Entry
from fsworkers.scan import file_list
from fsworkers.scan.file_list import read_file_list, scan_list
from fsworkers.scan.options import ScanOptions
from fsworkers.scan.seen import Seen
from tests.integration.scan.conftest import flat


def listed(stream: IO[bytes], nul: bool) -> list[str]:
    """Read a whole list."""
    lists = list(read_file_list(stream, nul))
    assert all(lists)
    return list(chain.from_iterable(lists))


@given(st.lists(st.binary(min_size=1, max_size=200)), st.booleans(), st.booleans())
def test_list_is_read_to_the_byte(names: list[bytes], nul: bool, ends: bool) -> None:
    """Only the separator separates, and the last path needs none."""
    separator = b"\0" if nul else b"\n"
    names = [name for name in (each.replace(separator, b"") for each in names) if name]
    stream = io.BytesIO(separator.join(names) + (separator if ends else b""))
    assert [os.fsencode(each) for each in listed(stream, nul)] == names


def test_blank_lines_are_ignored_and_spaces_are_not() -> None:
    """A line of one space is a name, an empty line is none."""
    assert listed(io.BytesIO(b"\n\na\n \n\nb\r\n"), False) == ["a", " ", "b\r"]


def test_long_lists_cross_the_chunks(here: Path) -> None:
    """A path that is cut by a read is put together again."""
    names = [b"%06d" % number * 11 for number in range(5000)]
    assert list(map(os.fsencode, listed(io.BytesIO(b"\n".join(names)), False))) == names


def test_a_pipe_is_passed_on_as_it_delivers(here: Path) -> None:
    """What one read gives comes at once, while the writer still holds the pipe."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream:
        os.write(writer, b"zeroth\nfirst\nsec")
        paths = read_file_list(stream, False)
        assert next(paths) == ["zeroth", "first"]
        os.write(writer, b"ond\n")
        assert next(paths) == ["second"]
        os.close(writer)
        assert list(paths) == []


def test_listed_paths_are_looked_at_one_by_one(tree: Path) -> None:
    """Missing ones fail, FIFOs are skipped, directories are walked."""
    os.mkfifo("pipe")
    found = list(flat(scan_list(["a/one.txt", "gone", "pipe", "a/b", b"a/one.txt"])))
    assert found[0] == "a/one.txt"
    assert isinstance(found[1], Entry)
    assert found[1].reason.startswith("FileNotFoundError")
    assert found[2:] == [Entry("pipe", "skipped", "FIFO"), "a/b/two.txt", "a/b/c/three.jpg"]


def test_a_list_of_directories_and_their_files_gives_each_once(tree: Path) -> None:
    """As find prints without -type f."""
    Path("a/link").symlink_to("b")
    printed = sorted(str(each) for each in tree.rglob("*"))
    found = list(flat(scan_list([printed], ScanOptions())))
    paths = [each if isinstance(each, str) else each.path for each in found]
    assert len(paths) == len(set(paths))
    assert {os.path.realpath(each) for each in found if isinstance(each, str)} == {
        str(each) for each in tree.rglob("*") if each.is_file()
    }


def test_spellings_of_one_path_are_one(tree: Path) -> None:
    """Dots and slashes make no other file; it is called as it came first."""
    listed: list[str | list[str]] = [
        ["./a/one.txt", "a/one.txt", "a//./one.txt", "a/../a/one.txt"],
        "a",
        "gone",
        "./gone",
    ]
    found = list(flat(scan_list(listed)))
    paths = [each if isinstance(each, str) else each.path for each in found]
    assert paths[:2] == ["./a/one.txt", "a/../a/one.txt"]
    assert sorted(paths[2:]) == ["a/.hidden", "a/b/c/three.jpg", "a/b/two.txt", "gone"]


def test_long_lists_give_each_once_too(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came out is known where it is kept on disk, and while a directory is walked."""
    monkeypatch.setattr(file_list, "Seen", partial(Seen, most_in_memory=1))
    printed = sorted(str(each) for each in tree.rglob("*"))
    paths = [*printed, *reversed(printed)]
    found = list(flat(scan_list([paths[:3], *paths[3:], paths])))
    names = [each if isinstance(each, str) else each.path for each in found]
    assert sorted(names) == sorted(str(each) for each in tree.rglob("*") if not each.is_dir())


def test_a_list_is_drawn_lazily(tree: Path) -> None:
    """An endless list is no more than a list."""

    def endless() -> object:
        yield "a/one.txt"
        raise AssertionError("drawn too early")

    assert next(scan_list(endless())) == ["a/one.txt"]  # type: ignore[arg-type]


def test_listed_files_come_in_lists_as_they_are_drawn(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files in a row are one list; what stands between them keeps its place."""
    monkeypatch.setattr(file_list, "MOST_PATHS", 2)
    os.mkfifo("pipe")
    names = [f"f{number}" for number in range(5)]
    for name in names:
        Path(name).touch()
    drawn: list[str | list[str]] = [
        ["f0", "pipe", *names, "a/b", "a/one.txt"],
        ["f1", "pipe"],
        "a/.hidden",
        "a/b/two.txt",
    ]
    assert list(scan_list(drawn)) == [
        ["f0"],
        Entry("pipe", "skipped", "FIFO"),
        ["f1", "f2"],
        ["f3", "f4"],
        ["a/b/two.txt"],
        ["a/b/c/three.jpg"],
        ["a/one.txt"],
        ["a/.hidden"],
    ]


def test_what_the_run_itself_writes_is_skipped_in_lists(tree: Path) -> None:
    """Listed by itself, or in a listed directory."""
    own = tree / "a" / "one.txt"
    for paths in (["a/one.txt"], ["a", "a/one.txt"]):
        found = [each for each in flat(scan_list(paths, own=[own])) if isinstance(each, Entry)]
        assert found == [Entry("a/one.txt", "skipped", "written by this run")]
    assert list(scan_list(["a/b/two.txt"], own=["x/two.txt"])) == [["a/b/two.txt"]]
