"""The binary output under every sink: writes whole batches, never half a line.

Nothing is buffered here, so what a file holds is what was handed over. A file is written as
``FILE.partial`` and takes its name when it is whole; an earlier one stands there until then. Who
writes to ``FILE.partial`` has it locked, so two runs never write to one output. Pipes and devices
are written directly.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import select
import stat
import sys
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Protocol

from fsworkers.sinks.errors import OutputFailed, OutputUnwritable, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = [
    "PARTIAL",
    "Output",
    "RawWriter",
    "check_output",
    "has_reader",
    "open_output",
    "partial_of",
    "standard_output",
]

PARTIAL = ".partial"

_FLAGS = os.O_WRONLY | os.O_CLOEXEC

_USUAL_WIDTH = 80

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})


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
        partial: The name that a file has as long as it is not whole; ``None`` for what is written
            directly, and when there is no such file any more.
        making_way: Entered around each write, with what is written: for whoever else writes to the
            same terminal.
    """

    def __init__(
        self,
        raw: RawWriter,
        name: str,
        *,
        is_regular: bool,
        is_owned: bool,
        partial: str | None = None,
    ) -> None:
        self.name = name
        self.partial = partial
        self.making_way: Callable[[bytes], AbstractContextManager[None]] = _nothing_there
        self._raw = raw
        self._is_regular = is_regular
        self._is_owned = is_owned
        self._is_emptied = not is_regular
        self._is_closed = False
        self._written_bytes = 0

    @property
    def has_lines(self) -> bool:
        """Whether anything has been written to it."""
        return self._written_bytes > 0

    @property
    def width(self) -> int:
        """How many columns a terminal has; 0 of what is none."""
        try:
            return os.get_terminal_size(self._raw.fileno()).columns or _USUAL_WIDTH
        except OSError:
            return 0

    def write(self, data: bytes) -> None:
        """Write all of ``data``, which ends with a whole line.

        Raises:
            OutputFailed: The system refused. A regular file is cut back to where ``data`` began.
            BrokenPipeError: Nobody reads any more.
        """
        with self.failing(), self.making_way(data):
            try:
                self.empty()
                self._write_all(memoryview(data))
            except OSError:
                self._cut_back()
                raise
        self._written_bytes += len(data)

    def finish(self, *, is_whole: bool = True) -> None:
        """End it; a file that is whole takes its name. Calling it again does nothing.

        Raises:
            OutputFailed: The system refused, or reported only now that a write had failed.
        """
        if self._is_closed:
            return
        with self.failing():
            try:
                self.empty()
                if is_whole and self.partial is not None:
                    self._put_in_place(self.partial)
            finally:
                self.close()

    def close(self) -> None:
        """Let go of a file of ours, which stays ``partial`` if there is anything in it."""
        if self._is_closed:
            return
        self._is_closed = True
        if self.partial is not None and not os.fstat(self._raw.fileno()).st_size:
            os.unlink(self.partial)
            self.partial = None
        if self._is_owned:
            self._raw.close()

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Say of what the system refuses within that this output failed."""
        try:
            yield
        except (BrokenPipeError, OutputFailed):
            raise
        except OSError as error:
            raise OutputFailed(self.partial or self.name, reason_of(error)) from error

    def empty(self) -> None:
        """Take away what an earlier run has left under the partial name."""
        if not self._is_emptied:
            os.ftruncate(self._raw.fileno(), 0)
            self._is_emptied = True

    def _put_in_place(self, partial: str) -> None:
        os.fsync(self._raw.fileno())
        os.replace(partial, partial.removesuffix(PARTIAL))
        self.partial = None

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


def _nothing_there(_data: bytes) -> AbstractContextManager[None]:
    return nullcontext()


def open_output(path: Path) -> Output:
    """Open an output; a file under its partial name, which as yet is not emptied.

    Raises:
        OutputUnwritable: It is a directory, its directory is missing, permission is lacking, or
            another run writes to it.
    """
    name = os.fspath(path)
    with _refusals(path):
        partial = partial_of(path)
        if partial is None:
            raw = io.FileIO(os.open(path, _FLAGS), "w")
            return Output(raw, name, is_regular=stat.S_ISREG(_mode(raw)), is_owned=True)
        _refuse_read_only(path)
        descriptor = _locked(partial)
        with suppress(FileNotFoundError):
            os.fchmod(descriptor, stat.S_IMODE(path.stat().st_mode))
    raw = io.FileIO(descriptor, "w")
    return Output(raw, name, is_regular=True, is_owned=True, partial=partial)


def check_output(path: Path) -> None:
    """Refuse what ``open_output`` would refuse; what is there stays, and nothing else is.

    Pipes and devices are not opened: that may wait for somebody.

    Raises:
        OutputUnwritable: As ``open_output``.
    """
    with _refusals(path):
        partial = partial_of(path)
        if partial is None:
            return
        _refuse_read_only(path)
        was_there = os.path.lexists(partial)
        descriptor = _locked(partial)
        if not was_there:
            os.unlink(partial)
        os.close(descriptor)


def partial_of(path: Path) -> str | None:
    """What an output is called until it is whole; ``None`` for what is written directly.

    A link is followed. Directly: pipes, devices, and descriptors by name, as ``/dev/stdout``.
    """
    folder = os.path.realpath(path.parent)
    is_direct = folder in {"/dev", "/dev/fd"} or folder.startswith("/proc/")
    if is_direct or (path.exists() and not path.is_file() and not path.is_dir()):
        return None
    return os.path.realpath(path) + PARTIAL


def _refuse_read_only(path: Path) -> None:
    """An existing file is replaced, which its own permissions would not prevent."""
    with suppress(FileNotFoundError):
        os.close(os.open(path, _FLAGS))


def _locked(partial: str) -> int:
    """Open the file, which nobody else writes to.

    Raises:
        BlockingIOError: Somebody does.
    """
    while True:
        descriptor = os.open(partial, _FLAGS | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            _lock(descriptor)
            with suppress(FileNotFoundError):  # its run has ended in this moment
                if os.path.samestat(os.fstat(descriptor), os.stat(partial)):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:  # such a file system has none: then nobody is refused
            raise


def _mode(raw: io.FileIO) -> int:
    return os.fstat(raw.fileno()).st_mode


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    name = os.fspath(path)
    try:
        yield
    except FileNotFoundError:
        raise OutputUnwritable(name, "its directory does not exist") from None
    except BlockingIOError:
        raise OutputUnwritable(name, "another run writes to it at this moment") from None
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
