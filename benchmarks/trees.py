"""Trees of generated files to measure on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILES_PER_FOLDER = 1000


def make_tree(root: Path, files: int, size_bytes: int) -> None:
    """Write ``files`` files of ``size_bytes`` random bytes each, 1,000 to a folder."""
    for number in range(files):
        folder = root / f"{number // FILES_PER_FOLDER:04d}"
        if number % FILES_PER_FOLDER == 0:
            folder.mkdir(parents=True)
        (folder / f"{number % FILES_PER_FOLDER:04d}.bin").write_bytes(os.urandom(size_bytes))
