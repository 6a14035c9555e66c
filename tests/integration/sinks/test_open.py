"""Sinks on real files and pipes, and as the tools of others read them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fsworkers.model import DescriptorUse, Outcome, RunSummary
from fsworkers.sinks.csv_rows import CsvSink
from fsworkers.sinks.errors import (
    AlgorithmMismatch,
    DigestsMissing,
    NoDigest,
    OutputFailed,
    OutputUnwritable,
    UnknownFormat,
)
from fsworkers.sinks.jsonl import JsonLinesSink
from fsworkers.sinks.open import Wanted, check_sink, open_sink
from fsworkers.sinks.summary import check_summary_target, write_summary
from fsworkers.sinks.sums import SumsSink

DONE = [Outcome("a", "done", "ab" * 16, None, 1, 5, 0.5, 0)]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("o.jsonl", JsonLinesSink),
        ("o.NDJSON", JsonLinesSink),
        ("o.csv", CsvSink),
        ("o.sha256", SumsSink),
        ("o.b2", SumsSink),
        ("o.blake3", SumsSink),
        ("list.md5sum", SumsSink),
        ("SHA256SUMS", SumsSink),
    ],
)
def test_the_name_says_the_format(tmp_path: Path, name: str, kind: type) -> None:
    """By suffix in any case, and by the customary whole names."""
    sink = open_sink(tmp_path / name)
    assert isinstance(sink, kind)
    sink.finish()


def test_a_named_format_overrules_the_suffix(tmp_path: Path) -> None:
    """Any name will do then."""
    sink = open_sink(tmp_path / "list.txt", format="sums", wanted=Wanted("md5"))
    sink.write(DONE)
    sink.finish()
    assert (tmp_path / "list.txt").read_text() == f"{'ab' * 16}  a\n"


@pytest.mark.parametrize("name", ["o.txt", "o", ".sha256", "o.tsv"])
def test_an_unknown_suffix_names_the_known_ones(tmp_path: Path, name: str) -> None:
    """And creates nothing."""
    with pytest.raises(UnknownFormat, match=r"\.jsonl, .*\.sha256"):
        open_sink(tmp_path / name)
    with pytest.raises(UnknownFormat, match="jsonl, csv, parquet, sqlite, sums, raw"):
        open_sink(tmp_path / name, format="yaml")
    assert list(tmp_path.iterdir()) == []


def test_a_list_named_for_another_algorithm_is_refused(tmp_path: Path) -> None:
    """Nothing is written to what is there already; without an algorithm any name goes."""
    target = tmp_path / "o.md5"
    target.write_text("precious")
    with pytest.raises(AlgorithmMismatch, match="sha256"):
        open_sink(target, wanted=Wanted("sha256"))
    assert target.read_text() == "precious"
    open_sink(target, wanted=Wanted("md5")).finish()
    open_sink(target).finish()


def test_unwritable_targets_are_refused(tmp_path: Path) -> None:
    """A missing directory, a directory, a file as directory."""
    (tmp_path / "d.csv").mkdir()
    (tmp_path / "f").touch()
    for target in ("gone/o.csv", "d.csv", "f/o.csv", "a\0.csv", "n" * 300 + ".csv"):
        for refuse in open_sink, check_sink:
            with pytest.raises(OutputUnwritable, match="cannot write to"):
                refuse(tmp_path / target)


def test_a_check_changes_nothing(tmp_path: Path) -> None:
    """What is there stays as it is, and nothing new is left; a pipe is not opened."""
    (tmp_path / "o.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("new.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "o.csv.partial").write_text("part")
    for target in ("o.csv", "link.csv", "pipe.csv", "other.csv"):
        check_sink(tmp_path / target)
    assert (tmp_path / "o.csv.partial").read_text() == "part"
    (tmp_path / "o.csv.partial").unlink()
    assert {path.name for path in tmp_path.iterdir()} == {"o.csv", "link.csv", "pipe.csv"}
    assert (tmp_path / "o.csv").read_text() == "old"


def test_a_read_only_file_is_refused(tmp_path: Path) -> None:
    """As is a read-only directory."""
    target = tmp_path / "o.csv"
    target.touch(0o400)
    if os.access(target, os.W_OK):
        pytest.skip("this user may write anything")
    with pytest.raises(OutputUnwritable, match="Permission denied"):
        open_sink(target)
    closed = tmp_path / "closed"
    closed.mkdir(0o500)
    with pytest.raises(OutputUnwritable, match="Permission denied"):
        open_sink(closed / "o.csv")
    with pytest.raises(OutputUnwritable, match="Permission denied"):
        check_summary_target(closed / "s.json")
    closed.chmod(0)
    with pytest.raises(OutputUnwritable, match="Permission denied"):
        check_summary_target(closed / "s.json")


@pytest.mark.parametrize(("batches", "expected"), [([], 0), ([DONE], 1), ([DONE, [], DONE], 2)])
def test_a_file_takes_its_name_when_it_is_whole(
    tmp_path: Path, batches: list[list[Outcome]], expected: int
) -> None:
    """Until then the earlier one stands there; it lends its permissions, and a link stays one."""
    (tmp_path / "real.jsonl").write_text("stale" * 1000)
    (tmp_path / "real.jsonl").chmod(0o640)
    target = tmp_path / "o.jsonl"
    target.symlink_to("real.jsonl")
    sink = open_sink(target)
    for batch in batches:
        sink.write(batch)
    assert target.read_text().startswith("stale")
    partial = tmp_path / "real.jsonl.partial"
    assert sink.output.partial == str(partial)
    assert len(partial.read_text().splitlines()) == expected  # before it is finished
    sink.finish()
    sink.close()
    assert len(target.read_text().splitlines()) == expected
    assert {path.name for path in tmp_path.iterdir()} == {"o.jsonl", "real.jsonl"}
    assert target.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("is_finished", [True, False])
def test_what_is_not_whole_stays_partial(tmp_path: Path, is_finished: bool) -> None:
    """Whether it was ended as what it is or let go of; with nothing in it, nothing is left."""
    for batch, left in ((DONE, {"o.csv", "o.csv.partial"}), ([], {"o.csv"})):
        (tmp_path / "o.csv").write_text("earlier")
        sink = open_sink(tmp_path / "o.csv")
        sink.write(batch)
        if is_finished and batch:
            sink.finish(is_whole=False)
        sink.close()
        assert (tmp_path / "o.csv").read_text() == "earlier"
        assert {path.name for path in tmp_path.iterdir()} == left
        (tmp_path / "o.csv.partial").unlink(missing_ok=True)


def test_an_output_has_one_writer(tmp_path: Path) -> None:
    """A second one is refused, and takes nothing away; afterwards there may be another."""
    sink = open_sink(tmp_path / "o.jsonl")
    sink.write(DONE)
    for refuse in open_sink, check_sink:
        with pytest.raises(OutputUnwritable, match="another run writes to it"):
            refuse(tmp_path / "o.jsonl")
    sink.finish()
    assert len((tmp_path / "o.jsonl").read_text().splitlines()) == 1
    open_sink(tmp_path / "o.jsonl").finish()


def test_descriptors_by_name_are_written_directly(tmp_path: Path) -> None:
    """What a shell has opened for us would not see a file that takes its name."""
    with (tmp_path / "o").open("wb") as file:
        sink = open_sink(Path(f"/dev/fd/{file.fileno()}"), format="jsonl")
        sink.write(DONE)
        sink.finish()
        assert os.fstat(file.fileno()).st_size > 0
    assert [path.name for path in tmp_path.iterdir()] == ["o"]


def test_csv_has_one_header_always(tmp_path: Path) -> None:
    """With many batches as with none."""
    for count in (0, 1, 3):
        sink = open_sink(tmp_path / "o.csv")
        for _ in range(count):
            sink.write(DONE)
        sink.finish()
        lines = (tmp_path / "o.csv").read_text().splitlines()
        assert lines[0] == (
            "path,status,value,error,attempts,size,duration_s,worker,path_b64,traceback"
        )
        assert len(lines) == count + 1


def test_full_device_is_an_error_that_names_it() -> None:
    """The kernel's own full disk."""
    sink = open_sink(Path("/dev/full"), format="jsonl")
    with pytest.raises(OutputFailed, match="'/dev/full' failed: No space left on device"):
        sink.write(DONE)
    sink.finish()


