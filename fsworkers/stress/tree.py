"""The generated tree: files that prove their own content, and deep chains of directories.

A file is a header (its number, its size), filler, and a SHA-256 over both: who reads it can tell
that it is whole and that it is the one that was asked for.
"""

from __future__ import annotations

import hashlib
import os
from random import Random

from fsworkers.stress.board import board_bytes
from fsworkers.stress.space import check_room

LEAST_BYTES = 64
SPARE_BYTES = 16 << 20
"""For what the load itself writes."""

CHAINS = 40
CHAIN_DEPTH = 8
FILES_PER_LEVEL = 3

_HEADER_BYTES = 16
_DIGEST_BYTES = 32
_FOLDER_FILES = 100
_BLOCK_BYTES = 4096


def path_of(tree: str, number: int) -> str:
    """Where the file of that number is."""
    return f"{tree}/files/{number // _FOLDER_FILES:04d}/{number:06d}"


def chain_of(tree: str, number: int) -> str:
    """The top of a deep chain of directories."""
    return f"{tree}/deep/{number % CHAINS:02d}"


def content_of(seed: int, number: int, size_bytes: int) -> bytes:
    """A file's content."""
    filler = Random(seed * 1_000_003 + number).randbytes(size_bytes - _HEADER_BYTES - _DIGEST_BYTES)
    body = number.to_bytes(8) + size_bytes.to_bytes(8) + filler
    return body + hashlib.sha256(body).digest()


def is_right(data: bytes, number: int) -> bool:
    """Whether ``data`` is the whole content of the file of that number."""
    if len(data) < LEAST_BYTES or int.from_bytes(data[:8]) != number:
        return False
    if int.from_bytes(data[8:16]) != len(data):
        return False
    return hashlib.sha256(data[:-_DIGEST_BYTES]).digest() == data[-_DIGEST_BYTES:]


def names_of_chain() -> set[str]:
    """The files that a walk down any chain must find, relative to its top."""
    return {
        os.path.join(*["d"] * level, f"{level}-{number}")
        for level in range(CHAIN_DEPTH)
        for number in range(FILES_PER_LEVEL)
    }


def check_space(folder: str, files: int, size_bytes: int) -> None:
    """Refuse a tree that will not fit, with a board for its operations.

    Raises:
        NoSpace: Bytes or inodes would not do.
    """
    blocks = -(-size_bytes // _BLOCK_BYTES)
    inodes = files + files // _FOLDER_FILES + CHAINS * CHAIN_DEPTH * (FILES_PER_LEVEL + 1)
    tree_bytes = files * blocks * _BLOCK_BYTES + inodes * 256
    needed_bytes = tree_bytes + board_bytes(files, files) + SPARE_BYTES
    check_room(folder, "the tree", needed_bytes, inodes)


def build_tree(tree: str, files: int, size_bytes: int, seed: int) -> None:
    """Make the tree."""
    for first in range(0, files, _FOLDER_FILES):
        os.makedirs(os.path.dirname(path_of(tree, first)))
        for number in range(first, min(first + _FOLDER_FILES, files)):
            with open(path_of(tree, number), "xb") as file:
                file.write(content_of(seed, number, size_bytes))
    names = names_of_chain()
    for number in range(CHAINS):
        top = chain_of(tree, number)
        os.makedirs(os.path.join(top, *["d"] * (CHAIN_DEPTH - 1)))
        for name in names:
            open(os.path.join(top, name), "xb").close()
