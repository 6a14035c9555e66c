"""Walking real trees."""

from __future__ import annotations

import errno
import itertools
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest

from fsworkers.model import Entry
from fsworkers.scan import directory, roots
from fsworkers.scan.errors import PathNotFound
from fsworkers.scan.options import ScanOptions
from fsworkers.scan.roots import check_paths
from fsworkers.scan.tree import scan
from tests.integration.scan.conftest import flat

EVERYTHING = {"a/one.txt", "a/.hidden", "a/b/two.txt", "a/b/c/three.jpg"}


def files(*paths: str | bytes | Path, options: ScanOptions | None = None) -> list[str]:
    """Scan where everything that is found is a file to process."""
    found = list(flat(scan(paths, options or ScanOptions())))
    assert not [each for each in found if isinstance(each, Entry)]
    return [each for each in found if isinstance(each, str)]


def entries(*paths: str, options: ScanOptions | None = None) -> dict[str, tuple[str, str]]:
    """Scan for what is not to be run: status and reason by path."""
    found = list(flat(scan(paths, options or ScanOptions())))
    settled = [each for each in found if isinstance(each, Entry)]
    assert len({each.path for each in settled}) == len(settled)
    return {each.path: (each.status, each.reason) for each in settled}


def test_every_file_of_a_tree_comes(tree: Path) -> None:
    """Hidden files are files too, and nesting does not matter."""
    found = files("a")
    assert set(found) == EVERYTHING
    assert len(found) == 4


@pytest.mark.parametrize(
    ("path", "first"),
    [(".", "./a/one.txt"), ("a/", "a/one.txt"), ("./a", "./a/one.txt")],
)
def test_paths_are_joined_as_find_joins_them(tree: Path, path: str, first: str) -> None:
    """The PATH stays as it was given, with one slash if it had none."""
    assert first in files(path)
    printed = subprocess.run(["find", path, "-type", "f"], capture_output=True, check=True).stdout
    assert set(files(path)) == set(printed.decode().split())


def test_slashes_in_a_row_are_one(tree: Path) -> None:
    """There ``find`` would go on with two, and so would every name in an output."""
    assert "a/one.txt" in files("a//")
    assert "a/b/two.txt" in files("a//b///")


def test_paths_may_be_bytes_or_path_objects_or_single_files(tree: Path) -> None:
    """All spellings of the interface give text."""
    assert files(b"a/one.txt", Path("a/b/two.txt")) == ["a/one.txt", "a/b/two.txt"]


@pytest.mark.parametrize(
    "order", list(itertools.permutations(["a", "a/b", "a/b/two.txt", "./a"]))[::3]
)
@pytest.mark.parametrize("follow", [False, True])
def test_overlapping_paths_give_each_file_once(
    tree: Path, order: tuple[str, ...], follow: bool
) -> None:
    """In whatever order they are given."""
    (tree / "link").symlink_to("a")
    everything = (*order, "link", str(tree / "a"), "a/../a/one.txt")
    found = files(*everything, options=ScanOptions(follow=follow))
    assert sorted(os.path.realpath(each) for each in found) == sorted(
        os.path.realpath(each) for each in EVERYTHING
    )


def test_hard_links_are_files_of_their_own(here: Path) -> None:
    """Both names have a file behind them."""
    Path("x").write_bytes(b"x")
    os.link("x", "y")
    assert set(files(".", "x")) == {"./y", "x"}


def test_a_link_that_is_a_path_is_accounted_for_once(tree: Path) -> None:
    """The walk that meets it says nothing, as it has been followed already."""
    Path("a/link").symlink_to("b/two.txt")
    assert sorted(files("a", "a/link")) == sorted(EVERYTHING | {"a/link"})


def test_a_link_is_skipped_unless_it_is_a_path(tree: Path) -> None:
    """As with find -H."""
    Path("a/file_link").symlink_to("one.txt")
    Path("a/dir_link").symlink_to("b")
    reason = ("skipped", "symbolic link (--follow processes its target)")
    assert entries("a") == {"a/file_link": reason, "a/dir_link": reason}
    assert files("a/dir_link") == ["a/dir_link/two.txt", "a/dir_link/c/three.jpg"]


