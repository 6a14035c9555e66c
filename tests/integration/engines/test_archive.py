"""The task ``archive``: well and corrupt as the classic programs have it, and no bomb goes off."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path
from subprocess import DEVNULL, run
from typing import Any

import pytest

from fsworkers import Skip, process_tree
from fsworkers.errors import MissingExtra
from fsworkers.tasks import archive
from fsworkers.tasks.archive import Archive, BadArchive

zstd: Any = pytest.importorskip(
    "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
)
CHOICE = random.Random(5)
MEMBERS = {
    "plain": b"text\n" * 500, "new\nline": b"", "-dash": CHOICE.randbytes(3000),
    "not \udcff utf-8": b"x", "long/" + 60 * "name/" + 'q"uote': CHOICE.randbytes(70_000),
}  # fmt: skip
SIZE = sum(map(len, MEMBERS.values()))
PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd.compress}


def tar_of(members: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def zip_of(members: dict[str, bytes]) -> bytes:
    """A zip."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name.encode("utf-8", "surrogateescape").decode("latin-1"), content)
    return file.getvalue()


@pytest.fixture
def tested(tmp_path: Path) -> Any:
    """Tests what is given as bytes."""

    def test(data: bytes, **options: Any) -> dict[str, Any]:
        (tmp_path / "archive").write_bytes(data)
        return Archive(**options)(str(tmp_path / "archive"))

    return test


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("packer", [None, *PACKERS])
def test_a_tar_is_listed(tested: Any, packer: str | None, form: int) -> None:
    """Whatever packs it; names are texts, as exact as those can be, and as many as asked for."""
    members = {name[:99]: content for name, content in MEMBERS.items()}
    data = tar_of(members, form)
    value = tested(data if packer is None else PACKERS[packer](data), names=4)
    assert value == {
        "format": "tar" if packer is None else f"tar.{packer}", "members": 5, "size": SIZE,
        "encrypted": 0, "names": ["plain", "new\nline", "-dash", "not \\xff utf-8"],
    }  # fmt: skip


@pytest.mark.parametrize("packer", PACKERS)
def test_streams_have_one_member_without_a_name(tested: Any, packer: str) -> None:
    """Also several in a row, and none; what is no stream behind them is an error."""
    pack = PACKERS[packer]
    assert tested(pack(b"abc") + pack(b"") + pack(b"de")) == {
        "format": packer, "members": 1, "size": 5, "encrypted": 0, "names": [],
    }  # fmt: skip
    assert tested(pack(b""))["size"] == 0
    with pytest.raises(BadArchive, match=f"^{packer}: "):
        tested(pack(b"abc") + b"garbage behind the end")


def test_a_zip_is_listed_and_what_is_encrypted_is_not_tested(tested: Any) -> None:
    """And its number told."""
    data = bytearray(zip_of(MEMBERS))
    value = tested(bytes(data))
    assert (value["format"], value["members"], value["size"]) == ("zip", 5, SIZE)
    assert value["encrypted"] == 0
    data[6] |= 1  # the first member's flags, and there again in the list at the end
    data[data.index(b"PK\1\2") + 8] |= 1
    data[40] ^= 255
    assert tested(bytes(data))["encrypted"] == 1
    assert tested(zip_of({}))["members"] == 0


@pytest.mark.parametrize("data", [b"", b"text", bytes(10_240), b"PK", b"BZ"])
def test_what_is_no_archive_is_skipped(tested: Any, data: bytes) -> None:
    """With the reason."""
    with pytest.raises(Skip, match="no archive"):
        tested(data)


@pytest.mark.parametrize("name", ["a.zip", "a.TAR", "a.tar.gz", "a.tgz", "a.gz", "a.bz2", "a.zst"])
def test_what_is_no_archive_but_called_one_is_corrupt(tmp_path: Path, name: str) -> None:
    """As with the classics: a text, and a packed text that is no tar."""
    (tmp_path / name).write_bytes(b"text\n" * 1000)
    with pytest.raises(BadArchive, match="like no archive"):
        Archive()(str(tmp_path / name))
    if ".t" in name.lower():
        (tmp_path / name).write_bytes(gzip.compress(b"text\n" * 1000))
        with pytest.raises(BadArchive, match="no tar is in it"):
            Archive()(str(tmp_path / name))


