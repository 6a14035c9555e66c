"""The task ``verify`` beside ``sha256sum -c`` and ``hashdeep -a``."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import sqlite3
import sys
from base64 import b64decode
from contextlib import closing
from pathlib import Path
from shutil import which
from subprocess import run
from typing import Any

import pytest

from fsworkers import process_tree
from fsworkers.errors import FsworkersError

NAMES = [
    "a",
    "-b",
    " c\\",
    "d\ne",
    "'\"",
    os.fsdecode(b"\xff\xfe"),
    "sub/f\rg",
    "sub/100%",
    "e1",
    "sub/e2",
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where we are; below it are files of odd names, two of them empty."""
    for number, name in enumerate(NAMES):
        file = tmp_path / "tree" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"" if name.startswith(("e", "sub/e")) else bytes([number]) * 100)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def change() -> dict[str, int]:
    """Alter the tree in every way, and say what is to be found."""
    os.rename("tree/a", "tree/new name")
    os.rename(b"tree/\xff\xfe", "tree/renamed")
    os.rename("tree/sub/e2", "tree/other")
    Path("tree/-b").write_bytes(b"\1" * 99 + b"\2")
    Path("tree/d\ne").unlink()
    Path("tree/copy").write_bytes(Path("tree/e1").read_bytes() + b"new")
    return {"ok": 5, "modified": 1, "moved": 3, "new": 1, "missing": 1, "unchecked": 0}


def verify(list: str, path: str = "tree", **options: str) -> dict[str, int]:  # noqa: A002
    """The counts."""
    summary = process_tree(path, "verify", options={"list": list, **options}, workers=1)
    reduced = summary.reduced
    assert reduced is not None
    assert summary.missing == reduced["missing"]
    return reduced


def files() -> list[str]:
    """All files of the tree."""
    return [os.path.join(at, name) for at, _, names in os.walk("tree") for name in names]


def as_jsonl(name: str) -> None:
    """An output of ours, of two algorithms."""
    process_tree("tree", options={"algorithm": "md5,sha256"}, output=name, workers=1)


def as_sums(name: str) -> None:
    """A checksum list of ours, or CSV of one algorithm."""
    process_tree("tree", output=name, workers=1)


def as_tagged(name: str) -> None:
    """As BSD has it."""
    if which("sha256sum") is None:
        pytest.skip("sha256sum is not installed")
    Path(name).write_bytes(
        run(["sha256sum", "--tag", "--", *files()], capture_output=True, check=True).stdout
    )


def as_hashdeep(name: str) -> None:
    """A list of hashdeep's."""
    if which("hashdeep") is None:
        pytest.skip("hashdeep is not installed")
    Path(name).write_bytes(
        run(["hashdeep", "-l", "-c", "sha256", *files()], capture_output=True, check=True).stdout
    )


def as_bag(name: str) -> None:
    """A manifest as in a bag."""
    lines = []
    for path in files():
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        escaped = path.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")
        lines.append(os.fsencode(f"{digest} {escaped}\n"))
    Path(name).write_bytes(b"".join(lines))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("list.jsonl", as_jsonl),
        ("list.csv", as_jsonl),
        ("list.csv", as_sums),
        ("list.db", as_jsonl),
        ("list.db", as_sums),
        ("list.parquet", as_jsonl),
        ("list.parquet", as_sums),
        ("list.md5", as_sums),
        ("list.b3", as_sums),
        ("list.xxh128", as_sums),
        ("list.txt", as_tagged),
        ("manifest-sha256.txt", as_bag),
    ],
)
def test_every_verdict_from_every_list(place: Path, name: str, write: Any) -> None:
    """All is well at first; then each change is what it is."""
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    write(name)
    nothing = {"modified": 0, "moved": 0, "new": 0, "missing": 0, "unchecked": 0}
    assert verify(name) == {"ok": len(NAMES), **nothing}
    expected = change()
    assert verify(name) == expected


