"""What workers print, on its way to the caller: whole lines, in a thread of its own.

What tasks print goes to the caller's ``sys.stdout``, or with what workers say to ``sys.stderr``,
where stdout belongs to results. A stream that takes nothing holds up nobody but tasks that print;
what it refuses is dropped. What workers say before the first of them is ready is held back: if none
gets ready, it is the reason.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

from fsworkers.pool.master.wakeup import Wakeup
from fsworkers.pool.progress import PROGRESS_DESCRIPTOR, above

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT_BYTES = 16_384
CHUNK_BYTES = 65_536
LONGEST_LINE_BYTES = 1 << 20

StreamName: TypeAlias = Literal["stdout", "stderr"]

PrintsTo: TypeAlias = "StreamName | Callable[[bytes], object]"
"""Where what tasks print goes: a stream of the caller's, or a function that takes whole lines."""


class WorkerOutput:
    """The pipes, and the last of what came through them.

    Args:
        prints_to: Where what tasks print goes.

    Attributes:
        stdout: What workers have as stdout.
        stderr: What they have as stderr.

    Raises:
        OSError: No descriptor is free for it.
    """

    def __init__(self, prints_to: PrintsTo) -> None:
        self._pipes: list[_Pipe] = []
        try:
            self._pipes.append(_Pipe(partial(_show, "stderr")))
            if prints_to != "stderr":
                show = partial(_show, "stdout") if prints_to == "stdout" else prints_to
                self._pipes.append(_Pipe(show))
            self._wakeup = Wakeup()
        except OSError:
            for pipe in self._pipes:
                pipe.close()
            raise
        self.stderr = self._pipes[0].write_end
        self.stdout = self._pipes[-1].write_end
        self._lock = threading.Lock()
        self._kept = b""
        self._is_passing_on = False
        self._is_closing = False
        self._thread = threading.Thread(target=self._pass_on, name="fsworkers-output", daemon=True)

    def start(self) -> None:
        """Begin to pass on what comes."""
        self._thread.start()

    def hold_back_no_longer(self) -> None:
        """A worker is ready: show everything from now on, and what was held back."""
        if not self._is_passing_on:
            self._is_passing_on = True
            self._wakeup.set()

    def last_words(self) -> str:
        """What workers said last, each line once: when they fail to start, all say the same."""
        for pipe in self._pipes:
            while self._take(pipe):
                pass
        lines = self._kept.decode(errors="replace").strip().splitlines()
        return "\n".join(dict.fromkeys(lines))

    def close(self) -> None:
        """Show what is left, and close the pipes."""
        self._is_closing = True
        self._wakeup.set()
        if self._thread.is_alive():
            self._thread.join()
        self._wakeup.close()
        for pipe in self._pipes:
            pipe.close()

    def _pass_on(self) -> None:
        poll = select.poll()
        pipes = {pipe.fileno(): pipe for pipe in self._pipes}
        for descriptor in (*pipes, self._wakeup.fileno()):
            poll.register(descriptor, select.POLLIN)
        is_over = False
        while not is_over:
            ready = {descriptor for descriptor, _ in poll.poll()}
            self._wakeup.clear()
            is_over = self._is_closing
            for descriptor, pipe in pipes.items():
                if descriptor in ready:
                    self._take(pipe)
                while is_over and self._take(pipe):
                    pass
                if self._is_passing_on:
                    with self._lock:
                        lines = pipe.take_lines(everything=is_over)
                    if lines:
                        pipe.show(lines)

    def _take(self, pipe: _Pipe) -> bool:
        """Read what has come; whether there may be more."""
        with self._lock:
            chunk = pipe.read()
            self._kept = (self._kept + chunk)[-KEPT_BYTES:]
            if not self._is_passing_on:
                pipe.trim()
        return bool(chunk)


class _Pipe:
    """A pipe, and what of it has not been shown."""

    def __init__(self, show: Callable[[bytes], object]) -> None:
        self.show = show
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        # Where a worker has its own descriptors, it would be replaced before it is handed on.
        self.write_end = above(PROGRESS_DESCRIPTOR, self.write_end)
        self._held = b""

    def fileno(self) -> int:
        return self._read_end

    def read(self) -> bytes:
        try:
            chunk = os.read(self._read_end, CHUNK_BYTES)
        except BlockingIOError:
            return b""
        self._held += chunk
        return chunk

    def trim(self) -> None:
        self._held = self._held[-KEPT_BYTES:]

    def take_lines(self, *, everything: bool) -> bytes:
        """What can be shown now: up to the end of the last line, unless it has no end."""
        stop = self._held.rfind(b"\n") + 1
        if everything or len(self._held) - stop > LONGEST_LINE_BYTES:
            stop = len(self._held)
        lines, self._held = self._held[:stop], self._held[stop:]
        return lines

    def close(self) -> None:
        os.close(self._read_end)
        os.close(self.write_end)


def _show(name: StreamName, output: bytes) -> None:
    """Write to the caller's stream, whatever that is: what it can't take must not touch a run."""
    stream = getattr(sys, name)
    if stream is None:
        return
    buffer = getattr(stream, "buffer", None)
    try:
        try:
            text = output.decode()
        except UnicodeDecodeError:
            if buffer is not None:
                stream.write("")  # what stands in for it may have to clear its line
                stream.flush()
                buffer.write(output)
                buffer.flush()
                return
            text = output.decode(errors="replace")
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except Exception:  # noqa: BLE001, S110  (its reader has gone, it was closed, it is anything)
        pass
