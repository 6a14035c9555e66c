"""What tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsworkers.cli.app import run
from fsworkers.pool.master.prespawn import discard


class Refusing:
    """Runs the command in this process, for what is refused before anything is begun.

    A process each would take a hundred times as long.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[bytes]
    ) -> None:
        self._monkeypatch = monkeypatch
        self._captured = capfd

    def __call__(self, *arguments: str, cwd: Path) -> tuple[int, bytes, list[str]]:
        """Exit code, stdout, and the lines of stderr."""
        self._monkeypatch.chdir(cwd)
        try:
            code = run(["process", *arguments])
        finally:
            discard()
        said = self._captured.readouterr()
        return code, said.out, said.err.decode().splitlines()


@pytest.fixture
def refusing(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Refusing:
    """See ``Refusing``."""
    return Refusing(monkeypatch, capfdbinary)
