"""The binary output under every sink: opens late, writes whole batches, never half a line.

Nothing is buffered here, so what a file holds is what was handed over. An existing file is opened
before the run but only emptied when the first batch (or the end) comes: a run that is refused for
another reason has destroyed nothing.
"""

from __future__ import annotations

import io
import os
import select
import stat
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from fsworkers.sinks.errors import OutputFailed, OutputUnwritable, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Output", "RawWriter", "check_output", "has_reader", "open_output", "standard_output"]

_FLAGS = os.O_WRONLY | os.O_CLOEXEC


class RawWriter(Protocol):
    """An unbuffered binary file: ``write`` may take a part, or ``None`` when it would block."""

    def write(self, data: bytes | memoryview, /) -> int | None:
        """Hand over what the system takes at once; see ``io.RawIOBase.write``."""

    def fileno(self) -> int:
        """Give the descriptor beneath."""
        ...

    def close(self) -> None:
        """Give the descriptor back."""


class Output:
    """Where lines go: a file, a pipe or a device.

    Attributes:
        name: The output's name for messages.
    """

    def __init__(self, raw: RawWriter, name: str, *, is_regular: bool, is_owned: bool) -> None:
        self.name = name
        self._raw = raw
        self._is_regular = is_regular
        self._is_owned = is_owned
        self._is_emptied = not is_regular
        self._is_closed = False
        self._written_bytes = 0

    def write(self, data: bytes) -> None:
        """Write all of ``data``, which ends with a whole line.

        Raises:
            OutputFailed: The system refused. A regular file is cut back to where ``data`` began.
            BrokenPipeError: Nobody reads any more.
        """
        try:
            self._empty()
            self._write_all(memoryview(data))
        except BrokenPipeError:
            raise
        except OSError as error:
            self._cut_back()
            raise OutputFailed(self.name, reason_of(error)) from error
        self._written_bytes += len(data)

    def close(self) -> None:
        """Close a file of ours; calling it again does nothing.

        Raises:
            OutputFailed: The system reported only now that a write had failed.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            try:
                self._empty()
            finally:
                if self._is_owned:
                    self._raw.close()
        except OSError as error:
            raise OutputFailed(self.name, reason_of(error)) from error

    def _empty(self) -> None:
        if not self._is_emptied:
            os.ftruncate(self._raw.fileno(), 0)
            self._is_emptied = True

    def _write_all(self, rest: memoryview) -> None:
        while rest:
            written = self._raw.write(rest)
            if written is None:
                self._wait_writable()
            else:
                rest = rest[written:]

    def _wait_writable(self) -> None:
        """Wait for a pipe in non-blocking mode, as a program before us may have left stdout."""
        poll = select.poll()
        poll.register(self._raw.fileno(), select.POLLOUT)
        poll.poll()

    def _cut_back(self) -> None:
        if not self._is_regular:
            return
        try:
            descriptor = self._raw.fileno()
            os.ftruncate(descriptor, self._written_bytes)
            os.lseek(descriptor, self._written_bytes, os.SEEK_SET)
        except OSError:
            return  # the first error is the one to report


def open_output(path: Path) -> Output:
    """Open a file for writing, as yet without emptying it.

    Raises:
        OutputUnwritable: It is a directory, its directory is missing, permission is lacking…
    """
    with _refusals(path):
        descriptor = os.open(path, _FLAGS | os.O_CREAT, 0o666)
    is_regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
    return Output(io.FileIO(descriptor, "w"), os.fspath(path), is_regular=is_regular, is_owned=True)


def check_output(path: Path) -> None:
    """Refuse what ``open_output`` would refuse; what is there stays, and nothing else is.

    Pipes and devices are not opened: that may wait for somebody.

    Raises:
        OutputUnwritable: As ``open_output``.
    """
    with _refusals(path):
        try:
            descriptor = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            if path.is_file() or path.is_dir():
                os.close(os.open(path, _FLAGS))
        else:
            os.close(descriptor)
            path.unlink()


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    name = os.fspath(path)
    try:
        yield
    except FileNotFoundError:
        raise OutputUnwritable(name, "its directory does not exist") from None
    except (OSError, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise OutputUnwritable(name, reason) from error


def has_reader(descriptor: int) -> bool:
    """Whether what is written there may be read; of anything but a pipe or a terminal it may."""
    poll = select.poll()
    poll.register(descriptor, 0)
    return not poll.poll(0)


def standard_output() -> Output:
    """Give stdout without its buffer, so that a batch leaves at once and a closed pipe shows.

    Raises:
        OutputUnwritable: The process was started without one.
    """
    if sys.stdout is None:
        raise OutputUnwritable("stdout", "it is closed")
    sys.stdout.flush()
    buffer = sys.stdout.buffer
    return Output(getattr(buffer, "raw", buffer), "stdout", is_regular=False, is_owned=False)
