"""The command in a directory of its own, with a journal directory of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

FSWORKERS = [sys.executable, "-c", "from fsworkers.cli import main; main()"]

LOGGED = '''
import os, pathlib, threading

LOG = os.open("executed.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def logged(path):
    """Say in a side log that it ran: one append is one write, so none is torn."""
    os.write(LOG, path.encode() + b"\\n")
    return path.upper()

def slow(path):
    threading.Event().wait(0.002)
    return logged(path)

def slower(path):
    threading.Event().wait(0.05)
    return logged(path)

def stuck(path):
    logged(path)
    if not os.path.exists("unstuck"):
        threading.Event().wait(60)

def picky(path):
    logged(path)
    if "bad" in path and not os.path.exists("good now"):
        raise ValueError("it is bad")
    return pathlib.Path(path).stat().st_size
'''


class Workplace:
    """A directory in which commands are run as a user would."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / "state"
        self.temporary = Path(tempfile.mkdtemp(prefix="place-"))
        """Where pools put their sockets: an address has no room for pytest's long names."""
        (root / "mine.py").write_text(LOGGED)

    def make_files(self, count: int) -> None:
        """``tree/N/M``, 100 to a folder."""
        for number in range(count):
            folder = self.root / "tree" / str(number // 100)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / str(number)).write_bytes(b"%d" % number)

    @property
    def environment(self) -> dict[str, str]:
        """The state directory is ours, and the package importable from everywhere."""
        return os.environ | {"XDG_STATE_HOME": str(self.state), "TMPDIR": str(self.temporary)}

    def run(
        self, *arguments: str | Path, stdin: bytes | None = None, **how: Any
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end."""
        given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        return subprocess.run(
            [*FSWORKERS, *map(str, arguments)],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            timeout=50,
            check=False,
            **given,
            **how,
        )

    def start(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Begin a command."""
        return subprocess.Popen(
            [*FSWORKERS, *map(str, arguments)],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def executed(self) -> list[str]:
        """The paths that tasks ran on, in order, as often as they did."""
        log = self.root / "executed.log"
        return log.read_text().splitlines() if log.exists() else []

    def wait_for_executed(self, count: int) -> None:
        """Wait until tasks have run so often."""
        deadline = time.monotonic() + 20
        while len(self.executed()) < count:
            assert time.monotonic() < deadline
            os.sched_yield()

    def shown(self, *arguments: str | Path) -> list[dict[str, Any]]:
        """The lines of ``show --json``."""
        return rows(self.run("show", "--json", *arguments).stdout)

    def runs(self, *arguments: str | Path) -> list[dict[str, Any]]:
        """The lines of ``runs --json``."""
        return rows(self.run("runs", "--json", *arguments).stdout)

    @property
    def journals(self) -> list[Path]:
        """All files in the directory of journals."""
        return sorted((self.state / "fsworkers" / "runs").iterdir())


def rows(output: bytes) -> list[dict[str, Any]]:
    """The JSON Lines of an output."""
    return [json.loads(line) for line in output.splitlines()]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    """An empty workplace."""
    place = Workplace(tmp_path)
    yield place
    shutil.rmtree(place.temporary)
