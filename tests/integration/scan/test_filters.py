"""Filters by fd's names, compared with fd over a tree of odd names."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fsworkers.model import Entry
from fsworkers.scan import tree
from fsworkers.scan.directory import read_directory
from fsworkers.scan.file_list import scan_list
from fsworkers.scan.options import ScanOptions
from fsworkers.scan.tree import scan
from tests.integration.scan.conftest import flat

if TYPE_CHECKING:
    from collections.abc import Iterator

FD = shutil.which("fd") or shutil.which("fdfind")
needs_fd = pytest.mark.skipif(FD is None, reason="fd is not installed")

NAMES = [
    b"a.jpg", b"b.JPG", b".jpg", b"c.jpg.bak", b"jpg", b"d/e.tar.gz", b"d/tar.gz", b"d/f.gz",
    b"d/new\nline.jpg", b"d/\xff\xfea.jpg", b"d/g/ h.jpg ", b"d/g/i.", b"d/g/J", b"d/g/.k/l.txt",
    "d/É.jpg".encode(), b"d/-n", b"x/d/g.c",
]  # fmt: skip
JANUARY = 1_767_225_600


def ours(options: ScanOptions) -> list[bytes]:
    """What we find, below a ``./`` that is cut off."""
    found = flat(scan(["."], options))
    return sorted(os.fsencode(path).removeprefix(b"./") for path in found if isinstance(path, str))


def by_fd(*arguments: str) -> list[bytes]:
    """What fd finds, hidden and ignored files too."""
    command = [str(FD), "-u", "-tf", "-0", "--strip-cwd-prefix", *arguments]
    output = subprocess.run(command, capture_output=True, check=True, env={"TZ": "UTC"}).stdout
    return sorted(filter(None, output.split(b"\0")))


@pytest.fixture
def odd(here: Path) -> Path:
    """A tree of odd names; every third file is executable, every fourth not empty."""
    for number, name in enumerate(NAMES):
        path = Path(os.fsdecode(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if number % 4 else b"full")
        path.chmod(0o755 if number % 3 == 0 else 0o644)
        os.utime(path, (JANUARY, JANUARY + 86_400 * number))
    return here


@needs_fd
@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["-e", "jpg"], {"extensions": "jpg"}),
        (["-e", ".JPG"], {"extensions": ".JPG"}),
        (["-e", "tar.gz", "-e", "c"], {"extensions": ("tar.gz", "c")}),
        (["jpg"], {"regexes": "jpg"}),
        (["JPG"], {"regexes": "JPG"}),
        ([r"^[^.]+$"], {"regexes": r"^[^.]+$"}),
        ([r"\.(jpg|gz)$"], {"regexes": r"\.(jpg|gz)$"}),
        ([r"^[a-c]\.[A-Z]"], {"regexes": r"^[a-c]\.[A-Z]"}),
        (["e.*e"], {"regexes": "e.*e"}),
        (["^..c$", "-e", "c"], {"regexes": "^..c$", "extensions": "c"}),
        (["--min-depth", "2"], {"min_depth": 2}),
        (["--min-depth", "2", "-d", "2"], {"min_depth": 2, "max_depth": 2}),
        (["--changed-within", "2026-01-05"], {"changed_after": JANUARY + 4 * 86_400}),
        (["--changed-before", "2026-01-05"], {"changed_before": JANUARY + 4 * 86_400}),
        (
            ["--changed-within", "2026-01-03", "--changed-before", "2026-01-09 12:00:00"],
            {"changed_after": JANUARY + 2 * 86_400, "changed_before": JANUARY + 8.5 * 86_400},
        ),
        (["-te"], {"kinds": "empty"}),
        (["-tx"], {"kinds": ("x",)}),
        (["-tx", "-te"], {"kinds": ("empty", "executable")}),
        (["-o", str(os.getuid())], {"owner": str(os.getuid())}),
        (["-o", f"!{os.getuid()}"], {"owner": f"!{os.getuid()}"}),
        (["-o", f":{os.getgid()}"], {"owner": f":{os.getgid()}"}),
        (["-E", "*.jpg", "-E", "G"], {"excludes": ("*.jpg", "G")}),
        (["-E", "*.JPG", "-E", "g"], {"excludes": ("*.JPG", "g")}),
        (["--one-file-system"], {"one_file_system": True}),
    ],
)
def test_filters_take_what_fd_takes(
    odd: Path, arguments: list[str], options: dict[str, object]
) -> None:
    """Each alone, and some together. In fd's expressions a dot is no byte that is not UTF-8."""
    assert ours(ScanOptions(**options)) == by_fd(*arguments)  # type: ignore[arg-type]


def test_a_regex_with_a_slash_is_looked_for_in_the_path(odd: Path) -> None:
    """As a glob's is matched; the PATH itself is no part of it."""
    below = [name for name in NAMES if name.startswith(b"d/g")]
    assert ours(ScanOptions(regexes="^d/g")) == sorted(below)
    assert ours(ScanOptions(regexes="g/[ij]")) == [b"d/g/J", b"d/g/i."]


@needs_fd
def test_other_file_systems_are_not_entered(odd: Path) -> None:
    """Neither by a link that is followed; that costs no entry."""
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == os.stat(".").st_dev:
        pytest.skip("there is no other file system at /dev/shm")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        Path(other, "far").touch()
        Path("link").symlink_to(other)
        options = ScanOptions(follow=True, one_file_system=True)
        assert ours(options) == by_fd("-L", "--one-file-system")
        assert b"link/far" in ours(ScanOptions(follow=True))
        assert not [each for each in scan(["."], options) if isinstance(each, Entry)]


def test_depth_is_not_asked_of_what_a_link_leads_to(odd: Path) -> None:
    """A link that is followed is entered above the depth from which on files are taken."""
    Path("link").symlink_to("x")
    Path("gone").symlink_to("nowhere")
    found = list(flat(scan(["."], ScanOptions(follow=True, min_depth=3, extensions="c"))))
    assert [each for each in found if isinstance(each, str)] in (["./link/d/g.c"], ["./x/d/g.c"])
    assert "./gone" not in [each.path for each in found if isinstance(each, Entry)]


def test_a_limit_ends_the_scan(odd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read beyond it, over all PATHs and listed paths together."""
    everything = list(flat(scan([".", "d"], ScanOptions())))
    read: list[str] = []

    def noted(path: str) -> Iterator[list[os.DirEntry[str]]]:
        read.append(path)
        return read_directory(path)

    monkeypatch.setattr(tree, "read_directory", noted)
    options = ScanOptions(limit=3)
    assert list(flat(scan([".", "d"], options))) == everything[:3]
    assert len(read) == 1
    listed = ["a.jpg", "x", "d", "b.JPG"]
    assert list(flat(scan_list(listed, options))) == list(
        islice(flat(scan_list(listed, ScanOptions())), 3)
    )


def test_a_sample_is_of_all_that_is_found(odd: Path) -> None:
    """Whatever is settled comes all the same, and a list is one set."""
    os.mkfifo("pipe")
    found = list(flat(scan(["."], ScanOptions(sample=4))))
    assert len(found) == 5
    assert sum(isinstance(each, Entry) for each in found) == 1
    assert len(list(flat(scan_list(["d", "x"], ScanOptions(sample=4))))) == 4
