"""Trees of generated files to measure on, made once and kept in a folder of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

FILES_PER_FOLDER = 1000

_WRITERS = 2


class Tree(NamedTuple):
    """A tree of files of one size, 1,000 to a folder."""

    root: Path
    files: int
    size_bytes: int

    def paths(self) -> list[str]:
        """Its files, in order."""
        return [_file_of(self.root, number) for number in range(self.files)]

    def warm(self) -> None:
        """Read all of it, so that the next one who does finds it in memory."""
        subprocess.run(
            ["sh", "-c", 'find "$0" -type f -print0 | xargs -0 -n 1000 cat', self.root],
            stdout=subprocess.DEVNULL,
            check=True,
        )


class Grove:
    """The folder in which trees are kept, for this run and later ones.

    Args:
        folder: Where they are; it need not be there yet.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._warm: dict[str, Tree] = {}

    def tree(self, files: int, size_bytes: int, *, serial: int = 0) -> Tree:
        """A warm tree of so many files; another ``serial`` is another tree of the same measure."""
        name = f"{files}x{size_bytes}" + (f"-{serial}" if serial else "")
        if name not in self._warm:
            tree = Tree(self._folder / name, files, size_bytes)
            if not tree.root.is_dir():
                self._make(tree)
            tree.warm()
            self._warm[name] = tree
        return self._warm[name]

    def _make(self, tree: Tree) -> None:
        unfinished = tree.root.with_name(f"{tree.root.name}.part")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        make_tree(unfinished, tree.files, tree.size_bytes)
        unfinished.rename(tree.root)


def make_tree(root: Path, files: int, size_bytes: int) -> None:
    """Write ``files`` files of ``size_bytes`` random bytes each, 1,000 to a folder."""
    command = [sys.executable, "-m", "benchmarks.trees", str(root), str(files), str(size_bytes)]
    writers = [
        subprocess.Popen([*command, str(index)], cwd=Path(__file__).parents[1])
        for index in range(_WRITERS)
    ]
    codes = [writer.wait() for writer in writers]
    if any(codes):
        message = f"the files of {root} could not be written"
        raise OSError(message)


def _write_part(root: Path, files: int, size_bytes: int, index: int) -> None:
    """Write every so manieth folder, beginning with the one of that index."""
    for first in range(index * FILES_PER_FOLDER, files, _WRITERS * FILES_PER_FOLDER):
        os.makedirs(os.path.dirname(_file_of(root, first)))
        for number in range(first, min(files, first + FILES_PER_FOLDER)):
            with open(_file_of(root, number), "xb", buffering=0) as file:
                file.write(os.urandom(size_bytes))


def _file_of(root: Path, number: int) -> str:
    return f"{root}/{number // FILES_PER_FOLDER:04d}/{number % FILES_PER_FOLDER:04d}.bin"


if __name__ == "__main__":
    _write_part(Path(sys.argv[1]), *map(int, sys.argv[2:]))
