"""What CI makes of a report on known vulnerabilities."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "audit.py"


@pytest.fixture
def audit() -> Any:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SKIPPED = {"name": "a", "skip_reason": "not found"}
SOUND = {"name": "b", "version": "1", "vulns": []}
FAULTY = {"name": "c", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}


def test_only_what_is_known_is_told(audit: Any) -> None:
    """Packages of which nothing is known are not passed off as sound."""
    assert audit.judged({"dependencies": [SKIPPED]}) == (
        "known vulnerabilities: the registry here tells nothing of any package",
        True,
    )
    message, is_fine = audit.judged({"dependencies": [SKIPPED, SOUND]})
    assert (message.partition(": ")[2], is_fine) == (
        "none in 1 packages; of 1 more the registry tells nothing",
        True,
    )


def test_a_vulnerability_is_an_error(audit: Any) -> None:
    """With its name, and the version that mends it."""
    message, is_fine = audit.judged({"dependencies": [SOUND, FAULTY]})
    assert message.splitlines()[1:] == ["c 2: CVE-1, mended in 3"]
    assert not is_fine


def test_a_registry_that_cannot_be_reached_fails_nothing(
    audit: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so."""

    def unreachable(versions: dict[str, str]) -> None:
        raise LookupError("no route to host")

    monkeypatch.setattr(audit, "report_on", unreachable)
    assert audit.main() == 0
    assert "could not be asked for: no route to host" in capsys.readouterr().out


def test_what_is_asked_about_is_what_runs(audit: Any) -> None:
    """Dependencies of dependencies too, tools of development not."""
    versions = audit.needed("fsworkers")
    assert {"msgspec", "pyzmq", "typer", "rich", "markdown-it-py"} <= versions.keys()
    assert not {"pytest", "plotly", "blake3"} & versions.keys()