def test_agrees_with_sha256sum(place: Path) -> None:
    """On what is ok; both fail on the rest, which it tells apart no further."""
    if which("sha256sum") is None:
        pytest.skip("sha256sum is not installed")
    as_sums("list.sha256")
    for expected_code in (0, 1):
        if expected_code:
            change()
        check = run(["sha256sum", "-c", "list.sha256"], capture_output=True, check=False)
        counts = verify("list.sha256")
        assert check.returncode == expected_code
        assert counts["ok"] == check.stdout.count(b": OK\n")
        assert len(NAMES) - counts["ok"] == check.stdout.count(b": FAILED")


def test_agrees_with_hashdeep(place: Path) -> None:
    """Whose ``not found`` and ``new`` a modified file is both of; it can't write some names."""
    for name in (b"d\ne", b"\xff\xfe", b"sub/f\rg"):
        os.unlink(b"tree/" + name)
    as_hashdeep("list")
    for step in range(2):
        if step:
            os.rename("tree/a", "tree/moved")
            Path("tree/-b").write_bytes(b"other")
            Path("tree/ c\\").unlink()
            Path("tree/one more").write_bytes(b"new")
        counts = verify("list")
        told = run(
            ["hashdeep", "-rl", "-a", "-v", "-k", "list", "tree"], capture_output=True, check=False
        )
        said = dict(re.findall(r"([\w ]+): (\d+)", told.stdout.decode()))
        said = {key.strip(): int(value) for key, value in said.items()}
        assert (told.returncode == 0) == (step == 0)
        assert counts["ok"] == said["Files matched"]
        assert counts["moved"] == said["Files moved"]
        assert counts["modified"] + counts["new"] == said["New files found"]
        assert counts["modified"] + counts["missing"] == said["Known files not found"]


def test_a_renamed_folder_has_moved(place: Path) -> None:
    """Each of its files comes from its namesake, those with the same content too."""
    for folder in "abc":
        (place / "tree" / "deep" / folder).mkdir(parents=True)
        (place / "tree" / "deep" / folder / "empty").touch()
    as_jsonl("list.jsonl")
    os.rename("tree/deep", "tree/deeper")
    process_tree("tree", "verify", options={"list": "list.jsonl"}, output="out.jsonl", workers=1)
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    found = {row["path"]: row["value"]["moved_from"] for row in rows if "deeper" in row["path"]}
    assert found == {f"tree/deeper/{one}/empty": f"tree/deep/{one}/empty" for one in "abc"}
    os.rename("tree/deeper", "tree/e")  # all differ in their ends: as many as were found
    for one in "abc":
        os.rename(f"tree/e/{one}/empty", f"tree/e/{one}/{one}")
    assert verify("list.jsonl")["missing"] == 0
    os.unlink("tree/e/a/a")
    assert verify("list.jsonl")["missing"] == 1


@pytest.mark.parametrize("where", [".", "tree", "elsewhere"])
def test_names_are_relative_to_where_they_are_found(
    place: Path, where: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The working directory, the list's folder, or the PATH; or else what was tried is told."""
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "tree")
    process_tree(".", output=place / "list.sha256", workers=1)
    process_tree(".", output="list.sha256", workers=1)
    monkeypatch.chdir(place / where)
    assert verify(f"{place}/list.sha256", f"{place}/tree")["ok"] == len(NAMES)
    counts = verify(f"{place}/tree/list.sha256", f"{place}/tree")
    assert (counts["ok"], counts["new"]) == (len(NAMES), 0)  # the list itself is not new
    monkeypatch.chdir(place)
    assert not caplog.messages
    assert verify("list.sha256", "elsewhere")["missing"] == len(NAMES)
    (told,) = caplog.messages
    assert re.search(r"was looked for in .*elsewhere\. --option base=DIR", told)
    assert verify("list.sha256", "elsewhere", base="tree")["unchecked"] == len(NAMES)


