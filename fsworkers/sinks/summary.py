"""The summary of a run as a JSON file, which is there whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

import msgspec

from fsworkers.sinks.errors import OutputFailed, OutputUnwritable, reason_of

if TYPE_CHECKING:
    from fsworkers.model import RunSummary

__all__ = ["check_summary_target", "summary_text", "write_summary", "write_whole"]


def check_summary_target(path: Path) -> None:
    """Refuse a place where no summary could be written, before the run; nothing is left behind.

    Raises:
        OutputUnwritable: It is a directory, or its directory is missing or read-only.
    """
    try:
        reason = _obstacle(path)
    except OSError as error:
        raise OutputUnwritable(os.fspath(path), reason_of(error)) from error
    if reason is not None:
        raise OutputUnwritable(os.fspath(path), reason)


def _obstacle(path: Path) -> str | None:
    """Why it can't be written to, ``None`` if it can.

    Raises:
        OSError: The system says so itself.
    """
    mode = _mode(path)
    if mode is not None and not stat.S_ISREG(mode):
        return "it is a directory" if stat.S_ISDIR(mode) else None
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        return "its directory does not exist"
    temporary = _temporary_beside(target)
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    temporary.unlink()
    return None


def write_summary(path: Path, summary: RunSummary) -> None:
    """Write the summary by way of a temporary file in the same directory.

    A link is followed; a device or pipe such as ``/dev/stdout`` is written to directly.

    Raises:
        OutputFailed: The system refused. A file that was there before is as it was.
    """
    write_whole(path, summary_text(summary))


def summary_text(summary: RunSummary) -> bytes:
    """The summary as JSON."""
    return msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n"


def write_whole(path: Path, text: bytes) -> None:
    """Write a file that is there whole or not at all, as ``write_summary`` does.

    Raises:
        OutputFailed: The system refused. A file that was there before is as it was.
    """
    try:
        mode = _mode(path)
        if mode is None or stat.S_ISREG(mode):
            _replace(Path(os.path.realpath(path)), text)
        else:
            path.write_bytes(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputFailed(os.fspath(path), reason_of(error)) from error


def _replace(target: Path, text: bytes) -> None:
    temporary = _temporary_beside(target)
    try:
        with temporary.open("xb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _temporary_beside(target: Path) -> Path:
    return target.with_name(f".fsworkers-{token_hex(8)}.tmp")


def _mode(path: Path) -> int | None:
    """The mode of what is there, ``None`` if nothing is.

    Of the path as it was given: what ``/dev/stdout`` leads to may have no name of its own.
    """
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
