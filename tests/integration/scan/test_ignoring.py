"""What git ignores is left out: compared with git and fd over real trees."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fsworkers.scan.errors import IgnoreFileUnreadable
from fsworkers.scan.file_list import scan_list
from fsworkers.scan.options import ScanOptions
from fsworkers.scan.tree import scan
from tests.integration.scan.conftest import flat

if TYPE_CHECKING:
    from collections.abc import Mapping

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
FD = shutil.which("fd") or shutil.which("fdfind")
needs_fd = pytest.mark.skipif(FD is None, reason="fd is not installed")

ODD_NAMES = [
    b"a", b"b", b"ab", b"abc", b"d/a", b"d/b", b"d/ab/c", b"c/a/b", b"c/b/a/c", b"abb/c/b", b"[a",
    b"a]", b"a\\", b"!a", b"#a", b"a ", b" a", b"-", b"\xff", b"\xffa", "é".encode(), b"a\t",
    b"x\ny", b"*", b"d/-/b",
]  # fmt: skip


@pytest.fixture(autouse=True)
def nobody(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be a user of git who has set nothing up; where that would be."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("XDG_CONFIG_HOME", "GIT_DIR", "GIT_CONFIG_GLOBAL"):
        monkeypatch.delenv(name, raising=False)
    return home


def build(top: Path, paths: list[bytes], contents: Mapping[str, bytes]) -> None:
    """Make a tree of empty files, and some that hold something."""
    for path in paths:
        place = os.path.join(os.fsencode(top), path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        Path(os.fsdecode(place)).touch()
    for name, content in contents.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(content)


def init(top: Path) -> None:
    """Make a repository."""
    subprocess.run(["git", "init", "-q", os.fspath(top)], check=True)


def ours(*paths: str, **options: object) -> list[bytes]:
    """What we find, below a ``./`` that is cut off."""
    found = flat(scan(paths, ScanOptions(**{"gitignore": True} | options)))  # type: ignore[arg-type]
    return sorted(os.fsencode(path).removeprefix(b"./") for path in found if isinstance(path, str))


def by_git() -> list[bytes]:
    """What git counts as tracked, or to be."""
    command = ["git", "ls-files", "-z", "--others", "--cached", "--exclude-standard"]
    return printed(command)


def by_fd(*arguments: str) -> list[bytes]:
    """What fd finds, hidden files too."""
    command = [str(FD), "-H", "-tf", "-0", "--strip-cwd-prefix", "-E", ".git", *arguments]
    return printed(command)


def printed(command: list[str]) -> list[bytes]:
    """The paths that a command prints, NUL-terminated, in order."""
    output = subprocess.run(command, capture_output=True, check=True).stdout
    return sorted(filter(None, output.split(b"\0")))


@needs_git
def test_a_tree_of_random_patterns_is_git_s(here: Path) -> None:
    """Pieces of the notation in any order, over names that are made to match them."""
    chance = random.Random(20)
    pieces = [
        *"aabbc*?[]-!#\\", "**", "[!", "[a-c]", "[[:alpha:]]", "/", "/", "/**", "**/", " ", "\t",
        "\r", "\xff", "é",
    ]  # fmt: skip
    init(here)
    for number in range(120):
        rules = {
            f"{number}/{place}.gitignore": b"\n".join(
                "".join(chance.choices(pieces, k=chance.randint(1, 6))).encode(encoding)
                for encoding in chance.choices(["latin-1", "utf-8"], k=chance.randint(1, 3))
            )
            for place in ("", "d/", "c/a/")
        }
        build(here / str(number), ODD_NAMES, {})
        build(here, [], rules)
    found = ours(".")
    assert found == by_git()
    assert 120 < len(found) < 120 * len(ODD_NAMES)


@needs_git
@needs_fd
def test_nested_files_override_those_above(here: Path, nobody: Path) -> None:
    """Each level, from the user's own to the deepest, and a directory that is never entered."""
    build(
        here,
        [
            b"x.log", b"keep.log", b"s/x.log", b"s/build/x", b"s/build/x.log", b"build/y",
            b"build/keep.log", b"foo/bar", b"foo/x", b"a~", b"local", b"s/local", b"w/x.c",
            b"w/x.h", b"w/d/y.c", b"w/d/y.h",
        ],
        {
            ".gitignore": b"*.log\n!keep.log\nbuild/\nfoo/**\n!foo/bar\n",
            "s/.gitignore": b"!build\n",
            "build/.gitignore": b"!*\n",
            "w/.gitignore": b"*\n!*/\n!*.c\n!.gitignore\n",
            ".git/info/exclude": b"/local\n",
        },
    )  # fmt: skip
    init(here)
    build(nobody, [], {".config/git/ignore": b"*~\nfoo/bar\n"})
    assert ours(".") == by_git() == by_fd()
    assert set(ours(".")) == {
        b".gitignore", b"keep.log", b"s/.gitignore", b"s/build/x", b"s/local", b"foo/bar",
        b"w/.gitignore", b"w/x.c", b"w/d/y.c",
    }  # fmt: skip
    build(nobody, [], {"mine": b"*.c\n", ".gitconfig": b"[core]\n excludesFile = ~/mine\n"})
    assert ours(".") == by_git() == by_fd()
    assert b"w/x.c" in ours(".")
    assert b"a~" in ours(".")