def test_the_command_line_tells(place: Path) -> None:
    """What differs by name, the counts, exit code 1; a resumed run tells the same."""
    as_sums("list.sha256")
    change()
    command = [sys.executable, "-m", "fsworkers"]
    told = run(
        [*command, "process", "tree", "-t", "verify", "--option", "list=list.sha256",
         "--journal", "runs.db", "-o", "out.jsonl", "--summary", "totals.json"],
        capture_output=True, check=False, text=True,
    )  # fmt: skip
    assert told.returncode == 1
    for line in (
        "missing: tree/d\\ne", "modified: tree/-b", "new: tree/copy",
        "moved: tree/renamed (from tree/\\xff\\xfe)",
        "5 ok, 1 modified, 3 moved, 1 new, 1 missing, 0 unchecked",
    ):  # fmt: skip
        assert line in told.stderr
    totals = json.loads(Path("totals.json").read_text())
    os.unlink("totals.json")
    last = Path("out.jsonl").read_text().splitlines()[-1]
    os.unlink("out.jsonl")
    again = run(
        [*command, "resume", "--journal", "runs.db"], capture_output=True, check=False, text=True
    )
    assert again.returncode == 1
    resumed = json.loads(Path("totals.json").read_text())
    assert (resumed["reduced"], resumed["missing"]) == (totals["reduced"], 1)
    assert last == Path("out.jsonl").read_text().splitlines()[-1]
    row = json.loads(last)
    assert (row["path"], row["status"], row["attempts"]) == ("tree/d\ne", "done", 0)
    assert row["value"] == {"verdict": "missing", "moved_from": None}


@pytest.mark.parametrize("output", ["out.db", "out.csv"])
def test_what_is_missing_has_a_row_in_outputs(place: Path, output: str) -> None:
    """Of each kind, however many there are, by its exact name; it is no outcome of the run."""
    count = 2500
    digest = hashlib.sha256(b"gone").hexdigest()
    as_sums("list.sha256")
    with open("list.sha256", "ab") as file:
        file.writelines(b"%s  tree/\xff%d\n" % (digest.encode(), at) for at in range(count))
    summary = process_tree(
        "tree", "verify", options={"list": "list.sha256"}, output=output, workers=1
    )
    assert (summary.found, summary.done, summary.missing) == (len(NAMES), len(NAMES), count)
    if output.endswith(".csv"):
        with open(output, newline="") as text:
            rows = [*csv.DictReader(text)]
        verdicts = [row["verdict"] for row in rows]
        exact = b64decode(rows[-1]["path_b64"])
    else:
        with closing(sqlite3.connect(output)) as base:
            told = base.execute("SELECT verdict, path_bytes FROM files ORDER BY rowid").fetchall()
        verdicts, exact = [row[0] for row in told], told[-1][1]
    assert verdicts == ["ok"] * len(NAMES) + ["missing"] * count
    assert exact == b"tree/\xff%d" % (count - 1)


def test_what_is_gone_since_an_earlier_run_is_missing_once(place: Path) -> None:
    """Though that run and the list both know of it."""
    as_sums("list.sha256")
    for gone, is_changed in ((0, False), (1, True), (1, True)):
        if is_changed:
            (place / "tree" / "a").unlink(missing_ok=True)
        summary = process_tree(
            "tree",
            "verify",
            options={"list": "list.sha256"},
            journal="runs.db",
            changed=is_changed,
            engine="inline",
        )
        assert (summary.missing, summary.found) == (gone, len(NAMES) - gone)


