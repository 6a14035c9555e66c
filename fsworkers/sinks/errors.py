"""What can be wrong with an output, before a run and during it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fsworkers.errors import FsworkersError
from fsworkers.names import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AlgorithmMismatch",
    "DigestsMissing",
    "NoDigest",
    "OutputFailed",
    "OutputUnwritable",
    "SinkError",
    "UnknownFormat",
]


class SinkError(FsworkersError):
    """An output cannot take what it should: the root of the errors of this package."""


class UnknownFormat(SinkError, ValueError):
    """Neither the output's name nor an explicit format says how to write it."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        self.name = name
        self.known = known
        super().__init__(
            f"no output format is known for '{printable(name)}'. "
            f"Use one of {', '.join(known)}, or leave the output out for JSON Lines on stdout."
        )


class AlgorithmMismatch(SinkError, ValueError):
    """A checksum list was named for one algorithm, and another is what the task computes."""

    def __init__(self, path: str, expected: str, algorithm: str) -> None:
        self.path = path
        self.expected = expected
        self.algorithm = algorithm
        super().__init__(
            f"'{printable(path)}' is the name of a list of {expected} checksums, but the task "
            f"computes {algorithm}. Rename the output, or choose {expected} as the algorithm."
        )


class OutputUnwritable(SinkError, OSError):
    """An output cannot be opened. Nothing was written, and what was there is untouched."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"cannot write to '{printable(path)}': {reason}. Choose another output.")


class OutputFailed(SinkError, OSError):
    """Writing to an output failed in mid-run, for example because the disk is full.

    A file of lines was cut back to its last whole one where the system allowed it.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"writing to '{printable(path)}' failed: {reason}. Make room or choose another output."
        )


class DigestsMissing(SinkError, ValueError):
    """Files were done, but their values were no checksums; all other lines were written."""

    def __init__(self, path: str, missing_count: int, first: str) -> None:
        self.path = path
        self.missing_count = missing_count
        self.first = first
        which, others = "1 file", ""
        if missing_count > 1:
            which, others = f"{missing_count} files", " the first of them"
        super().__init__(
            f"'{printable(path)}' lacks {which} whose value is no hex digest, "
            f"'{printable(first)}'{others}. Use a .jsonl output for this task."
        )


class NoDigest(SinkError, ValueError):
    """A checksum list was asked for, and a file has no one digest of its own to be in it."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = columns
        super().__init__(
            f"a checksum list has one digest a file, but the task's values are "
            f"{', '.join(columns)}. Choose another output, as .jsonl or .csv."
        )


def reason_of(error: OSError) -> str:
    """Say why the system refused, without the path: the message names that already."""
    return os.strerror(error.errno) if error.errno else str(error)
