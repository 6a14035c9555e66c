"""One command from its start to its end: a process group, its output in bounded memory.

The thread that runs it waits for its output, its end and its time all at once, so no thread is
needed a command. What a command leaves running in its process group is ended shortly after it; a
daemon, which makes a session of its own, lives on, and its output is no longer looked at.
"""

from __future__ import annotations

import errno
import fcntl
import os
import posix
import select
import signal
import sys
import tempfile
import termios
from contextlib import suppress
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from fsworkers.graceful.budget import raise_limit
from fsworkers.graceful.opening.retry import give_back, run_with_permits
from fsworkers.guard import guard
from fsworkers.tasks.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Sequence

KEPT_BYTES = 64 << 10
"""So much of each stream is kept in memory."""

TAIL_BYTES = 4096

KILL_S = 2.0
"""How long a process group may take to end once it was told to."""

LEFT_S = 0.5
"""How long what a command leaves in its process group may go on: ``> >(tee log)`` does."""

QUIET_S, LOUD_BYTES = 0.005, 8 << 10
"""So long a command is left alone whose predecessor wrote no more than that: what it writes waits
in the pipe, and the one thing that wakes us is its end. Of a short command's time that is a tenth.
"""

TICK_S, LOOK_S = 0.2, 0.01
"""How often memory is looked at, and the end of a process where the system does not tell it."""

PEAK_DESCRIPTORS = 6
"""Two pipes, what tells the end, and stdin; files take less. All are lent at once, so that they are
opened below the layer that asks for each: a third less of a worker's own time."""

_SIGNALS = [
    one for name in ("SIGPIPE", "SIGXFSZ") if (one := getattr(signal, name, None)) is not None
]
"""Python ignores them, which would be inherited."""


@cache
def _environment() -> dict[bytes, bytes]:
    """That of this process, as it was first: copying it takes longer than anything else here."""
    return dict(os.environb)


class Spec(NamedTuple):
    """How to run a command.

    Attributes:
        program: The file to execute.
        argv: Its arguments, the name it is called by first.
        stdin: The file that it reads; ``None`` for nothing.
        files: Where its output goes in full; ``None`` for memory alone.
        spool: The directory for output that is too long for memory; ``None`` to let it go.
        timeout_s: How long it may take.
        max_rss_bytes: How much memory it may have, with what it starts.
        tag: Its output is passed on at once, to where this process prints, each line behind this;
            ``None`` for not at all.
    """

    program: bytes
    argv: list[bytes]
    stdin: bytes | None = None
    files: tuple[bytes, bytes] | None = None
    spool: str | None = None
    timeout_s: float | None = None
    max_rss_bytes: int | None = None
    tag: bytes | None = None


