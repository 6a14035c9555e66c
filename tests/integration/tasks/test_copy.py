"""``copy``: the same tree again, whole files only, whatever is killed on the way."""

from __future__ import annotations

import os
import resource
import signal
import stat
import sys
from pathlib import Path
from subprocess import PIPE, Popen, run
from typing import TYPE_CHECKING, Any

import pytest

from fsworkers import process_tree
from fsworkers.errors import BadSetting
from fsworkers.tasks.copy import Copy, _compare
from fsworkers.tasks.rewriting import Pair, rewriting
from tests.integration.tasks.trees import cli, need, odd_tree

if TYPE_CHECKING:
    from collections.abc import Callable


def differences(one: Path, other: Path) -> str:
    """What ``diff -r`` says."""
    ended = run([need("diff"), "-r", one, other], capture_output=True, check=False, text=True)
    return ended.stdout + ended.stderr


def unfinished(folder: Path) -> list[str]:
    """Temporary files that are left."""
    return [name for _, _, names in os.walk(folder) for name in names if ".fsworkers-" in name]


def test_a_copy_agrees_with_diff(tmp_path: Path) -> None:
    """Odd names too, at a low limit; times, mode and extended attributes are kept."""
    source, mirror = odd_tree(tmp_path / "a"), tmp_path / "new" / "b"
    os.chmod(source / "deep", 0o700)
    os.chmod(source / "plain.txt", 0o640)
    try:
        os.setxattr(source / "plain.txt", "user.colour", b"blue")
        has_attributes = True
    except (AttributeError, OSError):
        has_attributes = False
    limited = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)); "
    limited += "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    command = ["-m", "fsworkers", "process", str(source), "-t", "copy", "--option", f"to={mirror}"]
    run([sys.executable, "-c", limited, *command, "-j", "8", "-q", "--no-journal"], check=True)
    assert differences(source, mirror) == ""
    assert not unfinished(mirror)
    for one in source.rglob("*"):
        there, here = os.stat(mirror / one.relative_to(source)), os.stat(one)
        assert there.st_mode == here.st_mode
        if one.is_file():
            assert there.st_mtime_ns == here.st_mtime_ns
    if has_attributes:
        assert os.getxattr(mirror / "plain.txt", "user.colour") == b"blue"


def statuses(source: Path, mirror: Path, **options: Any) -> dict[str, str]:
    """How each file's copy ended, by name."""
    found: dict[str, str] = {}
    process_tree(
        source, Copy(str(mirror), **options), engine="inline",
        on_outcome=lambda one: found.update({os.path.basename(one.path): one.status}),
    )  # fmt: skip
    return found


def test_only_what_differs_is_copied_again(tmp_path: Path) -> None:
    """By size and time, by content, or everything."""
    source, mirror = tmp_path / "a", tmp_path / "b"
    source.mkdir()
    for name in ("same", "touched", "edited"):
        (source / name).write_text(name)
    assert set(statuses(source, mirror).values()) == {"done"}
    os.utime(source / "touched", (1, 1))
    times = os.stat(source / "edited")
    (source / "edited").write_text("EDITED")
    os.utime(source / "edited", ns=(times.st_atime_ns, times.st_mtime_ns))
    expected = {"same": "skipped", "touched": "done", "edited": "skipped"}
    assert statuses(source, mirror) == expected
    os.utime(source / "touched", (2, 2))
    expected = {"same": "skipped", "touched": "skipped", "edited": "done"}
    assert statuses(source, mirror, update="content", verify=True) == expected
    assert os.stat(mirror / "touched").st_mtime == 2
    assert set(statuses(source, mirror, update="always").values()) == {"done"}
    assert differences(source, mirror) == ""


def test_a_copy_that_differs_is_no_copy(tmp_path: Path) -> None:
    """What is on the disk is compared with what was read."""
    for name, content in (("a", b"x" * 3_000_000), ("b", b"x" * 2_999_999 + b"y")):
        (tmp_path / name).write_bytes(content)
    with (
        open(tmp_path / "a", "rb") as one,
        open(tmp_path / "b", "rb") as other,
        pytest.raises(OSError, match="not what was read"),
    ):
        _compare(Pair(one, other), "a")


def test_what_changes_meanwhile_is_not_there(tmp_path: Path) -> None:
    """Neither half of a file, nor what another run writes under the same name."""
    source, output = tmp_path / "log", tmp_path / "copy"
    source.write_text("begin")

    def copy_meanwhile(change: Callable[[], None]) -> None:
        with rewriting(os.fsencode(output), os.fsencode(source), []) as pair:
            pair.target.write(pair.source.read())
            change()

    def append() -> None:
        with open(source, "a") as log:
            log.write("more")

    def replace() -> None:
        (temporary,) = unfinished(tmp_path)
        (tmp_path / temporary).unlink()
        (tmp_path / temporary).write_text("half")

    with pytest.raises(OSError, match="it was changed"):
        copy_meanwhile(append)
    with pytest.raises(OSError, match="another run"):
        copy_meanwhile(replace)
    assert os.listdir(tmp_path) == ["log"]


def test_holes_stay_holes(tmp_path: Path) -> None:
    """In the middle and at the end; the content is the same."""
    source, mirror = tmp_path / "a", tmp_path / "b"
    source.mkdir()
    with open(source / "sparse", "wb") as file:
        file.write(b"begin")
        file.seek(8 << 20)
        file.write(b"middle")
        file.truncate(32 << 20)
    if os.stat(source / "sparse").st_blocks * 512 >= 32 << 20:
        pytest.skip("no holes in this file system")
    assert statuses(source, mirror, verify=True) == {"sparse": "done"}
    assert (mirror / "sparse").read_bytes() == (source / "sparse").read_bytes()
    assert os.stat(mirror / "sparse").st_blocks * 512 < 1 << 20