def test_all_may_be_gone(place: Path) -> None:
    """As for ``sha256sum -c`` each is missing, and that is a difference; a hint is told once."""
    as_sums("list.sha256")
    os.rename("tree", "other")
    (place / "tree").mkdir()
    ended = run(
        [sys.executable, "-m", "fsworkers", "process", "tree", "-t", "verify", "--option",
         "list=list.sha256", "--no-journal", "--format", "{value.verdict}"],
        capture_output=True, check=False, text=True,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stdout == "missing\n" * len(NAMES)
    assert ended.stderr.count("base=DIR") == 1
    assert f"{len(NAMES)} missing, 0 unchecked" in ended.stderr
    counts = verify("list.sha256", "other")
    assert (counts["moved"], counts["missing"]) == (len(NAMES), 0)


def test_what_was_left_out_is_told(place: Path) -> None:
    """A list of more than was looked at is not confirmed."""
    as_sums("list.sha256")
    counts = verify("list.sha256", "tree/sub")
    assert (counts["ok"], counts["missing"], counts["unchecked"]) == (3, 0, len(NAMES) - 3)


def test_one_and_several_are_told(place: Path) -> None:
    """In words that fit their number."""
    as_sums("list.sha256")
    for left_out, words in (("-b", "1 file of the list is"), ("*e*", "files of the list are")):
        ended = run(
            [sys.executable, "-m", "fsworkers", "process", "tree", "-t", "verify", "--option",
             "list=list.sha256", "-E", left_out, "--no-journal"],
            capture_output=True, check=False, text=True,
        )  # fmt: skip
        assert ended.returncode == 1
        assert f"{words} there" in ended.stderr


@pytest.mark.parametrize("path", ["tree", "link", "physical", "logical"])
@pytest.mark.parametrize("names", ["tree", "link", "physical", "logical"])
def test_a_symbolic_link_to_a_folder_is_another_way_to_it(
    place: Path, path: str, names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of its names the list has, and whichever is given; what is new is so."""
    os.symlink("tree", "link")
    os.symlink(place, f"{place}.link")
    ways = {
        "tree": "tree", "link": "link", "physical": f"{place}/tree", "logical": f"{place}.link/tree"
    }  # fmt: skip
    process_tree(ways[names], output="tree/list.sha256", engine="inline")
    monkeypatch.chdir(f"{place}.link")
    Path("tree/one more").touch()
    found: dict[str, str] = {}
    process_tree(
        ways[path], "verify", options={"list": f"{place}.link/tree/list.sha256"}, engine="inline",
        on_outcome=lambda one: found.update({os.path.basename(one.path): one.value["verdict"]})
        if one.value else None,
    )  # fmt: skip
    assert found == {os.path.basename(name): "ok" for name in NAMES} | {"one more": "new"}


def test_a_name_that_ends_in_a_carriage_return(place: Path) -> None:
    """It is escaped in lists, so that one at a line's end is none of a name; each file is once."""
    Path("tree/g\r").write_text("g")
    as_sums("list.sha256")
    lines = Path("list.sha256").read_bytes().splitlines(keepends=True)
    again = next(line for line in lines if line.endswith(b"  tree/a\n"))
    plain = b"".join(lines).replace(again, again[:-1] + b"\r\n")
    Path("list.sha256").write_bytes(plain + again.replace(b"tree/", b"./tree//"))
    counts = verify("list.sha256")
    assert counts.pop("ok") == len(NAMES) + 1
    assert not any(counts.values())


@pytest.mark.parametrize(
    "command",
    [
        ["sha256sum"], ["b2sum", "-l", "256"], ["b2sum", "--tag", "-l", "160"],
        ["openssl", "sha256"], ["openssl", "blake2b512"], ["openssl", "sha1", "-r"],
    ],
)  # fmt: skip
def test_lists_of_other_programs(place: Path, command: list[str]) -> None:
    """As they write them."""
    if which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    written = run([*command, "tree/a", "tree/-b"], capture_output=True, check=True).stdout
    suffix = ".b2" if command[0] == "b2sum" else ""
    Path(f"list{suffix}").write_bytes(b"  ".join([b"", *written.splitlines(keepends=True), b"\n"]))
    summary = process_tree(
        ["tree/a", "tree/-b"], "verify", options={"list": f"list{suffix}"}, engine="inline"
    )
    assert summary.reduced is not None
    assert (summary.reduced["ok"], summary.done) == (2, 2)


def test_what_is_refused(place: Path) -> None:
    """Before anything is begun."""
    for options in ({}, {"list": "gone"}, {"list": "tree"}):
        with pytest.raises(FsworkersError, match="list"):
            process_tree("tree", "verify", options=options, output="out.jsonl")
    assert not Path("out.jsonl").exists()
