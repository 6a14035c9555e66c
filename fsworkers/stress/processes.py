"""The processes of a side from outside: started, looked at, limited, ended."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path
from typing import TYPE_CHECKING

from fsworkers.errors import MissingExtra

try:
    import psutil
except ImportError as error:
    raise MissingExtra("psutil, which looks at the workers from outside,", "stress") from error

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from fsworkers.stress.model import Brief

AGAIN, ENOUGH, TELL = "again", "enough", "tell"
"""What a side is told: one more round, go on to the end, tell the story so far."""

ROOT = str(Path(__file__).parents[2])  # not on the path if it is not installed
START = (
    f"import sys; sys.path[:0] = [{ROOT!r}] * ({ROOT!r} not in sys.path); "
    "from fsworkers.stress.side import main; main(int(sys.argv[1]))"
)


def start_side(brief: Brief) -> tuple[subprocess.Popen[bytes], Connection]:
    """Start the process of a side; the line to it takes answers and brings reports.

    What it and its workers print goes to a file. Temporary files go to the folder of the run: it is
    removed even if the side is ended by force.
    """
    ours, theirs = Pipe()
    with theirs, open(f"{brief.scoreboard}.output", "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", START, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
            env=dict(os.environ) | {"TMPDIR": brief.folder},
        )
    ours.send(brief)
    return process, ours


def open_count_of(pid: int) -> int | None:
    """How many descriptors a process has open; ``None`` if it has ended."""
    try:
        return psutil.Process(pid).num_fds() or None  # a zombie's are none
    except psutil.Error:
        return None


def members_of_session(leader: int | None) -> list[psutil.Process]:
    """The processes of a session that have not ended, beside its leader."""
    found = []
    for process in psutil.process_iter(["status"]):
        with suppress(OSError):  # it has ended meanwhile, or is nobody's business
            is_other = os.getsid(process.pid) == leader != process.pid
            if is_other and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def kill_session(leader: subprocess.Popen[bytes]) -> None:
    """End all processes of a session."""
    leader.kill()
    leader.wait()
    while left := members_of_session(leader.pid):
        for one in left:
            with suppress(psutil.NoSuchProcess):
                one.kill()


def set_soft_limit(pid: int, limit: int) -> bool:
    """Change another process's descriptor limit, as its hard one allows; whether it worked."""
    try:
        process = psutil.Process(pid)
        process.rlimit(psutil.RLIMIT_NOFILE, (limit, process.rlimit(psutil.RLIMIT_NOFILE)[1]))
    except (psutil.Error, OSError, AttributeError):  # or it can't be done here
        return False
    return True
