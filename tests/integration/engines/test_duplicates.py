"""The task ``duplicates``: the groups that a plain comparison finds, and whole ones."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import shutil
import sys
from collections import Counter, defaultdict
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsworkers import process_tree
from fsworkers.tasks import duplicates
from fsworkers.tasks.duplicates import Duplicates, Groups, Repeated

LARGE = 300_000


@pytest.fixture
def tree(tmp_path: Path) -> bytes:
    """Odd names: copies, links to one inode, what is nearly the same, and empty files."""
    root = os.fsencode(tmp_path / "tree")
    os.makedirs(root + b"/sub dir")
    large = os.urandom(LARGE)
    contents = {
        b"a": b"hello", b"b\nnewline": b"hello", b"-c": b"hullo", b"\xff\xfe": b"alone!",
        b"empty": b"", b"sub dir/empty too": b"", b"sub dir/'quoted\"": b"hello",
        b"large": large, b"large copy": large, b"large end": large[:-1] + b"\0",
        b"large other": os.urandom(LARGE), b"larger": large + b"\0",
    }  # fmt: skip
    for name, content in contents.items():
        Path(os.fsdecode(root + b"/" + name)).write_bytes(content)
    os.link(root + b"/a", root + b"/a link")
    os.link(root + b"/\xff\xfe", root + b"/sub dir/only link")
    os.symlink("a", root + b"/symbolic")
    os.mkfifo(root + b"/fifo")
    return root


def reference(root: bytes) -> dict[str, dict[tuple[int, int], set[str]]]:
    """Content to inodes to paths, as one would write it without any cleverness."""
    groups: dict[str, dict[tuple[int, int], set[str]]] = defaultdict(lambda: defaultdict(set))
    for folder, _, names in os.walk(os.fsdecode(root)):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink() and path.stat().st_size:
                status = path.stat()
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                groups[digest][status.st_dev, status.st_ino].add(str(path))
    return {digest: inodes for digest, inodes in groups.items() if len(inodes) > 1}


def figures(root: bytes) -> dict[str, int]:
    """What the reference comes to."""
    groups = reference(root)
    redundant = {digest: len(inodes) - 1 for digest, inodes in groups.items()}
    sizes = {
        digest: os.path.getsize(next(iter(next(iter(inodes.values())))))
        for digest, inodes in groups.items()
    }
    return {
        "groups": len(groups),
        "redundant_files": sum(redundant.values()),
        "redundant_bytes": sum(many * sizes[digest] for digest, many in redundant.items()),
        "empty_files": 2,
    }


def members(values: dict[str, Any]) -> dict[str, set[str]]:
    """Paths by group, of groups with more than one inode."""
    groups: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for path, value in values.items():
        if value["group"] is not None:
            groups[value["group"]][value["inode"]].add(path)
    return {
        group: set().union(*inodes.values()) for group, inodes in groups.items() if len(inodes) > 1
    }


def cli(*arguments: str, cwd: Path, stdin: bytes = b"") -> tuple[int, bytes, str]:
    """Exit code, stdout and stderr of the command."""
    ended = run(
        [sys.executable, "-m", "fsworkers", *arguments],
        cwd=cwd, capture_output=True, check=False, input=stdin, timeout=60,
    )  # fmt: skip
    return ended.returncode, ended.stdout, ended.stderr.decode(errors="replace")


@pytest.mark.parametrize(
    ("engine", "remembered"), [("local", 100_000), ("inline", 100_000), ("inline", 1)]
)
def test_the_groups_are_those_of_a_plain_comparison(
    tree: bytes, engine: Any, remembered: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Members, figures, and what is known to be alone; also where memory holds next to nothing."""
    monkeypatch.setattr(duplicates, "MOST_PREPARED", remembered)
    values: dict[str, Any] = {}

    def take(one: Any) -> None:
        if one.status == "done":
            values[one.path] = one.value
            assert one.size == os.path.getsize(one.path) == one.value["size"]
            assert one.mtime_ns == os.stat(one.path).st_mtime_ns

    summary = process_tree(tree, "duplicates", engine=engine, on_outcome=take)
    assert (summary.done, summary.skipped, summary.failed) == (14, 2, 0)
    assert summary.reduced == figures(tree)
    assert summary.reduced["groups"] == 2
    assert summary.reduced["redundant_bytes"] == 2 * 5 + LARGE
    expected = reference(tree)
    assert members(values) == {one: set().union(*expected[one].values()) for one in expected}
    alone = {b"empty", b"larger", b"large other"} | ({b"\xff\xfe"} if remembered > 1 else set())
    for name in alone:
        assert values[os.fsdecode(tree + b"/" + name)]["group"] is None


def test_hashdeep_has_the_same_contents_twice(tree: bytes) -> None:
    """As many paths of each content that comes more than once."""
    if shutil.which("hashdeep") is None:
        pytest.skip("hashdeep is not installed")
    os.remove(tree + b"/fifo")  # it would wait for it
    os.remove(tree + b"/symbolic")  # and follow this
    told = run(["hashdeep", "-c", "sha256", "-r", tree], capture_output=True, check=True).stdout
    theirs = Counter(re.findall(rb"(?m)^[1-9]\d*,([0-9a-f]{64}),", told))
    values: list[Any] = []
    process_tree(tree, "duplicates", on_outcome=lambda one: values.append(one.value))
    ours = Counter(value["group"].encode() for value in values if value and value["group"])
    assert {one: many for one, many in ours.items() if many > 1} == {
        one: many for one, many in theirs.items() if many > 1 and one in ours
    }
    lonely = [one for one, many in theirs.items() if many > 1 and one not in ours]
    assert lonely == [hashlib.sha256(b"alone!").hexdigest().encode()]  # two names of one inode