def test_a_pipe_without_reader_is_the_callers_matter(tmp_path: Path) -> None:
    """What | head leaves behind comes up as BrokenPipeError."""
    reader, writer = os.pipe()
    sink = open_sink(Path(f"/dev/fd/{writer}"), format="jsonl")
    os.close(writer)
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        sink.write(DONE)
    sink.finish()


def test_stdout_is_json_lines_and_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where stdout has been replaced, after what was printed before."""
    beneath = io.BytesIO()
    replaced = io.TextIOWrapper(beneath)
    monkeypatch.setattr(sys, "stdout", replaced)
    print("before")
    sink = open_sink(None)
    sink.write(DONE)
    sink.finish()
    print("after")
    replaced.flush()
    before, line, after = beneath.getvalue().splitlines()
    assert (before, json.loads(line)["path"], after) == (b"before", "a", b"after")


def test_closed_stdout_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process started with >&- has none."""
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputUnwritable, match="stdout"):
        open_sink(None)


ODD_NAMES = [
    b"new\nline",
    b"carriage\rreturn",
    b"end\r",
    b"back\\slash",
    b"\\",
    b"-dash",
    b"-",
    b" lead",
    b"trail ",
    b"\xff\xfe",
    b"\x1b[31m",
    "größe".encode(),
    b"#hash",
    b"*star",
    b"n" * 255,
]