def test_what_does_not_fit_leaves_nothing(tmp_path: Path) -> None:
    """A full disk, here a limit on the size of files, is the outcome's reason."""
    source, mirror = tmp_path / "a", tmp_path / "b"
    source.mkdir()
    (source / "large").write_bytes(bytes(range(256)) * 1024)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        outcomes: list[Any] = []
        process_tree(source, Copy(str(mirror)), on_outcome=outcomes.append, engine="inline")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert outcomes[0].status == "failed"
    assert "File too large" in outcomes[0].error
    assert list(mirror.iterdir()) == []


def test_a_copy_is_not_copied(tmp_path: Path) -> None:
    """A directory within PATH is no input; one around it is refused, and so is PATH itself."""
    source = odd_tree(tmp_path / "a")
    for _ in range(2):
        process_tree(source, Copy(str(source / "{mirror}"), update="always"), engine="inline")
    assert not (source / "{mirror}" / "{mirror}").exists()
    for around in (source, tmp_path, Path("/")):
        with pytest.raises(BadSetting, match="is not in"):
            process_tree(source, Copy(str(around)), engine="inline")
    _, told = cli(source, "-t", "copy", "--option", f"to={tmp_path}", code=2)
    assert "give a directory that" in told


def test_two_files_for_one_place_are_refused(tmp_path: Path) -> None:
    """Before anything is copied; where they do not clash, several PATHs make one tree."""
    one, other, mirror = tmp_path / "a", tmp_path / "b", tmp_path / "mirror"
    for folder in (one, other):
        folder.mkdir()
        (folder / f"of {folder.name}").write_text("x")
    cli(one, other / "of b", "-t", "copy", "--option", f"to={mirror}")
    assert sorted(os.listdir(mirror)) == ["of a", "of b"]
    (other / "of a").write_text("y")
    _, told = cli(one, other, "-t", "copy", "--option", f"to={tmp_path / 'c'}", code=2)
    two = f"'{one / 'of a'}' and '{other / 'of a'}' would both become '{tmp_path / 'c' / 'of a'}'"
    assert f"fsworkers: --option to={tmp_path / 'c'}: {two}" in told
    assert not (tmp_path / "c").exists()


def test_a_killed_copy_goes_on(tmp_path: Path) -> None:
    """No half file under a name of its own after ``kill -9``; resumed, it is all there."""
    source, mirror, journal = tmp_path / "a", tmp_path / "b", tmp_path / "runs.db"
    source.mkdir()
    for number in range(400):
        (source / f"{number:03}").write_bytes(b"%d\n" % number * 30_000)
    command = [sys.executable, "-m", "fsworkers"]
    killed = Popen(
        [*command, "process", source, "-t", "copy", "--option", f"to={mirror}", "-o",
         tmp_path / "out.jsonl", "--journal", journal],
        stderr=PIPE,
    )  # fmt: skip
    while killed.poll() is None and not (mirror.is_dir() and len(os.listdir(mirror)) > 20):
        os.sched_yield()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    for one in mirror.iterdir():
        if not one.name.startswith(".fsworkers-"):
            assert one.read_bytes() == (source / one.name).read_bytes()
    run([*command, "resume", "--journal", journal], check=True, capture_output=True)
    assert differences(source, mirror) == ""
    assert not unfinished(mirror)


def test_new_folders_have_the_mode_of_theirs(tmp_path: Path) -> None:
    """Whatever the umask is, as with ``cp -a``; a read-only one can be filled all the same."""
    source, mirror = tmp_path / "a", tmp_path / "b"
    modes = {"group": 0o2775, "own": 0o770, "all": 0o1777, "read only": 0o555}
    for name, mode in modes.items():
        (source / name).mkdir(parents=True)
        (source / name / "file").write_text("x")
        os.chmod(source / name, mode)
    before = os.umask(0o077)
    try:
        assert statuses(source, mirror) == {"file": "done"}
    finally:
        os.umask(before)
    found = {name: stat.S_IMODE(os.stat(mirror / name).st_mode) for name in modes}
    assert found == modes | {"read only": 0o755}
    assert len(list(mirror.rglob("file"))) == len(modes)


@pytest.mark.parametrize("task", ["copy", "compress"])
def test_files_without_a_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    """As PATHs, and from a list: the first one makes the new folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        Path(name).write_text(name)
    Path("list").write_text("a\nb\n")
    for files, to in ((["a", "b"], "new"), (["--files-from", "list"], "new/deep")):
        outcomes, _ = cli(*files, "-t", task, "--option", f"to={to}")
        assert [one["status"] for one in outcomes] == ["done", "done"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_owners_are_kept_by_those_who_may(tmp_path: Path) -> None:
    """A program that runs as its owner keeps both; so does the folder that is made for it."""
    source, mirror = tmp_path / "a", tmp_path / "b"
    source.mkdir()
    os.chown(source, 1234, 4321)
    (source / "tool").write_text("#!/bin/sh")
    os.chown(source / "tool", 1234, 4321)
    os.chmod(source / "tool", 0o4755)
    assert statuses(source, mirror) == {"tool": "done"}
    there = os.stat(mirror / "tool")
    assert (there.st_uid, there.st_gid, stat.S_IMODE(there.st_mode)) == (1234, 4321, 0o4755)
    assert (os.stat(mirror).st_uid, os.stat(mirror).st_gid) == (1234, 4321)