def test_jdupes_has_the_same_groups(tree: bytes) -> None:
    """As many, of as many files."""
    if shutil.which("jdupes") is None:
        pytest.skip("jdupes is not installed")
    told = run(["jdupes", "-r", "-q", "-m", tree], capture_output=True, check=True, text=True)
    found = re.match(r"(\d+) duplicate files \(in (\d+) sets\)", told.stdout)
    assert found is not None
    reduced = process_tree(tree, "duplicates").reduced or {}
    assert found.groups() == (str(reduced["redundant_files"]), str(reduced["groups"]))


@pytest.mark.parametrize("algorithm", ["blake2b", "blake3"])
def test_a_group_is_named_by_the_digest_asked_for(tmp_path: Path, algorithm: str) -> None:
    """And without ``prepare`` each file has one."""
    if algorithm == "blake3":
        pytest.importorskip("blake3")
    (tmp_path / "one").write_bytes(b"x")
    value, size, _ = Duplicates(algorithm=algorithm)(str(tmp_path / "one"))  # type: ignore[arg-type]
    plain, _, _ = Duplicates()(str(tmp_path / "one"))
    assert (value["size"], size) == (1, 1)
    assert plain["group"] == hashlib.sha256(b"x").hexdigest() != value["group"]


@pytest.mark.parametrize("way", ["resume", "--changed"])
def test_groups_are_whole_when_a_partner_comes_later(tree: bytes, tmp_path: Path, way: str) -> None:
    """What was alone in the first run, and is unchanged, is in the second's group."""
    base = [
        "process", "tree", "-t", "duplicates", "--journal", "runs.db",
        "-o", "out.jsonl", "--summary", "totals.json",
    ]  # fmt: skip
    code, _, told = cli(*base, cwd=tmp_path)
    assert code == 0, told
    first = json.loads((tmp_path / "totals.json").read_text())
    assert first["reduced"] == figures(tree)
    assert "2 groups of duplicates: 3 redundant files, 300.0 kB could be saved" in told
    assert "; 2 empty files" in told
    for name, new in ((b"large other", b"its copy"), (b"\xff\xfe", b"-copy")):
        shutil.copyfile(tree + b"/" + name, tree + b"/" + new)
    os.link(tree + b"/larger", tree + b"/larger link")
    again = ["resume", "--journal", "runs.db"] if way == "resume" else [*base, "--changed"]
    code, _, told = cli(*again, cwd=tmp_path)
    assert code == 0, told
    second = json.loads((tmp_path / "totals.json").read_text())
    assert second["reduced"] == figures(tree)
    assert second["reduced"]["groups"] == 4
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    sizes = Counter(one["value"]["group"] for one in lines if one["status"] == "done")
    expected = reference(tree)
    assert {one: sizes[one] for one in expected} == {
        one: sum(map(len, inodes.values())) for one, inodes in expected.items()
    }


def test_a_list_is_read_twice_or_refused(tree: bytes, tmp_path: Path) -> None:
    """A file can be; standard input can't, and nothing is begun."""
    listed = b"\0".join([tree + b"/a", tree + b"/b\nnewline", tree + b"/-c"])
    (tmp_path / "list").write_bytes(listed)
    base = ["process", "-0", "-t", "duplicates", "--no-journal"]
    code, _, told = cli(*base, "--files-from", "list", cwd=tmp_path)
    assert code == 0
    assert "1 group of duplicates: 1 redundant file, 5 bytes could be saved" in told
    code, out, told = cli(*base, "--files-from", "-", cwd=tmp_path, stdin=listed)
    assert (code, out) == (2, b"")
    assert "--files-from -: the task reads the list before the run does" in told


def test_many_candidates_go_to_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures are the same, in whatever parts they come; and nothing is left in memory."""
    values = [
        {"group": f"{n % 50:064x}", "size": n % 50 + 1, "inode": f"1:{n // 3}"} for n in range(500)
    ]
    plain, small = Groups(), Groups()
    for value in values:
        plain.add("", value)
    monkeypatch.setattr(duplicates, "MOST_MEMBERS", 10)
    for value in values[:100]:
        small.add("", value)
    for start in range(100, 500, 7):
        monkeypatch.setattr(duplicates, "MOST_MEMBERS", 1000)
        part = Groups()
        for value in values[start : start + 7]:
            part.add("", value)
        monkeypatch.setattr(duplicates, "MOST_MEMBERS", 10)
        small.merge(pickle.loads(pickle.dumps(part)))
        assert len(small._recent) < 10
    assert small.result() == plain.result()
    assert small.result() == small.result()
    assert plain.result()["groups"] == 50


@given(st.lists(st.integers(0, 1 << 40) | st.integers(0, 50)))
def test_what_comes_again_is_known(numbers: list[int]) -> None:
    """In the master and, after the way there, in the workers; few numbers have a bit each."""
    repeated = Repeated()
    for start in range(0, len(numbers), 3):
        repeated.add(numbers[start : start + 3])
    arrived = pickle.loads(pickle.dumps(repeated))
    for number, count in Counter(numbers).items():
        assert number in repeated or count == 1
        assert (number in repeated) == (number in arrived)
    small = [number for number in set(numbers) if number <= 50]
    if len(small) == len(set(numbers)):
        assert {one for one in small if one in arrived} == {
            one for one in small if numbers.count(one) > 1
        }
