"""A flag that ``poll`` can wait for: an eventfd on Linux, a pipe elsewhere."""

from __future__ import annotations

import os
import threading
from contextlib import suppress


class Wakeup:
    """Set from any thread, seen by the one that polls. Takes one descriptor, or two.

    Setting it after it was closed does nothing: its number may be someone else's file by then.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may come in the midst of it
        self._is_closed = False
        if hasattr(os, "eventfd"):
            self._read = self._write = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        else:
            self._read, self._write = os.pipe()
            os.set_blocking(self._read, False)
            os.set_blocking(self._write, False)

    def fileno(self) -> int:
        """The descriptor that becomes readable."""
        return self._read

    def set(self) -> None:
        """Make the descriptor readable."""
        with self._lock:
            if not self._is_closed:
                try:
                    os.write(self._write, b"\0\0\0\0\0\0\0\1")
                except BlockingIOError:
                    return  # as full as can be, so it is readable

    def clear(self) -> None:
        """Make the descriptor unreadable until it is set again."""
        with suppress(BlockingIOError):  # it was not set
            while len(os.read(self._read, 4096)) == 4096:
                pass

    def close(self) -> None:
        """Close the descriptor."""
        with self._lock:
            self._is_closed = True
            os.close(self._read)
            if self._write != self._read:
                os.close(self._write)
