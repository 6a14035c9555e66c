"""``compress`` and ``decompress``: as gzip and zstd do it, and nothing is removed untested."""

from __future__ import annotations

import gzip
import os
import signal
import sys
import zlib
from importlib.util import find_spec
from pathlib import Path
from subprocess import PIPE, Popen, run
from typing import Any

import pytest

from fsworkers import process_tree
from fsworkers.errors import BadSetting
from fsworkers.tasks.compress import Compress, Decompress
from tests.integration.tasks.trees import cli, need, odd_tree

HAS_ZSTD = sys.version_info >= (3, 14) or find_spec("backports.zstd") is not None


def over(tree: Path, task: Any) -> dict[str, Any]:
    """The outcome of each file by its name."""
    found: dict[str, Any] = {}
    process_tree(
        tree, task, engine="inline",
        on_outcome=lambda one: found.update({os.path.basename(one.path): one}),
    )  # fmt: skip
    return found


def contents(tree: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {
        os.path.relpath(one, tree): one.read_bytes() for one in tree.rglob("*") if one.is_file()
    }


def stamps(tree: Path) -> dict[str, tuple[int, int]]:
    """Mode and time of each file, by its name without what stands for compression."""
    return {
        os.path.relpath(one, tree).removesuffix(".gz").removesuffix(".zst"): (
            one.stat().st_mode,
            one.stat().st_mtime_ns,
        )
        for one in tree.rglob("*")
        if one.is_file()
    }


@pytest.mark.parametrize(
    ("program", "options"),
    [
        ("gzip", {}),
        pytest.param(
            "gzip", {"engine": "isal"},
            marks=pytest.mark.skipif(find_spec("isal") is None, reason="isal is not installed"),
        ),
        pytest.param(
            "zstd", {"format": "zst"},
            marks=pytest.mark.skipif(not HAS_ZSTD, reason="zstd is not installed"),
        ),
    ],
)  # fmt: skip
def test_there_and_back_agrees_with_the_classic(
    tmp_path: Path, program: str, options: dict[str, str]
) -> None:
    """The programs read what we write and the other way round; times and modes are kept."""
    tree = odd_tree(tmp_path / "tree")
    os.chmod(tree / "plain.txt", 0o640)
    before, stamped = contents(tree), stamps(tree)
    given = [f"--option={key}={value}" for key, value in options.items()]
    task = ["-t", "compress", *given, "--option", "remove=true"]
    cli(tree, *task)
    suffix = ".gz" if program == "gzip" else ".zst"
    assert contents(tree).keys() == {name + suffix for name in before}
    assert stamps(tree) == stamped
    files = [one for one in tree.rglob("*") if one.is_file()]
    run([need(program), "-t", "-q", *files], check=True)
    run([program, "-d", "-q", *(["--rm"] if program == "zstd" else []), "--", *files], check=True)
    assert contents(tree) == before
    files = [one for one in tree.rglob("*") if one.is_file()]
    run([program, "-q", *(["--rm"] if program == "zstd" else []), "--", *files], check=True)
    given = [one for one in given if "format" not in one]
    cli(tree, "-t", "decompress", *given, "--option", "remove=true", "-j", "2")
    assert contents(tree) == before
    assert stamps(tree).keys() == stamped.keys()


def test_sources_are_kept_and_nothing_is_done_twice(tmp_path: Path) -> None:
    """What is compressed by its name is left alone; what is there is only replaced if asked."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a").write_text("text" * 100)
    (tree / "b.tgz").write_bytes(b"not looked at")
    (tree / "c").write_text("new")
    (tree / "c.gz").write_bytes(b"somebody's")
    found = over(tree, Compress())
    assert found["a"].value == {"bytes": 400, "compressed": os.path.getsize(tree / "a.gz")}
    assert "by its name" in found["b.tgz"].error
    assert "force=true" in found["c"].error
    assert (tree / "c.gz").read_bytes() == b"somebody's"
    assert "done before" in over(tree, Compress())["a"].error
    assert over(tree, Compress(force=True, level=9))["c"].status == "done"
    assert gzip.decompress((tree / "c.gz").read_bytes()) == b"new"
    with pytest.raises(BadSetting, match="1 to 9"):
        Compress(level=10)


def test_what_was_made_before_is_tested_before_anything_is_removed(tmp_path: Path) -> None:
    """A run that was killed between the two goes on; a damaged output keeps its source."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("good", "bad"):
        (tree / name).write_text(name * 1000)
    over(tree, Compress())
    status, data = os.stat(tree / "bad"), bytearray((tree / "bad.gz").read_bytes())
    data[-6] ^= 1
    (tree / "bad.gz").write_bytes(data)
    os.utime(tree / "bad.gz", ns=(status.st_atime_ns, status.st_mtime_ns))
    found = over(tree, Compress(remove=True))
    assert found["good"].status == "done"
    assert "it stays" in found["bad"].error
    assert sorted(os.listdir(tree)) == ["bad", "bad.gz", "good.gz"]


@pytest.mark.parametrize("engine", ["zlib", "isal"])
@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_damage_is_told_and_leaves_nothing(tmp_path: Path, engine: Any, kind: str) -> None:
    """Cut off, changed, followed by something else, or empty."""
    if engine == "isal":
        pytest.importorskip("isal")
    if kind == "zst" and not HAS_ZSTD:
        pytest.skip("zstd is not installed")
    tree, source = tmp_path / "tree", tmp_path / "source"
    tree.mkdir()
    source.mkdir()
    (source / "x").write_bytes(os.urandom(100_000))
    over(source, Compress(format=kind))  # type: ignore[arg-type]
    whole = (source / f"x.{kind}").read_bytes()
    changed = bytearray(whole)
    changed[50_000] ^= 1
    for name, data in {
        "cut": whole[:-3], "half": whole[:50_000], "changed": bytes(changed),
        "followed": whole + b"garbage", "empty": b"", "twice": whole + whole,
        "other": b"this is something else",
    }.items():  # fmt: skip
        (tree / f"{name}.{kind}").write_bytes(data)
    found = over(tree, Decompress(engine=engine, remove=True))
    assert found.pop(f"twice.{kind}").status == "done"
    assert (tree / "twice").read_bytes() == (source / "x").read_bytes() * 2
    for one in found.values():
        assert one.status == "failed"
        assert "damaged" in one.error
    assert {name for name in os.listdir(tree) if not name.endswith(kind)} == {"twice"}


def test_bombs_are_refused(tmp_path: Path) -> None:
    """By ratio above a harmless size, and by size; more is allowed if asked for."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join([packer.compress(bytes(1 << 20)) for _ in range(65)]) + packer.flush()
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "bomb.gz").write_bytes(bomb)
    assert "max_ratio=1000" in over(tree, Decompress())["bomb.gz"].error
    assert "max_size=1000" in over(tree, Decompress(max_size=1000))["bomb.gz"].error
    assert os.listdir(tree) == ["bomb.gz"]
    assert over(tree, Decompress(max_ratio=2000))["bomb.gz"].value["bytes"] == 65 << 20


def test_two_files_with_one_content_are_refused(tmp_path: Path) -> None:
    """Before anything is done; a file that is none to decompress is in nobody's way."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("a", "b.tgz"):
        (tree / name).write_text("x")
    (tree / "a.gz").write_bytes(gzip.compress(b"a"))
    outcomes, _ = cli(tree, "-t", "decompress", "--option", f"to={tmp_path / 'new'}", code=1)
    assert sorted(one["status"] for one in outcomes) == ["done", "failed", "skipped"]
    assert (tmp_path / "new" / "a").read_text() == "a"
    (tree / "a.zst").write_bytes(b"")
    _, told = cli(tree, "-t", "decompress", code=2)
    one, other = sorted(f"'{tree / name}'" for name in ("a.gz", "a.zst"))
    both = (f"{one} and {other}", f"{other} and {one}")
    assert any(f"fsworkers: {two} would both become '{tree / 'a'}'; leave" in told for two in both)


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    """Each file is there compressed or as it was, or both, and in the end compressed alone."""
    tree, journal = tmp_path / "tree", tmp_path / "runs.db"
    tree.mkdir()
    for number in range(300):
        (tree / f"{number:03}").write_bytes(b"%d\n" % number * 20_000)
    before = contents(tree)
    command = [sys.executable, "-m", "fsworkers"]
    killed = Popen(
        [*command, "process", tree, "-t", "compress", "--option", "remove=true", "-j", "2",
         "-o", tmp_path / "out.jsonl", "--journal", journal],
        stderr=PIPE,
    )  # fmt: skip
    while killed.poll() is None and not (tree / "150.gz").exists():
        os.sched_yield()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    for name, data in before.items():
        whole = tree / f"{name}.gz"
        assert (tree / name).exists() or gzip.decompress(whole.read_bytes()) == data
    run([*command, "resume", "--journal", journal], check=False, capture_output=True)
    after = {
        name.removesuffix(".gz"): gzip.decompress(data) for name, data in contents(tree).items()
    }
    assert after == before
