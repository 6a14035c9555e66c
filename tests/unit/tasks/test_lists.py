r"""Lists of checksums in all their forms."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

from fsworkers.errors import BadOption, MissingExtra
from fsworkers.tasks.checksum import ALGORITHMS, Checksum
from fsworkers.tasks.lists import DIGITS, read_list

MD5, SHA256 = hashlib.md5(b"a").hexdigest(), hashlib.sha256(b"a").hexdigest()


def read(folder: Path, name: str, content: str, algorithm: str = "") -> tuple[str, list[str]]:
    """What a list is read as: the algorithm, and the names."""
    (folder / name).write_bytes(os.fsencode(content))
    known = read_list(str(folder / name), algorithm)
    names = known.names.split("\0")
    assert all(known.digest(at) for at in range(len(names)))
    return known.algorithm, names


def test_digits_are_those_of_all_algorithms() -> None:
    """One that is added is told how long its digests are."""
    made = {one: len(Checksum(one)("/dev/null")[0]) for one in ALGORITHMS}
    assert made == DIGITS


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.sha256", f"{SHA256}  a b\n{SHA256} *-c\n", ("sha256", ["a b", "-c"])),
        ("a.b3", f"{SHA256}  a\n", ("blake3", ["a"])),
        ("MD5SUMS", f"{MD5}  a\n# words\n\n", ("md5", ["a"])),
        ("xxh128sums", f"{MD5}  a\n", ("xxh3_128", ["a"])),
        ("list", f"{MD5}  a\n", ("md5", ["a"])),
        ("list", f"{MD5.upper()}  a\r\n{MD5}  b\r\n", ("md5", ["a", "b"])),
        ("list", f"{MD5}  a\r\n{MD5}  b\n  \t\n", ("md5", ["a", "b"])),
        ("list", f"  {MD5}  a\n\t{MD5}\t b\n", ("md5", ["a", "b"])),
        ("list", f"{MD5} a\n{MD5}  *b\n", ("md5", ["a", " *b"])),
        ("list", f"{MD5}  ./d//a\n{MD5}  d/a\n{MD5}  ../b\n", ("md5", ["d/a", "../b"])),
        ("a.sha256", f"\\{SHA256}  a\\r\n", ("sha256", ["a\r"])),
        ("a.sha256", f"\\{SHA256}  a\\nb\\\\\\rc\n", ("sha256", ["a\nb\\\rc"])),
        ("a.sha256", f"{SHA256}  a\\nb\udcff\n", ("sha256", ["a\\nb\udcff"])),
        ("x", f"SHA256 (a (1)) = {SHA256}\n", ("sha256", ["a (1)"])),
        ("x", f"MD5 (a) = {MD5}\nSHA256 (a) = {SHA256}\n", ("sha256", ["a"])),
        ("x", f"\\MD5 (a\\nb) = {MD5}\n", ("md5", ["a\nb"])),
        ("x", f"MD5(a)= {MD5}\n", ("md5", ["a"])),
        ("x", f"SHA2-256(a)= {SHA256}\n", ("sha256", ["a"])),
        ("x", f"BLAKE2b-256 (a) = {SHA256}\n", ("blake2b-256", ["a"])),
        ("x.b2", f"{MD5}  a\n", ("blake2b-128", ["a"])),
        ("x", f"BLAKE2B-512(a)= {SHA256 * 2}\n", ("blake2b", ["a"])),
        ("x", f"%%%% HASHDEEP-1.0\n%%%% size,md5,tiger,filename\n## x\n1,{MD5},00,/a,b\n",
         ("md5", ["/a,b"])),
        ("manifest-sha256.txt", f"{SHA256}   data/a%0Ab%25%41\n", ("sha256", ["data/a\nb%%41"])),
        ("a.jsonl", (f'{{"path":"a","status":"done","value":"{MD5}"}}\n'
         '{"path":"b","status":"failed","value":null}\n'), ("md5", ["a"])),
        ("a.jsonl", f'{{"path":"?","path_b64":"/w==","status":"done","value":{{"md5":"{MD5}"}}}}\n',
         ("md5", ["\udcff"])),
        ("a.csv", f'path,status,value\r\n"a\nb",done,{MD5}\r\n', ("md5", ["a\nb"])),
        ("a.csv", 'path,status,value\r\na,done,"{""md5"":""' + MD5 + '""}"\r\n', ("md5", ["a"])),
        ("a.csv", f"path,status,md5,sha256\r\na,done,{MD5},{SHA256}\r\n", ("sha256", ["a"])),
    ],
)  # fmt: skip
def test_what_is_read(
    tmp_path: Path, name: str, content: str, expected: tuple[str, list[str]]
) -> None:
    """Names exact to the byte, and the algorithm by the list's own words, its name, or length."""
    assert read(tmp_path, name, content) == expected