@needs_git
@needs_fd
def test_a_path_within_a_repository_is_judged_from_its_root(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above a PATH the patterns of its repository count, above the repository none does."""
    build(
        here,
        [b"r/s/t/a.o", b"r/s/t/b", b"r/s/t/c", b"r/s/t/d"],
        {".gitignore": b"c\n", "r/.gitignore": b"*.o\ns/t/b\n", "r/s/.gitignore": b"/t/d\n"},
    )
    init(here / "r")
    assert ours("r/s/t") == [b"r/s/t/c"]
    (here / "link").symlink_to("r/s/t")
    assert ours("link") == [b"link/c"]
    monkeypatch.chdir("r/s/t")
    assert ours(".") == by_git() == by_fd() == [b"c"]


@needs_git
@needs_fd
def test_a_repository_within_another_is_one_of_its_own(here: Path) -> None:
    """As fd has it; git itself does not look into one. A worktree has its repository's excludes."""
    build(here, [b"in/a.o", b"in/b.c", b"in/d", b"a.o", b"b.c"], {".gitignore": b"*.o\n"})
    build(here, [], {"in/.gitignore": b"*.c\n"})
    init(here)
    init(here / "in")
    (here / "in/.git/info/exclude").write_bytes(b"d\n")
    assert ours(".") == by_fd()
    assert b"in/a.o" in ours(".")
    assert b"in/d" not in ours(".")
    identity = ["-c", "user.name=x", "-c", "user.email=x@x"]
    subprocess.run(
        ["git", *identity, "commit", "-q", "--allow-empty", "-m", "x"], cwd="in", check=True
    )
    subprocess.run(["git", "worktree", "add", "-q", "../w"], cwd="in", check=True)
    build(here, [b"w/d", b"w/e"], {})
    assert ours("w") == [b"w/e"]


@needs_fd
def test_a_file_of_patterns_may_be_given(
    here: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With or without git's own, which are stronger; its patterns are about each PATH."""
    build(here, [b"a.o", b"b.o", b"s/a.o", b"s/b.c", b"t/s/b.c"], {})
    given = tmp_path_factory.mktemp("elsewhere") / "patterns"
    given.write_bytes(b"*.o\n/s/b.c\n")
    options = ("--ignore-file", str(given))
    assert ours(".", gitignore=False, ignore_files=[str(given)]) == [b"t/s/b.c"]
    assert by_fd("--no-ignore-vcs", *options) == [b"t/s/b.c"]
    build(here, [], {".gitignore": b"!b.o\n"})
    assert ours(".", ignore_files=[str(given)]) == [b".gitignore", b"b.o", b"t/s/b.c"]
    second = given.with_name("second")
    second.write_bytes(b"!a.o\n")
    assert b"a.o" in ours(".", gitignore=False, ignore_files=[str(given), str(second)])
    assert b"a.o" in by_fd("--no-ignore-vcs", *options, "--ignore-file", str(second))


def test_a_named_file_that_cannot_be_read_is_refused_at_once(here: Path) -> None:
    """Before anything is looked at, whether PATHs or a list are given."""
    options = ScanOptions(ignore_files=["nope"])
    for ask in (lambda: scan(["."], options), lambda: scan_list(["."], options)):
        with pytest.raises(IgnoreFileUnreadable, match="nope: No such file"):
            ask()


def test_where_no_repository_is_a_path_is_one(here: Path) -> None:
    """An unpacked archive has its files of patterns, and no ``.git``; nothing waits on a FIFO."""
    build(here, [b"up/a", b"up/b", b"up/s/c"], {".gitignore": b"a\n", "up/.gitignore": b"b\n"})
    os.mkfifo("up/s/.gitignore")
    (here / "patterns").write_bytes(b"c\n")
    (here / "up/t").mkdir()
    (here / "up/t/.gitignore").symlink_to("../../patterns")
    build(here, [b"up/t/c"], {})
    assert ours("up") == [b"up/.gitignore", b"up/a", b"up/s/c", b"up/t/c"]


def test_what_is_named_is_taken_though_it_is_ignored(here: Path) -> None:
    """Files and directories that are PATHs, and those of a list."""
    build(here, [b"a", b"d/b", b"d/a"], {".gitignore": b"a\nd\n", ".git/HEAD": b""})
    assert ours("a", "d") == [b"a", b"d/b"]
    assert list(flat(scan_list(["a", "d"], ScanOptions(gitignore=True)))) == ["a", "d/b"]


def test_without_git_its_default_place_is_read(
    here: Path, nobody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's own patterns, where no git can be asked."""
    monkeypatch.setenv("PATH", str(here))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(nobody))
    build(nobody, [], {"git/ignore": b"a\n"})
    build(here, [b"a", b"b"], {})
    assert ours(".") == [b"b"]