@pytest.mark.parametrize(
    ("tool", "suffix", "algorithm"),
    [
        ("sha256sum", ".sha256", "sha256"),
        ("sha1sum", ".sha1", "sha1"),
        ("md5sum", ".md5", "md5"),
        ("b2sum", ".b2", "blake2b"),
        ("sha512sum", ".sha512", "sha512"),
    ],
)
def test_coreutils_accepts_the_list(tmp_path: Path, tool: str, suffix: str, algorithm: str) -> None:
    """Every odd name is checked, and the list is what the tool itself would print."""
    files = tmp_path / "files"
    files.mkdir()
    outcomes = []
    for number, name in enumerate(ODD_NAMES):
        content = b"%d" % number
        (files / os.fsdecode(name)).write_bytes(content)
        digest = hashlib.new(algorithm, content).hexdigest()
        outcomes.append(Outcome(os.fsdecode(name), "done", digest))
    target = tmp_path / f"list{suffix}"
    sink = open_sink(target, wanted=Wanted(algorithm))
    sink.write([Outcome("gone", "failed", error="x"), *outcomes])
    sink.finish()
    subprocess.run([tool, "-c", "--strict", "--quiet", target], cwd=files, check=True, timeout=20)
    names = [name if name != b"-" else b"./-" for name in ODD_NAMES]
    printed = subprocess.run([tool, "--", *names], cwd=files, check=True, capture_output=True)
    assert target.read_bytes() == printed.stdout


def test_mappings_give_their_digest_and_other_values_are_told_at_the_end(tmp_path: Path) -> None:
    """What has no digest has no line, and does not end the run."""
    sink = open_sink(tmp_path / "o.md5")
    digest = "ab" * 16
    sink.write(
        [
            Outcome("a", "done", {"md5": digest}),
            Outcome(b"b", "done", {"digest": digest}),
            Outcome("c", "done", None),
            Outcome(Path("d"), "done", digest),
            Outcome(5, "done", digest),
            Outcome("e", "done", {"size": 1}),
        ]
    )
    with pytest.raises(DigestsMissing, match=r"lacks 3 files.*'c' the first"):
        sink.finish()
    sink.finish()
    sink = open_sink(tmp_path / "one.md5")
    sink.write([Outcome("c", "done", None)])
    with pytest.raises(DigestsMissing, match=r"lacks 1 file whose value is no hex digest, 'c'\."):
        sink.finish()
    assert (tmp_path / "o.md5").read_text() == "".join(f"{digest}  {each}\n" for each in "abd")


