"""Refusals that may pass, and those that need be no failure: renames and owners."""

from __future__ import annotations

import os
from errno import EACCES, EBUSY, ENOENT, EPERM
from typing import TYPE_CHECKING

import pytest

from fsworkers.graceful.opening import rename_retry
from fsworkers.graceful.opening.rename_retry import rename_patiently
from tests.integration.graceful.test_faults import can_trace

if TYPE_CHECKING:
    from pathlib import Path

traced = pytest.mark.skipif(not can_trace(), reason="strace is not here or may not trace")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes root to become someone else")

SOMEONE_ELSE = """
os.chdir("/")
theirs, mine = os.path.join(shared, "theirs"), os.path.join(shared, "mine")
open(theirs, "w").close()
os.setgroups([]); os.setgid(65534); os.setuid(65534)
open(mine, "w").close()
"""


class Held:
    """A rename that is refused a few times, as while a scanner has the file open."""

    def __init__(self, error: int, times: int) -> None:
        self.error = error
        self.left = times
        self.calls = 0

    def __call__(self, source: object, target: object, **folders: object) -> None:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise OSError(self.error, os.strerror(self.error), source, None, target)
        os.rename(source, target)  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [EACCES, EPERM, EBUSY])
def test_a_rename_goes_on_while_another_holds_the_file(tmp_path: Path, error: int) -> None:
    """Each of the three refusals is waited out."""
    (tmp_path / "a").write_text("x")
    held = Held(error, 3)
    rename_patiently(held, tmp_path / "a", tmp_path / "b")
    assert held.calls == 4
    assert (tmp_path / "b").read_text() == "x"


def test_a_rename_that_is_held_for_long_fails_with_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The patience has an end."""
    monkeypatch.setattr(rename_retry, "PATIENCE_S", 0.05)
    (tmp_path / "a").write_text("x")
    with pytest.raises(PermissionError):
        rename_patiently(Held(EACCES, 1000), tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a").exists()


def test_other_errors_pass_at_once(tmp_path: Path) -> None:
    """A missing file, and a folder in the way."""
    held = Held(ENOENT, 1)
    with pytest.raises(FileNotFoundError):
        rename_patiently(held, tmp_path / "a", tmp_path / "b")
    (tmp_path / "a").write_text("x")
    (tmp_path / "folder").mkdir()
    in_the_way = Held(EACCES, 0)
    with pytest.raises(IsADirectoryError):
        rename_patiently(in_the_way, tmp_path / "a", tmp_path / "folder")
    assert held.calls == in_the_way.calls == 1


@traced
@pytest.mark.parametrize("name", ["rename", "replace"])
def test_renames_go_on_with_no_descriptor_to_be_had(limited, tmp_path: Path, name: str) -> None:
    """The waiting itself opens nothing: it works with the table full."""
    limited(
        f"""
        graceful.os.{name}
        hog = []
        with contextlib.suppress(OSError):
            while True: hog.append(os.open(os.devnull, os.O_RDONLY))
        begun_s = time.monotonic()
        graceful.os.{name}(FILE, FILE + "2")
        assert time.monotonic() - begun_s < 1
        for number in hog: os.close(number)
        assert os.path.exists(FILE + "2") and not os.path.exists(FILE)
    """,
        wrapper=(
            *("strace", "-qq", "-f", "-o", "/dev/null", "-P", str(tmp_path / "file")),
            *("-e", "trace=/^rename", "-e", "inject=/^rename:error=EBUSY:when=1..3"),
        ),
    )


@as_root
def test_a_refusal_that_will_not_pass_is_told_when_the_patience_ends(limited, shared: str) -> None:
    """In a sticky folder another's file is not ours to rename or to replace."""
    limited(f"""
        from fsworkers.graceful.opening import rename_retry
        assert rename_retry.PATIENCE_S <= 1
        rename_retry.PATIENCE_S = 0.05
        shared = {shared!r}
        {SOMEONE_ELSE.replace(chr(10), chr(10) + " " * 8)}
        for source, target in ((theirs, theirs + "2"), (mine, theirs)):
            begun_s = time.monotonic()
            try:
                graceful.os.rename(source, target)
            except PermissionError as error:
                assert (error.filename, error.filename2) == (source, target)
            else:
                raise AssertionError("it renamed")
            assert 0.05 <= time.monotonic() - begun_s < 1
        graceful.os.rename(mine, mine + "2")
        os.remove(mine + "2")
    """)


@as_root
def test_owners_may_stay_where_they_may_not_be_changed(limited, shared: str) -> None:
    """For those who are not root it is no failure, and the answer says what happened."""
    limited(f"""
        shared = {shared!r}
        {SOMEONE_ELSE.replace(chr(10), chr(10) + " " * 8)}
        chown = graceful.os.chown_forgivingly
        assert chown(mine, 65534, 65534) is True
        assert chown(mine, 0, 0) is False and os.stat(mine).st_uid == 65534
        try:
            chown(mine + "missing", 0, 0)
        except FileNotFoundError:
            pass
        else:
            raise AssertionError("it changed what is not there")
        os.remove(mine)
    """)


@as_root
def test_root_changes_owners_as_ever(limited) -> None:
    """Of a file, and of a link itself."""
    limited("""
        assert graceful.os.chown_forgivingly(FILE, 12, 34) is True
        assert (os.stat(FILE).st_uid, os.stat(FILE).st_gid) == (12, 34)
        link = os.path.join(FOLDER, "link")
        os.symlink(FILE, link)
        assert graceful.os.chown_forgivingly(link, 56, 78, follow_symlinks=False)
        assert os.lstat(link).st_uid == 56 and os.stat(FILE).st_uid == 12
        os.chown(FILE, 0, 0)
    """)


def test_walks_are_told_to_audit_hooks(limited) -> None:
    """As those of the standard functions are."""
    limited("""
        told = []
        sys.addaudithook(lambda name, given: told.append(given) if name == "os.walk" else None)
        for walk in (os.walk, graceful.os.walk):
            list(walk(FOLDER, followlinks=True))
        assert told == [(FOLDER, True, None, True)] * 2, told
    """)
