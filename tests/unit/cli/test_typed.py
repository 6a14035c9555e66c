"""What is typed against what a file says."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from fsworkers.cli.app import run

if TYPE_CHECKING:
    from pathlib import Path

PROFILE = """
follow = true
no-install = true
urls = true
[profile.p]
exec = ["wc"]
stdin = true
retry-on = "75"
to = "{rel}"
journal = "x.db"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a configuration, entered."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    (tmp_path / "fsworkers.toml").write_text(PROFILE)
    return tmp_path


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("", {"exec": ["wc"], "stdin": True, "retry-on": "75", "to": "{rel}", "journal": "x.db"}),
        ("-qt count", {"task": "count", "to": "{rel}", "journal": "x.db"}),
        ("--call m:f", {"call": "m:f", "to": "{rel}", "journal": "x.db"}),
        ("-X wc", {"exec-batch": ["wc"], "retry-on": "75", "journal": "x.db"}),
        ("-x w", {"exec": ["w"], "stdin": True, "retry-on": "75",
                  "to": "{rel}", "journal": "x.db"}),
        ("--no-journal --no-stdin --to x",
         {"exec": ["wc"], "retry-on": "75", "to": "x", "no-journal": True}),
    ],
)  # fmt: skip
def test_a_choice_that_is_typed_replaces_another(
    typed: str, meant: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    """With what is about that alone; two that are typed are refused, as ever."""
    assert run(["process", "--profile", "p", "--show-config", *typed.split()]) == 0
    shown = tomllib.loads(capfd.readouterr().out)
    of_choices = (
        "task", "call", "exec", "exec-batch", "stdin", "retry-on", "to", "journal", "no-journal",
    )  # fmt: skip
    assert {name: shown[name] for name in of_choices if shown.get(name)} == meant
    assert run(["process", ".", "-t", "count", "-x", "wc"]) == 2
    assert "there is one task a run" in capfd.readouterr().err


@pytest.mark.usefixtures("place")
def test_each_flag_has_an_opposite(capfd: pytest.CaptureFixture[str]) -> None:
    """Which help leaves out; where it has one of its own, that."""
    opposites = [
        "--no-follow",
        "--install",
        "--localize",
        "--no-changed",
        "--no-null",
        "--no-quiet",
    ]
    assert run(["process", "--show-config", *opposites]) == 0
    shown = capfd.readouterr().out
    for name in ("follow", "no-install", "urls", "changed", "null", "quiet"):
        assert f"{name} = false  # command line" in shown
    assert run(["runs", "--no-json"]) == 0
    assert run(["process", "--help"]) == 0
    assert "--no-follow" not in capfd.readouterr().out
    assert run(["process", "--no-limit"]) == 2