def test_the_algorithm_may_be_told(tmp_path: Path) -> None:
    """Where nothing says it, and to choose from several."""
    row = json.dumps({"path": "a", "status": "done", "value": SHA256})
    assert read(tmp_path, "a.jsonl", row, "blake3")[0] == "blake3"
    both = f"MD5 (a) = {MD5}\nSHA256 (a) = {SHA256}\n"
    assert read(tmp_path, "both", both, "md5")[0] == "md5"
    assert read(tmp_path, "short", f"{SHA256}  a\n", "blake2b")[0] == "blake2b-256"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.sha256", "", "there are no checksums in it"),
        ("a.sha256", f"{SHA256}  a\nwords\n", "line 2: neither HASH"),
        ("a.sha256", f"{MD5}  a\n", "line 1: a digest of sha256 has 64 digits, and not 32"),
        ("a.sha256", f"{SHA256}  a\n{SHA256[::-1]}  a\n", "line 2: a is there a second time"),
        ("a.sha256", f"\\{SHA256}  a\\tb\n", "line 1: a name that no file can have"),
        ("a", f"{MD5}  a\n{MD5} b\n", "line 2: neither HASH"),
        ("a", f"BLAKE2b-256 (a) = {MD5}\n", "line 1: a digest of blake2b-256 has 64 digits"),
        ("a", f"BLAKE2b-999 (a) = {MD5}\n", "line 1: the algorithm BLAKE2b-999 is not known"),
        ("a", "0123456789abcdef  a\n", "line 1: a digest of 16 digits may be anything"),
        ("a", f"SHA512/256 (a) = {SHA256}\n", "line 1: the algorithm SHA512/256 is not known"),
        ("a", f"MD5 (a) = {MD5}\nSHA256 (b) = {SHA256}\n", "b has a digest of sha256, and none"),
        ("a", "%%%% HASHDEEP-1.0\n%%%% size,md5,filename\n1,2\n", "line 3: not size,md5,filename"),
        ("a", "%%%% HASHDEEP-1.0\n%%%% size,tiger,whirlpool,filename\n1,00,00,a\n",
         "line 2: digests of tiger, whirlpool; those of sha256, blake2b, sha512"),
        ("manifest-md5.txt", "words\n", "line 1: not HASH"),
        ("a.jsonl", "{}\n", "line 1: no output of fsworkers"),
        ("a.jsonl", '{"path":"a","status":"done","value":3}\n', "line 1: the value is no checksum"),
        ("a.jsonl", '{"path":"a","status":"done","value":{"x":"1"}}\n', "line 1: no checksum"),
        ("a.jsonl", "{\n", "line 1: no JSON"),
        ("a.csv", "path,status,value\r\na,done,words\r\n", "line 2: no checksum"),
        ("a.db", "", "no output of fsworkers: no such table"),
        ("a.sqlite", "words " * 200, "no output of fsworkers: file is not a"),
        ("a.parquet", "words", "no output of fsworkers: Parquet"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_line(tmp_path: Path, name: str, content: str, words: str) -> None:
    """With the list's name, before anything is run."""
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    with pytest.raises(BadOption) as raised:
        read(tmp_path, name, content)
    assert f"{name}: {words}" in str(raised.value)


def test_what_reads_parquet_may_not_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What to install is said."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"pip install 'fsworkers\[parquet\]'"):
        read(tmp_path, "a.parquet", "x")


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    """The system's reason."""
    with pytest.raises(BadOption, match="gone: No such file or directory"):
        read_list(str(tmp_path / "gone"))
