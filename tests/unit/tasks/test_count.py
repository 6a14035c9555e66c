"""The task ``count`` beside ``wc``."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from shutil import which
from subprocess import run

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsworkers import process_tree
from fsworkers.tasks.count import FIGURES, Count

ODD = [
    b"", b"\n", b"a", b" a", b"a\0b \x01 c", b"a\x1cb", b"\xc2\xa0a\xe2\x81\xa0b", b"\xc2\x85 a",
    b"a\xe2\x80\xa8b", b"\xcd\xb8 b", b"\xe2\x80\x8b \xee\x80\x80", b"\xff a \xffb\xff",
    b"\xed\xa0\x80 a", b"\xf4\x90\x80\x80a \xf8\x88\x80\x80\x80 \xfd\x84\x80\x80\x80\x80",
    b"\xf9\x80\x80\x80 a", b"\xf4\x8f\xbf\xbf\xbf",
    b"\xe2\x82", "naïve \U0001f600 漢字\u3000かな\v\f\r\tx".encode(),
]  # fmt: skip
"""White space, words and characters at the edges of what they are."""

ByWc = Callable[[list[Path]], list[list[int]]]

texts = st.lists(st.sampled_from([*ODD, b" ", b"\xe2", b"\x82", b"\x90"]) | st.binary()).map(
    b"".join
)


def wc(files: list[Path]) -> list[list[int]]:
    """Lines, words, characters, bytes; also in all, if there are several."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    said = run(["wc", "-lwmc", "--", *files], env=environment, capture_output=True, check=True)
    lines = said.stdout.split(b"\n")[:-1]
    return [list(map(int, line.split()[:4])) for line in lines]


@pytest.fixture(scope="module")
def by_wc(tmp_path_factory: pytest.TempPathFactory) -> ByWc:
    """What ``wc`` says, where it is the one whose rules these are."""
    file = tmp_path_factory.mktemp("rules") / "file"
    file.write_bytes(b"\x01 \xff \xf4\x90\x80\x80")
    if which("wc") is None or wc([file]) != [[0, 0, 4, 8]]:
        pytest.skip("wc is not installed, or has other rules")
    return wc


def counted(task: Count, file: Path) -> list[int]:
    """Likewise."""
    value = task(str(file))[0]
    return [value[figure] for figure in ("lines", "words", "chars", "bytes")]


@settings(max_examples=40, deadline=None)
@given(st.lists(texts, min_size=20, max_size=40), st.sampled_from([3, 64, Count.chunk_bytes]))
def test_count_is_wc_s(
    by_wc: ByWc, tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], chunk_bytes: int
) -> None:
    """Byte for byte, wherever chunks end; of random bytes as well."""
    folder = tmp_path_factory.mktemp("texts")
    files = [folder / str(number) for number in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    task = Count()
    task.chunk_bytes = chunk_bytes
    assert [counted(task, file) for file in files] == by_wc(files)[:-1]


def test_many_different_rare_characters(by_wc: ByWc, tmp_path: Path) -> None:
    """What is looked for one by one otherwise."""
    file = tmp_path / "file"
    every = "".join(map(chr, range(0x2FF0)))  # what is behind is newer in Python than in libc
    file.write_text(every + "a\u0378b\u0085c\u2028 \u00a0".join(every), encoding="utf-8")
    assert [counted(Count(), file)] == by_wc([file])


def test_totals_are_those_of_wc(by_wc: ByWc, tmp_path: Path) -> None:
    """Put together from what each worker has; names do not matter, and what fails is left out."""
    names = ["-n", "a\nb", " ", "'\"", os.fsdecode(b"\xff\xfe")]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(b"".join(ODD[number:]))
    (tmp_path / "unreadable").symlink_to("nowhere")
    summary = process_tree(tmp_path, "count", workers=2)
    lines, words, chars, size = by_wc([tmp_path / name for name in names])[-1]
    assert summary.done == len(names)
    assert summary.bytes == size
    assert summary.reduced == {"lines": lines, "words": words, "bytes": size, "chars": chars}
    assert [one.name for one in pickle.loads(pickle.dumps(Count())).columns] == [*FIGURES]
