"""A tree of odd names, the command over it, and the classics it is compared with."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from subprocess import run
from typing import Any

import pytest

ODD = [
    b"plain.txt", b"-rf", b"new\nline", b"latin-\xe9", b"two  spaces ", b"quote'\"s", b"br{ace}",
    b"dollar$HOME", b".hidden", b"deep/-er/\xff\xfe/file", "größe ☃.txt".encode(), b"back\\slash",
]  # fmt: skip
"""Names that tools stumble over."""


def odd_tree(folder: Path) -> Path:
    """Files of such names, with contents of several sizes."""
    for number, name in enumerate(ODD):
        path = os.path.join(os.fsencode(folder), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"%d: some text of this file\n" % number * (number**4))
        os.utime(path, ns=(1_000_000_000_123_456_789, 1_234_567_890_987_654_321 + number))
    return folder


def cli(*arguments: str | Path, code: int = 0) -> tuple[list[dict[str, Any]], str]:
    """The outcomes and stderr of ``fsworkers process``, which ends as expected."""
    ended = run(
        [sys.executable, "-m", "fsworkers", "process", *arguments, "-o", "-", "--no-journal"],
        capture_output=True, check=False, text=True, timeout=60,
    )  # fmt: skip
    assert ended.returncode == code, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()], ended.stderr


def need(program: str) -> str:
    """A program, or the test is left out."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    return program