def test_follow_processes_links_to_files_under_their_own_path(tree: Path) -> None:
    """The link and its target are two paths."""
    Path("a/link").symlink_to("one.txt")
    assert set(files("a", options=ScanOptions(follow=True))) == EVERYTHING | {"a/link"}


def test_follow_walks_a_directory_once(tree: Path) -> None:
    """A second way to a directory, and one that leads back, are named with the first."""
    Path("a/b/c/loop").symlink_to("../..")
    Path("a/again").symlink_to("b")
    found = list(flat(scan(["a"], ScanOptions(follow=True))))
    paths = [each for each in found if isinstance(each, str)]
    settled = {each.path: each.reason for each in found if isinstance(each, Entry)}
    assert sorted(map(os.path.realpath, paths)) == sorted(map(os.path.realpath, EVERYTHING))
    assert len(settled) == 2
    assert "symbolic link loop: leads back to 'a'" in settled.values()
    assert any("the same directory as 'a/" in reason for reason in settled.values())


def test_links_that_lead_nowhere_fail_with_the_reason(here: Path) -> None:
    """Dangling links and links to themselves, met or given as PATH."""
    Path("dangling").symlink_to("gone\n")
    Path("self").symlink_to("self")
    met = entries(".", options=ScanOptions(follow=True))
    dangling = "FileNotFoundError: dangling symbolic link to 'gone\\n'"
    assert met["./dangling"] == ("failed", dangling)
    assert met["./self"][0] == "failed"
    assert "Too many levels of symbolic links" in met["./self"][1]
    check_paths(["dangling", "self"])
    assert entries("dangling") == {"dangling": ("failed", dangling)}


def test_special_files_are_skipped_and_never_opened(here: Path) -> None:
    """Opening the FIFO would hang."""
    os.mkfifo("pipe")
    Path("link").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("sock")
        assert entries(".", options=ScanOptions(follow=True)) == {
            "./pipe": ("skipped", "FIFO"),
            "./link": ("skipped", "FIFO"),
            "./sock": ("skipped", "socket"),
        }
        assert entries("pipe", "/dev/null", "sock") == {
            "pipe": ("skipped", "FIFO"),
            "/dev/null": ("skipped", "character device"),
            "sock": ("skipped", "socket"),
        }


def test_unreadable_directory_fails_and_the_scan_goes_on(tree: Path) -> None:
    """The rest is found all the same."""
    Path("a/b").chmod(0)
    try:
        if os.access("a/b", os.R_OK):
            pytest.skip("this user may read anything")
        found = list(flat(scan(["a"])))
    finally:
        Path("a/b").chmod(0o700)
    assert {"a/one.txt", "a/.hidden"} <= {each for each in found if isinstance(each, str)}
    [entry] = [each for each in found if isinstance(each, Entry)]
    assert (entry.path, entry.status) == ("a/b", "failed")
    assert entry.reason.startswith("PermissionError: ")


def test_directory_that_vanishes_during_the_scan_fails(tree: Path) -> None:
    """It was found, so it has an outcome."""
    found = []
    for each in scan(["a"]):
        found.append(each)
        if Path("a/b").exists():
            Path("a/b").rename("elsewhere")
    [entry] = [each for each in found if isinstance(each, Entry)]
    assert entry.path == "a/b"
    assert entry.reason.startswith("FileNotFoundError: ")