def test_a_zip_may_have_something_before_it_and_must_begin_well(tmp_path: Path) -> None:
    """By its name; the first bytes of the first member belong to it."""
    file = tmp_path / "a.zip"
    file.write_bytes(b"#!/bin/sh\n" + zip_of(MEMBERS))
    assert Archive()(str(file))["members"] == 5
    file.write_bytes(b"XXXX" + zip_of(MEMBERS)[4:])
    with pytest.raises(BadArchive, match="member 'plain': zip: "):
        Archive()(str(file))


def test_a_zst_may_begin_with_what_is_to_be_skipped(tested: Any) -> None:
    """As pzstd and seekable ones do; also where there is nothing else."""
    frame = b"\x5e\x2a\x4d\x18\4\0\0\0abcd"
    for data, size in ((frame + PACKERS["zst"](b"abc") + frame, 3), (frame * 2, 0)):
        value = tested(data)
        assert (value["format"], value["size"]) == ("zst", size)
    with pytest.raises(BadArchive, match="zst: "):
        tested(frame[:-1])


@pytest.mark.parametrize(
    ("suffix", "test"),
    [
        ("gz", "gzip -t"), ("bz2", "bzip2 -t"), ("xz", "xz -t"), ("zst", "zstd -t"),
        ("zip", "unzip -t"), ("tar", "tar -tf"), ("tar.gz", "tar -tf"), ("TGZ", "tar -tzf"),
    ],
)  # fmt: skip
def test_nothing_is_no_archive_and_none_may_be_in_a_tar(
    tmp_path: Path, suffix: str, test: str
) -> None:
    """An empty file fails by its name, as with the classics; a tar without members is well."""
    file = tmp_path / f"archive.{suffix}"
    packer = suffix.lower().removeprefix("tar.").replace("tgz", "gz")
    is_tar = packer != suffix or suffix == "tar"
    kind = f"tar.{packer}" if is_tar and packer != "tar" else packer
    pack: Any = {**PACKERS, "tar": bytes, "zip": lambda _content: zip_of({})}[packer]
    for data in [b"", pack(b""), pack(bytes(10_240)), pack(tar_of({}))]:
        file.write_bytes(data)
        try:
            value = Archive()(str(file))
            assert value["format"] == kind
            assert value["members"] == (0 if is_tar or packer == "zip" else 1)
            is_well = True
        except BadArchive as error:
            assert error.reason == "it is empty, which no archive is"  # noqa: PT017
            is_well = False
        assert is_well == bool(data)
        if shutil.which(test.split(maxsplit=1)[0]) is not None and packer != "zip":
            theirs = run([*test.split(), file], stdout=DEVNULL, stderr=DEVNULL, check=False)
            assert is_well == (theirs.returncode == 0)


def spoilt(data: bytes, start: int, stop: int) -> list[bytes]:
    """Cut off in places, and with one bit wrong in others."""
    choice = random.Random(len(data))
    cut = [data[: choice.randrange(start, len(data) - 1)] for _ in range(6)]
    for _ in range(10):
        wrong = bytearray(data)
        wrong[choice.randrange(start, stop)] ^= 1 << choice.randrange(8)
        cut.append(bytes(wrong))
    return cut


