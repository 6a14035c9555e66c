"""Outputs that are made once, whole or not at all."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from threading import Event

import pytest

from fsworkers.errors import BadSetting, BadTemplate, CommandFailed, Skip
from fsworkers.tasks.outputs import Claims, Outputs, making


def test_an_output_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """Nothing is left of one that failed; folders are made."""
    output = os.fsencode(tmp_path / "new" / "a.png")
    with pytest.raises(ZeroDivisionError), making(output, b"in"):
        raise ZeroDivisionError
    assert not any((tmp_path / "new").iterdir())
    with making(output, b"in") as temporary:
        assert temporary.endswith(b".png")
        assert os.path.dirname(temporary) == os.path.dirname(output)
        Path(os.fsdecode(temporary)).write_text("whole")
        assert not os.path.exists(output)
    assert [one.name for one in (tmp_path / "new").iterdir()] == ["a.png"]


def test_what_a_killed_run_left_is_replaced(tmp_path: Path) -> None:
    """The temporary name of an output is always the same one."""
    output = os.fsencode(tmp_path / ("n" * 250 + ".png"))
    with pytest.raises(CommandFailed, match="left no output"), making(output, b"in") as temporary:
        assert len(os.path.basename(temporary)) <= 255
    Path(os.fsdecode(temporary)).write_text("half")
    with making(output, b"in") as again:
        assert again == temporary
        assert not os.path.exists(again)
        Path(os.fsdecode(again)).write_text("whole")
    assert os.listdir(tmp_path) == ["n" * 250 + ".png"]


def test_a_file_is_not_its_own_output(tmp_path: Path) -> None:
    """Nor is an unfinished output a file to make one of."""
    path = os.fsencode(tmp_path / "a")
    with pytest.raises(CommandFailed, match="the file itself"), making(path, path):
        pass
    with pytest.raises(Skip), making(b"x", b"d/.fsworkers-00000000-a"):
        pass
    for template in ("{}", "{//}/{/}", "tree/{rel}"):
        with pytest.raises(BadSetting, match="the file itself"):
            Outputs(template, [b"tree"])


def test_an_output_depends_on_its_file_alone() -> None:
    """Otherwise it would be another one at each run."""
    for template in ("{#}", "{%}", "{out}"):
        with pytest.raises(BadTemplate, match="can't depend on"):
            Outputs(template, [])


def test_of_two_files_with_one_output_the_second_is_told(tmp_path: Path) -> None:
    """With the name of the first, however the two are spelled."""
    claims = Claims(Outputs("t/{/}", [b"tree"]))
    assert claims.clash("tree/a/x") is None
    assert claims.clash("tree/b/y") is None
    assert claims.clash("tree/b/x") == "its output 't/x' is that of 'tree/a/x' too"


def test_an_output_is_current_while_it_is_what_was_made_and_no_older(tmp_path: Path) -> None:
    """One that is not there is not, nor one of which it is not known what was made."""
    outputs = pickle.loads(pickle.dumps(Outputs(f"{tmp_path}/{{rel}}", [b"tree"])))
    assert outputs.stamp("tree/a") is None
    assert not outputs.is_current("tree/a", 5, None)
    (tmp_path / "a").touch()
    os.utime(tmp_path / "a", ns=(7, 7))
    made = outputs.stamp("tree/a")
    assert outputs.is_current("tree/a", 7, made)
    assert not outputs.is_current("tree/a", 8, made)
    assert not outputs.is_current("tree/a", 7, None)


def test_an_output_that_was_replaced_is_not_current(tmp_path: Path) -> None:
    """Though it has the same size, and the times that the first one had."""
    outputs = Outputs(f"{tmp_path}/{{rel}}", [b"tree"])
    (tmp_path / "a").write_text("one")
    os.utime(tmp_path / "a", ns=(7, 7))
    made = outputs.stamp("tree/a")
    Event().wait(0.02)  # more than a tick of the kernel's clock
    (tmp_path / "b").write_text("two")
    os.utime(tmp_path / "b", ns=(7, 7))
    (tmp_path / "b").replace(tmp_path / "a")
    assert not outputs.is_current("tree/a", 7, made)


def test_outputs_know_their_folder() -> None:
    """What a template begins with, if that is a folder: nothing in it is input."""
    folders = {
        "thumbs/{rel.}.webp": "thumbs", "{}.gz": None, "a/b-{rel}": "a", "{{x}}/{rel}": "{x}",
        "name": None,
    }  # fmt: skip
    for template, folder in folders.items():
        assert Outputs(template, [b"src"]).folder == folder


def test_files_without_an_output_are_in_nobodys_way() -> None:
    """A task names none for what it will leave out."""

    class Few(Outputs):
        def name_for(self, path: bytes) -> bytes:
            return b"" if path.endswith(b".txt") else b"one"

    claims = Claims(Few("{rel}", [b"src"]))
    assert [claims.clash(path) for path in ("a.txt", "b.txt", "c")] == [None] * 3
    assert "is that of 'c' too" in str(claims.clash("d"))
