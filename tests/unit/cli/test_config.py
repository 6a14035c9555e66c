"""What files and the environment say of options, and what goes before what."""

from __future__ import annotations

import os
import tomllib
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
        ({"context": 1}, "f: there is no option 'context'"),
        ({"limit": 1.5}, "f: limit is 1.5; give a whole number"),
        ({"limit": True}, "f: limit is true; give a whole number"),
        ({"max-depth": False}, "f: max-depth is false; give a whole number"),
        ({"quiet": 1}, "f: quiet is 1; give true or false"),
        ({"load": True}, "f: load is true; give a number"),
        ({"workers": True}, "f: workers is true; give a text"),
        ({"exclude": ["a", True]}, "f: exclude is true; give a text"),
        ({"glob": {"a": 1}}, "f: glob is {'a': 1}; give a text"),
        ({"call": "os:stat"}, r"f: call stands in a profile, as in \[profile.nightly\]"),
        ({"profile": {"nightly": {"jobs": 1}}}, "f, profile nightly: there is no option 'jobs'"),
        ({"profiles": {"nightly": {}}}, "f: there is no option 'profiles'; did you mean profile?"),
        ({"profil": {"nightly": {}}}, "f: there is no option 'profil'; did you mean profile?"),
        ({"options": {"algorithm": "md5"}}, "no option 'options'; did you mean option?"),
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


def test_what_is_accepted_is_as_typed() -> None:
    """Whole numbers where others go as well, numbers and dates as texts, texts everywhere."""
    table = {"limit": "3", "load": 2, "timeout": 1.5, "quiet": False, "progress": True}
    assert values(Layer("f", table)) == table
    table = tomllib.loads("changed-within = 2026-01-31 12:00:00")
    assert str(values(Layer("f", table))["changed_within"]) == "2026-01-31 12:00:00"


def test_an_empty_variable_is_not_set() -> None:
    """Whatever it would be of."""
    assert values(Layer("f", {"glob": ["a"]}), FSWORKERS_GLOB="", FSWORKERS_LIMIT="") == {
        "glob": ["a"]
    }


def test_words_whose_quotes_do_not_close_are_named() -> None:
    """By the variable, or by file and key."""
    for name in ("FSWORKERS_EXCLUDE", "FSWORKERS_EXEC", "FSWORKERS_PATHS"):
        with pytest.raises(BadOption, match=f'{name}: No closing quotation, in "\'a"'):
            values(**{name: "'a"})
    with pytest.raises(BadOption, match="f: exec: No closing"):
        values(Layer("f", {"exec": "'a"}, True))


def test_of_a_choice_the_strongest_counts() -> None:
    """With what is about it; what is about both stays, and what is not chosen replaces nothing."""
    user = Layer("u", {"exec": "wc", "stdin": True, "tag": True, "journal": "j"}, True)
    assert values(user, FSWORKERS_EXEC_BATCH="ls", FSWORKERS_BISECT="1") == {
        "exec_batch": ["ls"], "bisect": "1", "tag": True, "journal": "j",
    }  # fmt: skip
    project = Layer("p", {"no-journal": False, "profile": {"p": {"task": "count", "to": "x"}}})
    assert values(user, project, profile="p") == {
        "task": "count", "to": "x", "journal": "j", "no_journal": False,
    }  # fmt: skip


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
