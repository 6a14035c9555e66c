"""Other processes from outside: what they have open, whose they are. ``None`` where none can tell.

Linux has ``/proc``. Elsewhere psutil answers, where it is installed.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any

IS_LINUX = sys.platform == "linux"


def count_descriptors(pid: int) -> int | None:
    """How many descriptors a process has open; ``None`` if it has ended or can't be looked at."""
    if not IS_LINUX:
        count: int | None = _ask_psutil(pid, "num_fds")
        return count
    try:
        return len(os.listdir(f"/proc/{pid}/fd")) or None  # a zombie's are none
    except OSError:
        return None


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    if not IS_LINUX:
        return bool(_ask_psutil(pid, "status") != "zombie")
    stat = _stat(pid)
    return stat is not None and stat[0] != "Z"


def children_of(pid: int) -> list[int]:
    """The child processes of a process that have not ended."""
    return [one for one, (state, parent, _) in _all_stats() if parent == pid and state != "Z"]


def members_of_session(session: int) -> list[int]:
    """The processes of a session that have not ended."""
    return [one for one, (state, _, theirs) in _all_stats() if theirs == session and state != "Z"]


def kill_all(pids: list[int]) -> None:
    """Send SIGKILL to each."""
    for pid in pids:
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.kill(pid, signal.SIGKILL)


def can_squeeze() -> bool:
    """Whether another process's limit can be changed here (prlimit(2))."""
    return hasattr(resource, "prlimit")


def set_soft_limit(pid: int, limit: int) -> bool:
    """Change another process's soft limit, as far as its hard one allows; whether it worked."""
    try:
        hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, hard))
    except OSError:
        return False
    return True


def _all_stats() -> list[tuple[int, tuple[str, int, int]]]:
    if IS_LINUX:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        return [(pid, stat) for pid in pids if (stat := _stat(pid)) is not None]
    if find_spec("psutil") is None:
        return []
    found = []
    for process in import_module("psutil").process_iter(["pid", "ppid", "status"]):
        with suppress(OSError):
            state = "Z" if process.info["status"] == "zombie" else "R"
            pid = process.info["pid"]
            found.append((pid, (state, process.info["ppid"], os.getsid(pid))))
    return found


def _stat(pid: int) -> tuple[str, int, int] | None:
    """State, parent and session of a process.

    Source:
        proc_pid_stat(5): the name in parentheses may hold anything, so it is cut off at the last.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    fields = text.rpartition(b")")[2].split()
    return fields[0].decode(), int(fields[1]), int(fields[3])


def _ask_psutil(pid: int, method: str) -> Any:
    if find_spec("psutil") is None:
        return None
    psutil = import_module("psutil")
    try:
        return getattr(psutil.Process(pid), method)()
    except psutil.Error:
        return None