class Stream:
    """What came of one stream.

    Attributes:
        kept: The beginning.
        tail: The end, where that is not all.
        size: Bytes in all.
        spilled: The file that has all of it, where it was wanted and is long.
    """

    def __init__(self, spool: str | None = None, lines: Lines | None = None) -> None:
        self.kept = b""
        self.tail = b""
        self.size = 0
        self.spilled: str | None = None
        self._spool = spool
        self._lines = lines
        self._file = -1

    @property
    def end(self) -> bytes:
        """The last of it."""
        return self.tail if self.size > KEPT_BYTES else self.kept[-TAIL_BYTES:]

    def add(self, data: bytes) -> None:
        """More has come."""
        if self._lines is not None:
            self._lines.add(data)
        if self._spool is not None and self.size + len(data) > KEPT_BYTES:
            if self._file < 0:
                os.makedirs(self._spool, mode=0o700, exist_ok=True)
                self._file, self.spilled = tempfile.mkstemp(prefix="output-", dir=self._spool)
                _write_all(self._file, self.kept)
            _write_all(self._file, data)
        self.size += len(data)
        if self.size > KEPT_BYTES:
            self.tail = ((self.tail or self.kept[-TAIL_BYTES:]) + data)[-TAIL_BYTES:]
        if len(self.kept) < KEPT_BYTES:
            self.kept += data[: KEPT_BYTES - len(self.kept)]

    def read(self, path: bytes) -> None:
        """Take it from a file that has all of it."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.size = os.fstat(descriptor).st_size
            self.kept = os.pread(descriptor, KEPT_BYTES, 0)
            self.tail = os.pread(descriptor, TAIL_BYTES, max(0, self.size - TAIL_BYTES))
        finally:
            os.close(descriptor)
        if self._spool is not None and self.size > KEPT_BYTES:
            self.spilled = os.fsdecode(path)

    def close(self) -> None:
        """Nothing more will come."""
        if self._lines is not None:
            self._lines.end()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class Ended(NamedTuple):
    """How a command ended.

    Attributes:
        code: Its exit code, or the number of the signal below zero.
        stdout: What it wrote.
        stderr: Likewise.
        is_overdue: It took too long.
        is_too_large: It had too much memory.
    """

    code: int
    stdout: Stream
    stderr: Stream
    is_overdue: bool
    is_too_large: bool


def run(spec: Spec) -> Ended:
    """Run a command.

    Raises:
        OSError: It could not be started, or a file for its input or output not be opened.
    """
    watch = guard()
    if spec.tag is None:
        streams = Stream(spec.spool), Stream(spec.spool)
    else:
        out, err = (Lines(one.buffer, spec.tag) for one in (sys.stdout, sys.stderr))
        streams = Stream(lines=out), Stream(lines=err)
    started, lent = run_with_permits(lambda: _start(spec), spec.program, PEAK_DESCRIPTORS)
    pid, ends = started
    watch.add(pid)
    try:
        ended = _Attendance(pid, dict(zip(ends, streams, strict=False)), spec).attend(streams)
    finally:
        watch.remove(pid)
        for descriptor, stream in zip(ends, streams, strict=False):
            posix.close(descriptor)
            stream.close()
        give_back(lent)
    if spec.files is not None:
        for stream, path in zip(streams, spec.files, strict=True):
            stream.read(path)
    return ended


def _start(spec: Spec) -> tuple[int, list[int]]:
    """Start it: its process id, and the read ends of its streams, unless these are files.

    Raises:
        OSError: As ``run``; nothing is left open.
    """
    ours: list[int] = []
    theirs: list[int] = []
    try:
        actions: list[tuple[Any, ...]] = []
        if spec.stdin is None:
            actions.append((os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0))
        else:
            theirs.append(posix.open(spec.stdin, os.O_RDONLY | os.O_CLOEXEC))
            actions.append((os.POSIX_SPAWN_DUP2, theirs[0], 0))
        for number in (1, 2):
            if spec.files is None:
                read_end, write_end = posix.pipe()
                ours.append(read_end)
            else:
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
                write_end = posix.open(spec.files[number - 1], flags, 0o666)
            theirs.append(write_end)
            actions.append((os.POSIX_SPAWN_DUP2, write_end, number))
        return _spawn(spec.program, spec.argv, actions), ours
    except BaseException:
        for descriptor in ours:
            posix.close(descriptor)
        raise
    finally:
        for descriptor in theirs:
            posix.close(descriptor)


def _spawn(program: bytes, argv: list[bytes], actions: Sequence[tuple[Any, ...]]) -> int:
    try:
        pid = os.posix_spawn(
            program,
            argv,
            _environment(),
            file_actions=actions,
            setsid=True,  # its group is its own, which its terminal would stop
            setsigdef=_SIGNALS,
        )
    except OSError as error:
        if error.errno != errno.ENOEXEC or program == b"/bin/sh":
            raise
        # A script without a first line that says by what; as execvp(3) has it.
        return _spawn(b"/bin/sh", [b"/bin/sh", program, *argv[1:]], actions)
    raise_limit.restore_soft_limit_of(pid)
    return pid


def _end_of(pid: int) -> int:
    """What becomes readable when a process has ended; -1 where the system has no such thing."""
    if not hasattr(posix, "pidfd_open"):
        return -1
    try:
        return posix.pidfd_open(pid)
    except OSError as error:
        if error.errno in {errno.ENOSYS, errno.EPERM}:  # before Linux 5.3; some sandboxes
            return -1
        raise


class _Last:
    """What is known of the command before this one."""

    was_loud = False


_last = _Last()


class _Attendance:
    """Waits for a command's output, its end and its time."""

    def __init__(self, pid: int, streams: dict[int, Stream], spec: Spec) -> None:
        self._pid = pid
        self._open = streams
        self._spec = spec
        self._poll = select.poll()
        self._is_overdue = self._is_too_large = False

    def attend(self, streams: tuple[Stream, Stream]) -> Ended:
        """Wait for its end, or bring it about."""
        try:
            self._wait()
        except BaseException:
            self._signal(signal.SIGKILL)
            os.waitpid(self._pid, 0)
            raise
        _, status = os.waitpid(self._pid, 0)
        self._end_group()
        for descriptor, stream in self._open.items():  # what it, or a daemon of its, wrote so far
            waiting = fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4))
            left = int.from_bytes(waiting, sys.byteorder)
            while left > 0 and (data := os.read(descriptor, left)):
                stream.add(data)
                left -= len(data)
        _last.was_loud = any(stream.size > LOUD_BYTES for stream in streams)
        code = os.waitstatus_to_exitcode(status)
        return Ended(code, *streams, self._is_overdue, self._is_too_large)

    def _wait(self) -> None:
        """Until it has ended."""
        spec, now = self._spec, monotonic()
        due = None if spec.timeout_s is None else now + spec.timeout_s
        ending = _end_of(self._pid)
        try:
            if ending >= 0:
                self._poll.register(ending, select.POLLIN)
                if not _last.was_loud and self._poll.poll(1000 * QUIET_S):
                    return
            for descriptor in self._open:
                self._poll.register(descriptor, select.POLLIN)
            tick_s = LOOK_S if ending < 0 else None if spec.max_rss_bytes is None else TICK_S
            while True:
                wait_s = tick_s
                if due is not None:
                    left_s = max(0.0, due - now)
                    wait_s = left_s if wait_s is None else min(wait_s, left_s)
                if ending in self._take(wait_s) or (ending < 0 and self._has_ended()):
                    return
                now = monotonic()
                if due is not None and now >= due:
                    self._signal(signal.SIGKILL if self._is_overdue else signal.SIGTERM)
                    self._is_overdue = True
                    due = now + KILL_S
                if self._is_larger_than(spec.max_rss_bytes):
                    self._is_too_large = True
                    self._signal(signal.SIGKILL)
        finally:
            if ending >= 0:
                self._poll.unregister(ending)
                posix.close(ending)

    def _take(self, wait_s: float | None) -> list[int]:
        """Take what has been written; which descriptors have something to say."""
        ready = [one for one, _ in self._poll.poll(None if wait_s is None else 1000 * wait_s)]
        for descriptor in ready:
            stream = self._open.get(descriptor)
            if stream is not None:
                data = os.read(descriptor, KEPT_BYTES)
                if data:
                    stream.add(data)
                else:
                    self._poll.unregister(descriptor)
                    del self._open[descriptor]
        return ready

    def _has_ended(self) -> bool:
        return os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _end_group(self) -> None:
        """End what it has left in its process group, whose number nobody else can have yet."""
        if not (self._signal(0) and self._lives()):
            return
        for descriptor in self._open:
            self._poll.register(descriptor, select.POLLIN)
        spared = self._is_overdue or self._is_too_large
        for number, most_s in (
            (0, 0.0 if spared else LEFT_S), (signal.SIGTERM, KILL_S), (signal.SIGKILL, KILL_S),
        ):  # fmt: skip
            until = monotonic() + most_s
            if not self._signal(number):
                return
            while monotonic() < until:
                self._take(0.01)
                if not self._open:
                    select.poll().poll(10)
                if not self._lives():
                    return

    def _lives(self) -> bool:
        """Whether any of the group is more than a zombie, which its parent may leave for long."""
        if not self._signal(0):
            return False
        if not os.path.isdir("/proc/self"):
            return True
        for name in filter(str.isdecimal, os.listdir("/proc")):
            with suppress(OSError):  # it has ended
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, _, group = file.read().rpartition(b")")[2].split()[:3]
                if int(group) == self._pid and state not in {b"Z", b"X"}:
                    return True
        return False

    def _signal(self, number: int) -> bool:
        """Send a signal to the process group; whether there is one."""
        try:
            os.killpg(self._pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:
            return number != 0  # another user's by now (sudo), or on macOS only zombies
        return True

    def _is_larger_than(self, most_bytes: int | None) -> bool:
        return most_bytes is not None and tree_rss_bytes(self._pid) > most_bytes


def tree_rss_bytes(pid: int) -> int:
    """Resident memory of a process and of what it has started (Linux; elsewhere 0)."""
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        with suppress(OSError, IndexError, ValueError):  # it has ended
            with open(f"/proc/{one}/statm", "rb") as file:
                total += int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
            for thread in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{thread}/children", "rb") as file:
                    waiting += map(int, file.read().split())
    return total


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
