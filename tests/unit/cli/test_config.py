"""What files and the environment say of options, and what goes before what."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from fsworkers.cli import commands
from fsworkers.cli.config import Layer, layers_from, options_of, profile_in, settings_for
from fsworkers.errors import BadOption

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = options_of(commands.process)


def values(*layers: Layer, profile: str | None = None, **environment: str) -> dict[str, Any]:
    """What comes of it, by parameter."""
    found = settings_for(KNOWN, layers, environment, profile)
    return {name: one.value for name, one in found.items()}


def test_keys_are_the_long_options() -> None:
    """With dashes or underscores; what is repeatable takes a list, one value, or a table."""
    table = {"keep-order": True, "max_open_files": 30, "exclude": "*.tmp"}
    table |= {"exec": "wc -l", "option": {"a": 1, "remove": True, "algorithm": ["md5", "sha1"]}}
    assert values(Layer("f", table, True)) == {
        "keep_order": True, "max_open_files": 30, "exclude": ["*.tmp"], "exec_": ["wc", "-l"],
        "option": ["a=1", "remove=true", "algorithm=md5,sha1"],
    }  # fmt: skip
    assert {"exec", "exec-batch", "format", "journal", "paths", "timeout"} <= KNOWN.keys()


def test_what_goes_before_what() -> None:
    """The user's file, the project's, profiles in that order, the environment."""
    user = Layer("u", {"workers": 1, "retries": 1, "nice": 1, "profile": {"p": {"slots": 1}}}, True)
    project = Layer("p", {"workers": 2, "retries": 2, "profile": {"p": {"retries": 3}}})
    assert values(user, project) == {"workers": 2, "retries": 2, "nice": 1}
    assert values(user, project, profile="p", FSWORKERS_WORKERS="4", FSWORKERS_GLOB="a 'b c'") == {
        "workers": "4", "retries": 3, "nice": 1, "slots": 1, "glob": ["a", "b c"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"wrokers": 2}, "f: there is no option 'wrokers'; did you mean workers?"),
        ({"workers": [1, 2]}, "f: workers takes one value, not 2"),
        ({"call": "os:stat"}, r"f: call stands in a profile, as in \[profile.nightly\]"),
        ({"profile": {"nightly": {"jobs": 1}}}, "f, profile nightly: there is no option 'jobs'"),
        ({"profile": {"nightly": 1}}, "f: a profile is a table"),
        ({"profile": {"nightly2": {}}}, "no profile 'nightly'; did you mean nightly2?"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(table: dict[str, Any], words: str) -> None:
    """And with what is near it."""
    with pytest.raises(BadOption, match=words):
        values(Layer("f", table), profile="nightly")
    with pytest.raises(BadOption, match="FSWORKERS_RETIRES: there is no option 'retires'"):
        values(FSWORKERS_RETIRES="1")


def test_the_nearest_project_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up the tree; a pyproject.toml that says nothing of us is passed over."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "pyproject.toml").write_text("[tool.other]\n")
    (tmp_path / "a" / "pyproject.toml").write_text("[tool.fsworkers]\nworkers = 3\n")
    (tmp_path / "fsworkers.toml").write_text("workers = 4\n")
    assert [one.table for one in layers_from(str(deep))] == [{"workers": 3}]
    (tmp_path / "a" / "fsworkers.toml").write_text("workers = 5\n")
    (tmp_path / "home" / "fsworkers").mkdir(parents=True)
    (tmp_path / "home" / "fsworkers" / "config.toml").write_text("call = 'm:f'\n")
    mine, theirs = layers_from(str(deep))
    assert (mine.table, mine.is_user_s) == ({"call": "m:f"}, True)
    assert (theirs.table, theirs.is_user_s) == ({"workers": 5}, False)
    (tmp_path / "a" / "fsworkers.toml").write_text("workers =\n")
    with pytest.raises(BadOption, match=r"a/fsworkers\.toml: Invalid value"):
        list(layers_from(str(deep)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.fsworkers]\nexclude = [}\n", "Invalid value .at line 2"),
        ("[tool.fsworkers]\nexclude = ['*.md'\n", "Unclosed array"),
        ("[tool]\nfsworkers = 1\n", "tool.fsworkers is a table"),
    ],
)
def test_a_broken_pyproject_is_as_wrong_as_a_broken_file_of_ours(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's that names us nowhere is theirs to mend."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    (tmp_path / "pyproject.toml").write_text("[tool.other\n")
    assert list(layers_from(str(tmp_path))) == []
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(BadOption, match=rf"pyproject\.toml: {words}"):
        list(layers_from(str(tmp_path)))


def test_only_regular_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A FIFO would have every run wait; the next one up the tree counts."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    deep = tmp_path / "a"
    deep.mkdir()
    os.mkfifo(deep / "fsworkers.toml")
    (deep / "pyproject.toml").mkdir()
    (tmp_path / "fsworkers.toml").write_text("workers = 4\n")
    assert [one.table for one in layers_from(str(deep))] == [{"workers": 4}]


def test_the_profile_is_typed_or_in_the_environment() -> None:
    """What is typed goes before."""
    assert profile_in(["process", "--profile", "a"], {"FSWORKERS_PROFILE": "b"}) == "a"
    assert profile_in(["process", "--profile=a"], {}) == "a"
    assert profile_in(["process"], {"FSWORKERS_PROFILE": "b"}) == "b"
    assert profile_in(["process"], {}) is None
