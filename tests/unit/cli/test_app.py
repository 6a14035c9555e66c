"""The boundary at which errors become exit codes."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import NoReturn

import pytest

from fsworkers.cli import Terminated, limits
from fsworkers.cli.app import run
from fsworkers.cli.command_options import cut_command
from fsworkers.cli.exits import INTERNAL


@pytest.mark.parametrize(("kind", "code"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_an_interrupt_keeps_its_code(
    kind: type[KeyboardInterrupt], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second SIGTERM of a run is raised in the command, below typer."""

    def interrupted() -> NoReturn:
        raise kind

    monkeypatch.setattr(limits, "limits", interrupted)
    assert run(["limits"]) == code


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("t -k -x wc -l ; -q", "t -k --exec=wc --exec=-l -q"),
        ("t -kqx wc -l", "t -kq --exec=wc --exec=-l"),
        ("t -Xwc -l", "t --exec-batch=wc --exec-batch=-l"),
        ("t --exec=wc -l", "t --exec=wc --exec=-l"),
        ("t -ex -- -x", "t -ex -- -x"),
    ],
)
def test_words_of_a_command(typed: str, meant: str) -> None:
    """All that follows is the command, however its option is written."""
    assert cut_command(["process", *typed.split()]) == ["process", *meant.split()]


class _Full(io.RawIOBase):
    def writable(self) -> bool:
        return True

    def write(self, _data: object, /) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("arguments", [["runs"], ["process", os.fspath(__file__), "-n"]])
def test_stdout_that_takes_nothing_is_said(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The disk behind it is full, or it is closed: no internal error, whatever the command."""
    monkeypatch.setattr("fsworkers.cli.exits.leave_quietly", lambda: 0)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", io.TextIOWrapper(_Full(), write_through=True))  # type: ignore[type-var]
        assert run(arguments) == INTERNAL
        patched.setattr(sys, "stdout", None)
        assert run(arguments) == INTERNAL
    told = capfd.readouterr().err
    assert "writing to 'stdout' failed: No space left" in told
    assert "writing to 'stdout' failed: it is closed" in told