class BreakingListing:
    """A listing that the kernel breaks off after its first entry."""

    def __init__(self, path: str | int) -> None:
        self._real = os.scandir(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._real.close()

    def __iter__(self) -> BreakingListing:
        self._left = 1
        return self

    def __next__(self) -> os.DirEntry[str]:
        if not self._left:
            raise OSError(errno.EIO, "Input/output error")
        self._left -= 1
        return next(self._real)


def test_listing_that_breaks_off_is_never_silently_short(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was met stands, and the directory fails."""
    for name in "xyz":
        Path(name).touch()
    monkeypatch.setattr(directory, "scandir", BreakingListing)
    found = list(flat(scan(["."])))
    assert isinstance(found[0], str)
    assert found[1:] == [Entry(".", "failed", "OSError: [Errno 5] Input/output error")]


def test_want_of_descriptors_is_waited_out(tree: Path) -> None:
    """A directory that finds no descriptor waits until one is free; nothing fails."""
    code = """
import os, resource, threading
from fsworkers import graceful
from fsworkers.scan.tree import scan
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
graceful.open(os.devnull).close()
hoard = []
try:
    while True:
        hoard.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
threading.Timer(0.3, lambda: [os.close(one) for one in hoard]).start()
print(all(isinstance(each, list) for each in scan(["a", "a/b"])), graceful.statistics().refused > 0)
"""
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        text=True,
        timeout=30,
        env={"PYTHONPATH": str(root)},
    )
    assert done.stdout == "True True\n"


def test_nothing_is_collected_and_one_directory_is_open(here: Path) -> None:
    """A scan that is left early has read a part and gives its descriptor back."""
    for number in range(5):
        folder = Path(f"d{number}")
        folder.mkdir()
        for name in "xyz":
            (folder / name).touch()
    before = len(os.listdir("/dev/fd"))
    walk = scan(["."])
    assert len(os.listdir("/dev/fd")) == before
    for _ in range(3):
        found = next(walk)
        assert isinstance(found, list)
        assert len(found) == 3
        assert len(os.listdir("/dev/fd")) == before
    walk.close()  # type: ignore[attr-defined]


def test_a_large_directory_comes_in_parts(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work begins before it is read to its end; entries follow the part they were met in."""
    monkeypatch.setattr(directory, "MOST_PATHS", 2)
    for name in "abcdefg":
        Path(name).touch()
        Path(f"{name}.link").symlink_to(name)
    names = [f"./{name}" for name in os.listdir()]
    expected: list[list[str] | str] = []
    for part in zip(names[::2], names[1::2], strict=True):
        files = [name for name in part if not name.endswith(".link")]
        expected += [files] if files else []
        expected += [name for name in part if name not in files]
    before = len(os.listdir("/dev/fd"))
    found = []
    walk = scan(["."])
    for each in walk:
        found.append(each.path if isinstance(each, Entry) else each)
        assert len(os.listdir("/dev/fd")) <= before + 1
    assert found == expected
    left_early = scan(["."])
    next(left_early)
    left_early.close()  # type: ignore[attr-defined]


def test_paths_in_a_row_that_are_files_make_a_list(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as a directory's list may hold; what stands between them keeps its place."""
    monkeypatch.setattr(roots, "MOST_PATHS", 2)
    found = list(scan(["a/one.txt", "gone", "a/.hidden", "a/b/two.txt", "a/b/c/three.jpg", "a"]))
    assert [each.path if isinstance(each, Entry) else each for each in found] == [
        ["a/one.txt"],
        "gone",
        ["a/.hidden", "a/b/two.txt"],
        ["a/b/c/three.jpg"],
    ]


def test_names_are_exact(here: Path) -> None:
    """Whatever bytes a name consists of, they come back."""
    names = [b"\xff\xfe", b"new\nline", b"tab\t", b"\x1b[2J", b"-dash", b" lead", b"n" * 255]
    for name in names:
        Path(os.fsdecode(name)).touch()
    assert sorted(map(os.fsencode, files("."))) == sorted(b"./" + name for name in names)


@pytest.mark.parametrize("follow", [False, True])
def test_a_directory_beyond_the_longest_path_fails(here: Path, follow: bool) -> None:
    """Files that no path can reach are not run: the first directory too deep says why."""
    depth, name = 25, "d" * 250
    descriptor = os.open(".", os.O_RDONLY)
    for level in range(depth):
        os.mkdir(name, dir_fd=descriptor)
        following = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = following
        os.close(os.open(f"f{level}", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)
    try:
        *paths, entry = flat(scan([name], ScanOptions(follow=follow)))
    finally:
        subprocess.run(["rm", "-rf", name], check=True)
    assert isinstance(entry, Entry)
    assert (entry.path, entry.status) == ("/".join([name] * (len(paths) + 1)), "failed")
    assert "File name too long" in entry.reason
    assert 0 < len(paths) < depth
    assert all(isinstance(each, str) for each in paths)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (ScanOptions(globs=("*.txt",)), {"a/one.txt", "a/b/two.txt"}),
        (ScanOptions(globs=("*.TXT",)), set()),
        (ScanOptions(globs=("*.jpg", "one*")), {"a/one.txt", "a/b/c/three.jpg"}),
        (ScanOptions(globs=("b/*.txt",)), {"a/b/two.txt"}),
        (ScanOptions(globs=("**/c/*",)), {"a/b/c/three.jpg"}),
        (ScanOptions(globs=("/one.txt",)), {"a/one.txt"}),
        (ScanOptions(excludes=("b",)), {"a/one.txt", "a/.hidden"}),
        (ScanOptions(excludes=("b/c/",)), {"a/one.txt", "a/.hidden", "a/b/two.txt"}),
        (ScanOptions(excludes=("one.txt/", "*.jpg", "ONE*")), EVERYTHING - {"a/b/c/three.jpg"}),
        (ScanOptions(skip_hidden=True), EVERYTHING - {"a/.hidden"}),
        (ScanOptions(max_depth=1), {"a/one.txt", "a/.hidden"}),
        (ScanOptions(max_depth=2), EVERYTHING - {"a/b/c/three.jpg"}),
        (ScanOptions(max_depth=0), set()),
        (ScanOptions(sizes=("+10", "-100")), {"a/.hidden", "a/b/two.txt"}),
        (ScanOptions(changed_within_s=3600), EVERYTHING - {"a/one.txt"}),
    ],
)
def test_filters_leave_out_what_they_are_asked_to(
    tree: Path, options: ScanOptions, expected: set[str]
) -> None:
    """Each filter alone, over the same tree."""
    os.utime("a/one.txt", (0, 0))
    assert set(files("a", options=options)) == expected


def test_filters_hold_for_what_is_not_run_too(tree: Path) -> None:
    """Names decide about links and FIFOs as about files; sizes and ages leave them out."""
    os.mkfifo("a/pipe")
    Path("a/link.txt").symlink_to("one.txt")
    assert set(entries("a", options=ScanOptions(globs=("*.txt",)))) == {"a/link.txt"}
    assert entries("a", options=ScanOptions(sizes="+0")) == {}


def test_a_filtered_path_is_left_to_the_walk_that_meets_it(tree: Path) -> None:
    """A file PATH that its own filters drop is not lost to a tree where they take it."""
    options = ScanOptions(globs=("b/*.txt",))
    assert files("a/b/two.txt", "a", options=options) == ["a/b/two.txt"]
    assert files("a/b/two.txt", options=options) == []
    assert files("a/.hidden", options=ScanOptions(skip_hidden=True)) == ["a/.hidden"]


def test_what_the_run_itself_writes_is_skipped(tree: Path) -> None:
    """An output inside the tree would be read while it is written."""
    out = tree / "a" / "out.jsonl"
    out.touch()
    expected = Entry("a/out.jsonl", "skipped", "written by this run")
    for paths in (["a"], ["a", "a/out.jsonl"], ["a/out.jsonl"]):
        found = list(flat(scan(paths, own=[out, "a/journal.db"])))
        assert [each for each in found if isinstance(each, Entry)] == [expected]


def test_paths_are_checked_before_a_run(tree: Path) -> None:
    """What does not exist is refused by name; what exists passes unseen."""
    check_paths(["a", b"a/one.txt", Path("a/b/")])
    for missing in ("nope", "", "a/one.txt/x", "a/one.txt/", "x\0y", "n" * 256):
        with pytest.raises(PathNotFound) as caught:
            check_paths(["a", missing])
        assert caught.value.path == missing


def test_a_path_that_vanished_after_the_check_fails(here: Path) -> None:
    """The scan itself never raises for a PATH."""
    assert entries("gone")["gone"][0] == "failed"
    status, reason = entries("a\0b")["a\0b"]
    assert status == "failed"
    assert reason.startswith("ValueError:")
    assert "embedded null" in reason


def test_an_empty_tree_is_empty(here: Path) -> None:
    """Nothing found is nothing yielded."""
    assert files(".") == []
