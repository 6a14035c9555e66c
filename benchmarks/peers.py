"""Who we are measured beside, and which of them are on this machine.

A tool is found on the path, a library by import; ``limit.c`` is compiled where there is a compiler.
What is not there is missing, with what would bring it, and never an error.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

TOOLS = {
    "xargs": ("--version", "findutils"),
    "sha256sum": ("--version", "coreutils"),
    "b3sum": ("--version", "b3sum"),
    "fd": ("--version", "fd or fd-find"),
    "hashdeep": ("-V", "hashdeep"),
    "rclone": ("version", "rclone"),
    "parallel": ("--version", "GNU parallel"),
}
"""Each tool, what makes it tell its version, and what to install."""

LIBRARIES = ("blake3", "joblib", "mpire", "pebble")
"""All of them come with the extra ``bench``."""

OURS = "fsworkers"
"""How the names of all contestants begin that are ours."""

LIMIT = "C, OpenSSL"

_OTHER_NAMES = {"fd": "fdfind", "parallel": "parallel"}
_SOURCE = Path(__file__).with_name("limit.c")


@cache
def tool(name: str) -> str | None:
    """Where a tool is, if it is installed."""
    return shutil.which(name) or shutil.which(_OTHER_NAMES.get(name, name))


def missing_tools(*names: str) -> str | None:
    """What to install so that all of these tools are there; ``None`` when they are."""
    wanted = [TOOLS[name][1] for name in names if tool(name) is None]
    return f"install {' and '.join(wanted)}" if wanted else None


def missing_library(name: str) -> str | None:
    """What to install so that a library can be imported; ``None`` when it can."""
    return None if importlib.util.find_spec(name) else "install the extra bench"


@cache
def compile_limit(folder: Path) -> tuple[Path | None, str | None]:
    """Compile ``limit.c`` into a folder: the program, or why there is none."""
    names = (os.environ.get("CC", "cc"), "gcc", "clang")
    compiler = next(filter(None, map(shutil.which, names)), None)
    if compiler is None:
        return None, "no C compiler"
    program = folder / "limit"
    done = subprocess.run(
        [compiler, "-std=c11", "-O2", "-o", program, _SOURCE, "-lcrypto"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        complaint = re.search(r"error: .*|cannot find .*", done.stderr)
        reason = complaint.group() if complaint else f"{compiler} ended with {done.returncode}"
        return None, f"does not compile, install OpenSSL's headers ({reason})"
    return program, None


def versions() -> dict[str, str | None]:
    """Every peer that has a version, and the one that is here; ``None`` when it is not."""
    found = {name: _tool_version(name) for name in TOOLS}
    for name in LIBRARIES:
        found[name] = None if missing_library(name) else importlib.metadata.version(name)
    return found


def _tool_version(name: str) -> str | None:
    path = tool(name)
    if path is None:
        return None
    done = subprocess.run(
        [path, TOOLS[name][0]],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    number = re.search(r"(?:^|[\s(v])(\d[\w.-]*)", done.stdout + done.stderr)
    return number.group(1) if number else "?"
