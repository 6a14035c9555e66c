"""What tasks print, as it leaves a worker: each line whole and at once.

All workers write into one pipe, which keeps what is written together only up to 4 KiB (512 bytes on
macOS): a lock between the processes does for longer lines. As nothing is kept back but a line that
has not ended, what was printed before a crash is seen.
"""

from __future__ import annotations

import fcntl
import io
import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

LONGEST_BYTES = 1 << 20


class SharedLock:
    """A lock between threads and processes; held again, in a signal handler, it is let go first.

    One for both streams: the kernel knows only which process waits for which, and would take two
    threads of each of two processes that wait for two locks crosswise for a deadlock.

    Args:
        descriptor: Of a file that all of them have.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._begin_afresh()
        os.register_at_fork(after_in_child=self._begin_afresh)

    def _begin_afresh(self) -> None:
        self._turn = threading.RLock()

    def __enter__(self) -> None:
        self._turn.acquire()
        self._ask(fcntl.LOCK_EX)

    def __exit__(self, *_error: object) -> None:
        self._ask(fcntl.LOCK_UN)
        self._turn.release()

    def _ask(self, what: int) -> None:
        with suppress(OSError):  # a child that closes all it finds does without
            fcntl.lockf(self._descriptor, what)


class SharedPipe(io.RawIOBase):
    """A pipe that other processes write to as well; nothing gets into what is written at once.

    Args:
        descriptor: The pipe.
        lock: Held while something is written.
    """

    def __init__(self, descriptor: int, lock: SharedLock) -> None:
        self._descriptor = descriptor
        self._lock = lock
        self.name = f"<descriptor {descriptor}>"

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The pipe's descriptor."""
        return self._descriptor

    def write(self, data: Buffer, /) -> int:
        """Write all of it."""
        left = memoryview(data)
        length = len(left)
        with self._lock:
            while left:
                left = left[os.write(self._descriptor, left) :]
        return length


class WholeLines(io.TextIOWrapper):
    """A text stream that lets go of whole lines, and of others when it is flushed.

    Each thread has a line of its own.
    """

    def __init__(self, pipe: SharedPipe) -> None:
        super().__init__(pipe, encoding="utf-8", errors="backslashreplace", write_through=True)
        self._begun: dict[int, str] = {}

    def write(self, text: str, /) -> int:
        """Write the lines that end in it."""
        thread = threading.get_ident()
        whole, newline, rest = (self._begun.pop(thread, "") + text).rpartition("\n")
        if len(rest) > LONGEST_BYTES:
            whole, rest = whole + newline + rest, ""
        if rest:
            self._begun[thread] = rest
        if whole or newline:
            self._put(whole + newline)
        return len(text)

    def flush(self) -> None:
        """Write what this thread has begun."""
        if rest := self._begun.pop(threading.get_ident(), ""):
            self._put(rest)

    def end(self) -> None:
        """Write what any thread has begun."""
        for thread in list(self._begun):
            self._put(self._begun.pop(thread, ""))

    def _put(self, text: str) -> None:
        self.buffer.write(text.encode(errors="backslashreplace"))


class Printing:
    """This worker's standard streams.

    Args:
        lock: A descriptor of a file that all workers have.
    """

    def __init__(self, lock: int) -> None:
        shared = SharedLock(lock)
        self._streams = [WholeLines(SharedPipe(number, shared)) for number in (1, 2)]
        sys.stdout, sys.stderr = self._streams

    def end(self) -> None:
        """Write what has no end yet."""
        for stream in self._streams:
            stream.end()
        for original in (sys.__stdout__, sys.__stderr__):
            if original is not None:
                original.flush()