def test_a_list_of_nothing_takes_no_list_s_place(tmp_path: Path) -> None:
    """Where no value is a digest, what was there stays."""
    (tmp_path / "o.md5").write_text("good\n")
    sink = open_sink(tmp_path / "o.md5")
    sink.write([Outcome("a", "done", 5)])
    with pytest.raises(DigestsMissing):
        sink.finish()
    assert (tmp_path / "o.md5").read_text() == "good\n"
    assert [*tmp_path.iterdir()] == [tmp_path / "o.md5"]


def test_tasks_without_a_digest_have_no_list(tmp_path: Path) -> None:
    """It is refused before anything runs; one of several digests is enough."""
    with pytest.raises(NoDigest, match="lines, words"):
        check_sink(tmp_path / "o.md5", wanted=Wanted(None, [("lines", "integer"), ("words", "")]))
    with pytest.raises(NoDigest, match=r"md5, sha1\."):
        check_sink(None, format="sums", wanted=Wanted("md5,sha1", [("md5",), ("sha1",)]))
    two = Wanted("md5,sha1", [("md5", "text"), ("sha1", "text")])
    check_sink(tmp_path / "o.sha1", wanted=two)
    sink = open_sink(tmp_path / "o.sha1", wanted=two)
    sink.write([Outcome("a", "done", {"md5": "00" * 16, "sha1": "ab" * 20})])
    sink.finish()
    assert (tmp_path / "o.sha1").read_text() == f"{'ab' * 20}  a\n"


def test_csv_has_the_columns_of_the_task(tmp_path: Path) -> None:
    """Behind those of every outcome, encoded in workers and here; nothing stands in for another."""
    wanted = Wanted(None, [("lines", "integer"), ("size", "integer")])
    sink = open_sink(tmp_path / "o.csv", wanted=wanted)
    encoded = sink.encode_done(["a"], [{"lines": 3, "size": [1]}], [5], [0.1], 1, 0, [None])
    assert encoded is not None
    sink.write_encoded(encoded)
    sink.write([Outcome("b", "failed", None, "no"), Outcome("c", "done", {"more": 1})])
    sink.finish()
    with (tmp_path / "o.csv").open(newline="") as file:
        rows = [*csv.DictReader(file, strict=True)]
    assert [*rows[0]][-3:] == ["traceback", "lines", "value_size"]
    assert [(row["path"], row["lines"], row["value_size"]) for row in rows] == [
        ("a", "3", "[1]"), ("b", "", ""), ("c", "", ""),
    ]  # fmt: skip
    assert rows[2]["value"] == '{"more":1}'


SUMMARY = RunSummary("r1", 3, 1, 1, 1, 0, 0, 0, 10, 0.5, 6.0, 2, 0, 0, DescriptorUse(limit=64))


def test_summary_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """The keys come in order, and no temporary file is left."""
    target = tmp_path / "s.json"
    check_summary_target(target)
    assert list(tmp_path.iterdir()) == []
    target.write_text("stale")
    (tmp_path / "link").symlink_to("s.json")
    write_summary(tmp_path / "link", SUMMARY)
    read = json.loads(target.read_text())
    assert list(read)[:3] == ["run", "found", "done"]
    assert read["descriptors"]["limit"] == 64
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link", "s.json"]
    assert target.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_summary_goes_to_a_device_directly() -> None:
    """Replacing /dev/null with a file would be a disaster."""
    check_summary_target(Path("/dev/null"))
    write_summary(Path("/dev/null"), SUMMARY)
    assert Path("/dev/null").is_char_device()


def test_unwritable_summary_is_refused(tmp_path: Path) -> None:
    """Before the run, and after it too."""
    for target in (tmp_path, tmp_path / "gone" / "s.json"):
        with pytest.raises(OutputUnwritable):
            check_summary_target(target)
    with pytest.raises(OutputFailed, match=r"s\.json"):
        write_summary(tmp_path / "gone" / "s.json", SUMMARY)