@pytest.mark.parametrize(
    ("packer", "program"), [("gz", "gzip"), ("bz2", "bzip2"), ("xz", "xz"), ("zst", "zstd")]
)
def test_streams_are_corrupt_where_the_classic_says_so(
    tested: Any, packer: str, program: str
) -> None:
    """Good, cut off, and with a bit wrong."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    good = PACKERS[packer](MEMBERS["plain"] + MEMBERS["-dash"])
    # Of the first ten bytes of a gz, gzip wants more than can be wrong with the content.
    for data in [good, *spoilt(good, 10, len(good))]:
        theirs = run([program, "-t"], input=data, stdout=DEVNULL, stderr=DEVNULL, check=False)
        is_well = True
        try:
            tested(data)
        except BadArchive:
            is_well = False
        assert is_well == (theirs.returncode == 0)


@pytest.mark.parametrize("packer", ["", "gz", "xz"])
def test_a_tar_is_corrupt_where_the_classic_says_so(
    tested: Any, tmp_path: Path, packer: str
) -> None:
    """And, of one that is not packed, where it ends within a block: tar does not mind."""
    if shutil.which("tar") is None:
        pytest.skip("tar is not installed")
    tar = tar_of(MEMBERS, tarfile.GNU_FORMAT)
    good = PACKERS[packer](tar) if packer else tar
    for data in [good, *spoilt(good, 512, len(good))]:
        is_well = True
        try:
            tested(data)
        except BadArchive as error:
            is_well = False
            assert error.member is None or error.member in MEMBERS  # noqa: PT017
        command = ["tar", "-tf", str(tmp_path / "archive")]
        theirs = run(command, stdout=DEVNULL, stderr=DEVNULL, check=False).returncode == 0
        assert is_well == theirs or (not is_well and not packer and len(data) % 512)


def test_a_zip_is_corrupt_where_the_classics_say_so(tested: Any, tmp_path: Path) -> None:
    """``zipfile -t`` always; ``unzip -t`` where the content itself is hit. The member is named."""
    good = zip_of(MEMBERS)
    start = good.rindex(b"PK\3\4") + 400
    stop = good.index(b"PK\1\2") - 1
    for data in [good, *spoilt(good, start, stop)]:
        is_well = True
        try:
            tested(data)
        except BadArchive as error:
            is_well = False
            assert len(data) < len(good) or (error.member or "").endswith('q"uote')  # noqa: PT017
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as packed:
                assert is_well == (packed.testzip() is None)
        except zipfile.BadZipFile:
            assert not is_well
        if shutil.which("unzip") is not None:
            theirs = run(
                ["unzip", "-tqq", tmp_path / "archive"], stdout=DEVNULL, stderr=DEVNULL, check=False
            )
            assert is_well == (theirs.returncode == 0)


def test_a_bomb_is_refused(tested: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By how many times its size, or by bytes; what asks for memory as well."""
    monkeypatch.setattr(archive, "HARMLESS_BYTES", 1 << 20)
    zeros = bytes(5_000_000)
    for data in (gzip.compress(zeros), lzma.compress(zeros), gzip.compress(tar_of({"z": zeros}))):
        assert tested(data, max_ratio=100_000)["size"] == len(zeros)
        with pytest.raises(BadArchive, match=r"more than 500 times its size.*max_ratio=…"):
            tested(data, max_ratio=500)
        with pytest.raises(BadArchive, match="more than max_size=1000"):
            tested(data, max_size=1000)
    with pytest.raises(BadArchive, match="more than 500 times its size"):
        tested(zip_of({"z": zeros}), max_ratio=500)
    with pytest.raises(BadArchive, match="1,000 times"):
        tested(lzma.compress(zeros))
    header = tarfile.TarInfo("attributes")
    header.type, header.size = tarfile.XHDTYPE, 1 << 30
    with pytest.raises(BadArchive, match="a header of 1,073,741,824 bytes"):
        tested(gzip.compress(header.tobuf()))


def test_zst_says_what_to_install(tested: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing reads it."""

    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(archive, "import_module", missing)
    with pytest.raises(MissingExtra, match=r"pip install 'fsworkers\[zstd\]'"):
        tested(PACKERS["zst"](b"x"))


def test_a_run_tells_which_member_is_corrupt(tmp_path: Path) -> None:
    """With odd names of archives; others are skipped, and the rest is done."""
    tree = tmp_path / "tree"
    tree.mkdir()
    data = bytearray(zip_of(MEMBERS))
    (tree / "-good\n.zip").write_bytes(data)
    data[data.index(b"-dash") + 100] ^= 1
    Path(os.fsdecode(bytes(tree) + b"/\xff bad")).write_bytes(data)
    (tree / "text").write_text("no zip")
    told: dict[str, Any] = {}

    def take(one: Any) -> None:
        told[one.status] = one

    summary = process_tree(tree, "archive", options={"names": "1"}, on_outcome=take)
    assert (summary.done, summary.failed, summary.skipped) == (1, 1, 1)
    assert told["done"].value["names"] == ["plain"]
    assert told["failed"].error.startswith("BadArchive: member '-dash': zip: Bad CRC-32")
    assert told["skipped"].error.startswith("no archive")
