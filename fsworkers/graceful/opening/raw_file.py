"""The raw file below ``open``'s buffers: the standard one, with a permit, quicker to read whole.

Of a descriptor that does not block it says what the standard one says: what there is, or ``None``.
"""

from __future__ import annotations

import os
from io import FileIO
from stat import S_ISREG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fsworkers.graceful.budget.permits import HeldPermit

_FIRST_BYTES = 65_536
_is_last_long = False
"""Whether the last file that was read whole was longer than that: the next likely is as well."""

_PROBE_BYTES = 8192
"""As the standard way begins: a packet that comes after another must fit."""

_close = FileIO.close
_readall = FileIO.readall
_read = os.read


class CountedFileIO(FileIO):
    """A raw file that holds a permit while it is open."""

    __slots__ = ("permit",)

    permit: HeldPermit

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

    def readall(self) -> bytes | None:  # type: ignore[override]  # typeshed leaves ``None`` out
        """Everything up to the end, or what there is; ``None`` if there is nothing yet."""
        if _is_last_long:
            return self._read_in_one_piece()
        # Two calls for most files, where the standard way makes four: it asks for the size.
        number = self.fileno()
        begun = more = b""
        try:
            begun = _read(number, _FIRST_BYTES)
            if not begun:
                return begun
            if len(begun) == _FIRST_BYTES and _has_gone_back(number, _FIRST_BYTES):
                begun = b""  # let go of first
                return self._read_in_one_piece()
            more = _read(number, _PROBE_BYTES)
        except BlockingIOError:
            return begun or None
        if not more:
            return begun
        return b"".join((begun, more, _readall(self) or b""))

    def _read_in_one_piece(self) -> bytes | None:
        """The standard way: memory of the right size at once, where joining would take it twice."""
        global _is_last_long  # noqa: PLW0603 - a guess, which may be wrong
        data = _readall(self)
        _is_last_long = data is not None and len(data) >= _FIRST_BYTES
        return data


def _has_gone_back(number: int, count: int) -> bool:
    """Have a regular file read its last so many bytes again, if it can."""
    if not S_ISREG(os.fstat(number).st_mode):
        return False
    try:
        os.lseek(number, -count, os.SEEK_CUR)
    except OSError:
        return False  # some of FUSE and of the kernel's own can't seek
    return True
