"""The raw files below ``open``'s buffers: one that holds a permit, one that also waits for data.

A descriptor may be set not to block, by an opener, by whoever made the number or with
``os.set_blocking``, and some file systems say EAGAIN of themselves. The standard raw file then
answers ``None``, which a buffer passes on, or ends a ``read()`` early with what there is.
graceful-fs tries again at once, up to ten times; here the wait is for the descriptor itself, and
it is bounded. When it ends, what ``readall`` had collected comes with the next read; what the
layers above had taken they drop, as on any error.
"""

from __future__ import annotations

import os
import select
from errno import EAGAIN
from io import FileIO
from stat import S_ISREG
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from fsworkers.graceful.counter import Lent

PATIENCE_S = 10.0
"""Longest wait of one read for data."""

_FIRST_BYTES = 65_536
_is_last_long = False
"""Whether the last file that was read whole was longer than that: the next likely is as well."""

_PROBE_BYTES = 512
_FIRST_PAUSE_S = 0.001
_LONGEST_PAUSE_S = 0.05

_close = FileIO.close
_readall = FileIO.readall
_readinto = FileIO.readinto
_read = os.read


class CountedFileIO(FileIO):
    """A raw file that holds a permit while it is open."""

    __slots__ = ("permit",)

    permit: Lent

    def close(self) -> None:
        """Close the descriptor and give the permit back, once."""
        try:
            _close(self)
        except InterruptedError:
            # Linux has released the number by then: closing again would close someone else's.
            pass
        finally:
            try:
                permit = self.permit
                del self.permit
            except AttributeError:
                pass
            else:
                permit.give_back()


class PatientFileIO(CountedFileIO):
    """The raw file below a buffer that is read: EAGAIN never reaches the buffer."""

    __slots__ = ("_kept",)

    _kept: bytes

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what there is, waiting until there is something or the end.

        Raises:
            BlockingIOError: Nothing came for ``PATIENCE_S``.
        """
        count = _readinto(self, buffer)
        if count is None:
            patience = Patience(self.fileno(), self.name)
            while count is None:
                patience.wait()
                count = _readinto(self, buffer)
        return count

    def readall(self) -> bytes:
        """Everything up to the end; errors as ``readinto``, and the next read begins anew."""
        global _is_last_long  # noqa: PLW0603 - a guess, which may be wrong
        number = self.fileno()
        begun = more = b""
        try:
            # Elsewhere an end does not last: a terminal would ask for another Ctrl-D.
            is_long = _is_last_long and _is_regular(number)
            if not is_long:
                # Two calls for most files, where the standard way makes four: it asks for the size.
                begun = _read(number, _FIRST_BYTES)
                if not begun:
                    return begun
                is_long = len(begun) == _FIRST_BYTES and _has_gone_back(number, _FIRST_BYTES)
            if is_long:
                # That takes one piece of memory of the right size, joining would take two.
                begun = b""  # let go of first
                begun = _readall(self) or b""
                _is_last_long = len(begun) >= _FIRST_BYTES
            more = _read(number, _PROBE_BYTES)
            if not more:
                return begun
        except BlockingIOError:
            pass
        return self._read_on([begun, more])

    def _read_on(self, chunks: list[bytes]) -> bytes:
        """What there is so far and everything up to the end; if it fails, nothing is lost."""
        number = self.fileno()
        try:
            while more := read_patiently(number, _FIRST_BYTES, self.name):
                chunks.append(more)
        except BaseException:
            self._keep(b"".join(chunks))
            raise
        return b"".join(chunks)

    def _keep(self, data: bytes) -> None:
        """Have the next read begin with this."""
        if not data:
            return
        if not _has_gone_back(self.fileno(), len(data)):
            self._kept = data
            self.__class__ = KeepingFileIO


class KeepingFileIO(PatientFileIO):
    """A patient file that has something left of a read that failed."""

    __slots__ = ()

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what is left, without a look at the descriptor."""
        view = memoryview(buffer).cast("B")
        data = self._take()
        count = min(len(view), len(data))
        view[:count] = data[:count]
        self._keep(data[count:])
        return count

    def readall(self) -> bytes:
        """What is left, and everything up to the end; errors as before."""
        return self._read_on([self._take()])

    def _take(self) -> bytes:
        self.__class__ = PatientFileIO  # type: ignore[assignment]  # as above
        return self._kept


def _is_regular(number: int) -> bool:
    return S_ISREG(os.fstat(number).st_mode)


def _has_gone_back(number: int, count: int) -> bool:
    """Have a regular file read its last so many bytes again, if it can."""
    if not _is_regular(number):
        return False
    try:
        os.lseek(number, -count, os.SEEK_CUR)
    except OSError:
        return False  # some of FUSE and of the kernel's own can't seek
    return True


def read_patiently(number: int, most_bytes: int, name: object) -> bytes:
    """``os.read``, waiting until there is something or the end; errors as ``readinto``."""
    patience = None
    while True:
        try:
            return _read(number, most_bytes)
        except BlockingIOError:
            patience = patience or Patience(number, name)
        patience.wait()


class Patience:
    """How long one read goes on to wait for data."""

    def __init__(self, number: int, name: object) -> None:
        self._name = name
        self._poll = select.poll()
        self._poll.register(number, select.POLLIN)
        self._until_s = monotonic() + PATIENCE_S
        self._pause_s = 0.0

    def wait(self) -> None:
        """Wait until there seems to be something to read.

        Raises:
            BlockingIOError: It has been too long.
        """
        left_s = self._until_s - monotonic()
        if left_s <= 0 or not self._poll.poll(left_s * 1000):
            error = BlockingIOError(EAGAIN, f"nothing to read for {PATIENCE_S} s")
            error.filename = self._name  # as an argument, a number would mean something else
            raise error
        # Whoever says that there is something and then EAGAIN all the same gets some time.
        select.poll().poll(self._pause_s * 1000)
        self._pause_s = min(_LONGEST_PAUSE_S, self._pause_s * 2 or _FIRST_PAUSE_S)
