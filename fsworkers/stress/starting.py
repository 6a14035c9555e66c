"""The process of a side from the conductor's end: started, spoken to, its end put in words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from typing import IO

    from fsworkers.stress.records import Brief


def how_it_ended(stage: subprocess.Popen[bytes]) -> str:
    """How the process of a side ended, in words."""
    try:
        code = stage.wait(0.5)
    except subprocess.TimeoutExpired:
        return "its process still runs"
    return f"it ended with {code}" if code >= 0 else f"it ended by {signal.Signals(-code).name}"


def answer(stage: subprocess.Popen[bytes], line: bytes) -> None:
    """Tell it something."""
    assert stage.stdin is not None
    with suppress(BrokenPipeError):  # it has died meanwhile: the end of its messages says so
        stage.stdin.write(line)
        stage.stdin.flush()


def start(brief: Brief, output: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the process of a side, and tell it what to do; what it complains of is ``output``."""
    stage = subprocess.Popen(
        [sys.executable, "-P", "-m", "fsworkers.stress.stage"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=output,
        start_new_session=True,
        env=_environment(brief.temporary),
    )
    answer(stage, msgspec.json.encode(brief) + b"\n")
    return stage


def _environment(temporary: str) -> dict[str, str]:
    """The environment; with this package's folder on the path unless it is installed.

    Temporary files go where they are removed with all the rest: a side that is ended by force
    leaves sockets behind.
    """
    environment = dict(os.environ) | {"TMPDIR": temporary}
    root = str(Path(__file__).parents[2])
    if root not in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        inherited = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([root, inherited]) if inherited else root
    return environment
