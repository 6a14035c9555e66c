"""Real descriptors: each script runs in a process of its own, under a limit of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PREAMBLE = """
import asyncio, contextlib, errno, gc, io, os, resource, sys, threading, time
resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {hard}))
from fsworkers import graceful

def open_count():
    return len(os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd"))

def lent():
    return graceful.statistics().lent

def wait_for(condition, longest_s=5.0):
    until_s = time.monotonic() + longest_s
    while not condition():
        assert time.monotonic() < until_s, "it did not come about"
        threading.Event().wait(0.002)

def in_threads(function, count, longest_s=30):
    problems = []
    def guarded(number):
        try:
            function(number)
        except BaseException as error:
            problems.append(error)
    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(count)]
    for thread in threads: thread.start()
    for thread in threads: thread.join(longest_s)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    if problems: raise problems[0]

def held_elsewhere(count):
    # Files that somebody else holds: a thread that is over.
    files = []
    def open_all(): files.extend(graceful.open(FILE) for _ in range(count))
    opening = threading.Thread(target=open_all)
    opening.start()
    opening.join()
    return files

FILE = {file!r}
FOLDER = {folder!r}
"""

Run = Callable[..., str]


@pytest.fixture
def limited(tmp_path: Path) -> Run:
    """Run a script with warnings as errors at a limit; its output, or its traceback as failure."""
    (tmp_path / "file").write_bytes(b"x" * 4096)
    (tmp_path / "folder").mkdir()

    def run(
        script: str, *, limit: int = 64, hard: int | None = None, wrapper: tuple[str, ...] = ()
    ) -> str:
        preamble = PREAMBLE.format(
            limit=limit,
            hard=limit if hard is None else hard,
            file=str(tmp_path / "file"),
            folder=str(tmp_path / "folder"),
        )
        done = subprocess.run(
            [
                *wrapper,
                sys.executable,
                "-W",
                "error",
                "-c",
                preamble + textwrap.dedent(script),
            ],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Exception ignored" not in done.stderr, done.stderr
        return done.stdout

    return run


@pytest.fixture
def shared() -> Iterator[str]:
    """A sticky folder that everyone can reach, unlike those of the tests."""
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o1777)
    yield folder
    shutil.rmtree(folder)
