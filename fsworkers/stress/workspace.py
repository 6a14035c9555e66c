"""The directory of a run: filled with the tree, and removed whatever happens.

Files prove their own content: number, size, filler, and a SHA-256 over all. Beside them are deep
chains of directories.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from fsworkers.errors import BadOption, FsworkersError
from fsworkers.stress.scoreboard import scoreboard_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fsworkers.stress.model import Plan

LEAST_BYTES = 64
SPARE_BYTES = 16 << 20  # for what the load itself writes
CHAINS = 40
CHAIN_DEPTH = 8
FILES_PER_LEVEL = 3
FOLDER_FILES = 100


@contextmanager
def workspace(
    plan: Plan, obey: Callable[[], None], tell_kept: Callable[[str], None] | None = None
) -> Iterator[str]:
    """Make the directory of a run, with its tree; it is removed at the end.

    ``obey`` is called before each file is made. If there is ``tell_kept``, the directory is kept,
    unless the run was refused, and that is told by it.

    Raises:
        BadOption: There is no room.
    """
    parent = tempfile.gettempdir()
    if plan.call is None:
        file_bytes = -(-plan.size_bytes // 4096) * 4096 + 256
        check_room(parent, "the tree", plan.files * file_bytes, plan.files)
    # A short name: an address of a socket in there holds 107 bytes.
    folder = tempfile.mkdtemp(prefix="fsw-", dir=parent)
    try:
        if plan.call is None:
            build_tree(folder, plan, obey)
        yield folder
    except FsworkersError:
        tell_kept = None
        raise
    finally:
        if tell_kept is None:
            shutil.rmtree(folder)
        else:
            tell_kept(folder)


def check_room(folder: str, what: str, needed_bytes: int, operations: int) -> None:
    """Refuse (``BadOption``) what will not fit, with a scoreboard for so many operations."""
    needed_bytes += scoreboard_bytes(operations) + SPARE_BYTES
    free_bytes = shutil.disk_usage(folder).free
    if needed_bytes > free_bytes:
        raise BadOption(
            f"{what} needs {needed_bytes >> 20:,} MiB in {folder}, where {free_bytes >> 20:,} MiB "
            "are free; set TMPDIR to another place, or ask for less with --files and --size, or a "
            "smaller --input"
        )


# The tree


def build_tree(folder: str, plan: Plan, obey: Callable[[], None]) -> None:
    """Make the tree."""
    for number in range(plan.files):
        obey()
        path = Path(path_of(folder, number))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content_of(plan.seed, number, plan.size_bytes))
    for number in range(CHAINS):
        top = chain_of(folder, number)
        os.makedirs(os.path.join(top, *["d"] * (CHAIN_DEPTH - 1)))
        for name in names_of_chain():
            open(os.path.join(top, name), "xb").close()


def path_of(folder: str, number: int) -> str:
    """Where the file of that number is."""
    return f"{folder}/tree/files/{number // FOLDER_FILES:04d}/{number:06d}"


def chain_of(folder: str, number: int) -> str:
    """The top of a deep chain of directories."""
    return f"{folder}/tree/deep/{number % CHAINS:02d}"


def names_of_chain() -> set[str]:
    """The files that a walk down any chain must find, relative to its top."""
    return {
        os.path.join(*["d"] * level, f"{level}-{number}")
        for level in range(CHAIN_DEPTH)
        for number in range(FILES_PER_LEVEL)
    }


def content_of(seed: int, number: int, size_bytes: int) -> bytes:
    """A file's content."""
    filler = Random(seed * 1_000_003 + number).randbytes(size_bytes - 16 - 32)
    body = number.to_bytes(8) + size_bytes.to_bytes(8) + filler
    return body + hashlib.sha256(body).digest()


def is_right(data: bytes, number: int) -> bool:
    """Whether ``data`` is the whole content of the file of that number."""
    header = number.to_bytes(8) + len(data).to_bytes(8)
    digest = hashlib.sha256(data[:-32]).digest()
    return len(data) >= LEAST_BYTES and data[:16] == header and data[-32:] == digest
