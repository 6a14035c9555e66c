"""The live line on stderr while a run goes on, and one below it for each worker that takes long.

What is in it is decided by ``fitted``, which leaves out what matters least where the terminal is
narrow, and by ``rows_of``. Whatever else is written to ``sys.stderr`` meanwhile has both cleared.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO, cast

import msgspec

from fsworkers.cli.exits import say
from fsworkers.cli.report import human_bytes
from fsworkers.names import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fsworkers.engines.ahead import ScanAhead
    from fsworkers.engines.run import Run
    from fsworkers.pool.statistics import AtWork
    from fsworkers.sinks.output import Output

REFRESH_S = 0.1

LONG_S = 1.0
"""A file that takes longer than this is named."""

CLEAR_LINE = b"\r\x1b[2K"
"""To the first column, and erase the line; see console_codes(4)."""

STDOUT, STDERR = 1, 2
_USUAL_WIDTH, _USUAL_HEIGHT = 80, 24
_LONGEST_LINE = 10_000

MOST_ROWS = 8
"""So many workers have a line."""


class Long(NamedTuple):
    """What a worker has been at for long.

    Attributes:
        worker: Its number.
        seconds: For how long.
        path: Printable; where it runs many side by side, that of the longest.
        others: How many more of those take long.
    """

    worker: int
    seconds: float
    path: str
    others: int = 0


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A run at one moment.

    Attributes:
        ended: Files that have an outcome.
        failed: Those of them that failed, were timed out or crashed.
        total: Files there will be; ``None`` while the scan goes on.
        new: Files that came to their outcome now, and not before the run was resumed.
        new_bytes: The bytes of those.
        seconds: How long it has been at work now.
        workers: Worker processes that live.
        waiting: File operations that wait for a descriptor.
        long: Workers that have been at something for over a second, in the order of their numbers.
    """

    ended: int
    failed: int
    total: int | None
    new: int
    new_bytes: int
    seconds: float
    workers: int
    waiting: int
    long: tuple[Long, ...] = ()


def fitted(look: Look, width: int) -> str:
    """What is said of a run in at most ``width`` columns: what matters most, as far as it fits."""
    fields = _fields(look)
    kept = [fields[0]]
    for field in sorted(fields[1:]):
        more = [one for one in fields if one in kept or one is field]
        if _cells(_joined(more)) <= width:
            kept = more
    return _joined(kept)[:width]


def rows_of(long: Sequence[Long], most: int, width: int) -> list[str]:
    """What each worker is at, those that take longest, in at most so many lines and columns."""
    if len(long) > most:
        shown = sorted(sorted(long, key=lambda one: -one.seconds)[: max(0, most - 1)])
        rest = [f"  … {len(long) - len(shown):,} more"[:width]]
        return [*rows_of(shown, most, width), *rest][:most]
    rows = []
    for one in long:
        start = f"  worker {one.worker}: {_clock(one.seconds)} on "
        end = f" and {one.others:,} more" if one.others else ""
        room = width - len(start) - len(end)
        rows.append(f"{start}{_end_of(one.path, room)}{end}" if room > 0 else start[:width])
    return rows


def _end_of(name: str, width: int) -> str:
    """A name, or as much of its end as there is room for."""
    if _cells(name) <= width:
        return name
    name = name[1 - width :] if width > 1 else ""
    while _cells(name) > width - 1:
        name = name[1:]
    return f"…{name}"


def _cells(text: str) -> int:
    """How many columns a text takes: some letters take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415  (few names need it)

    return cell_len(text)


def _joined(fields: list[tuple[int, str]]) -> str:
    return ", ".join(text for _, text in fields)


def _fields(look: Look) -> list[tuple[int, str]]:
    """What there is to say, in its order; the higher its rank, the less it matters."""
    per_s = look.new / max(look.seconds, 1e-9)
    bytes_per_s = look.new_bytes / max(look.seconds, 1e-9)
    if look.total is None:
        fields = [(0, f"{look.ended:,} file{'' if look.ended == 1 else 's'} so far")]
    else:
        percent = 100 * look.ended // max(look.total, 1)
        fields = [(0, f"{look.ended:,} of {look.total:,} files ({percent}%)")]
    if look.failed:
        fields.append((1, f"{look.failed:,} failed"))
    fields += [(4, f"{per_s:,.0f} files/s"), (6, f"{human_bytes(bytes_per_s)}/s")]
    if look.total is not None and look.new and look.ended < look.total:
        fields.append((2, f"{_clock((look.total - look.ended) / per_s)} left"))
    fields.append((7, f"{look.workers} worker{'' if look.workers == 1 else 's'}"))
    if look.waiting:
        fields.append((5, f"{look.waiting:,} waiting for a descriptor"))
    return fields


def _clock(seconds: float) -> str:
    """Seconds as ``1:02:03`` or ``0:07``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def has_terminal_to_itself(output: str | None, *, is_apart: bool = False) -> bool:
    """Whether the terminal that is stderr shows neither results nor another program.

    Behind a pipe there is likely one that is: a pager, ``grep``. So there is behind ``-o >(less)``.

    Args:
        output: Where results go; ``None`` for stdout.
        is_apart: They come now and then, or when the line has gone.
    """
    if os.environ.get("TERM", "dumb") == "dumb":
        return False
    results = STDOUT if output is None or output == "-" else output
    return not (stat.S_ISFIFO(_mode(STDOUT)) or (not is_apart and _may_be_shown(results)))


def _may_be_shown(target: int | str) -> bool:
    """Whether what is written there may come to a terminal."""
    mode = _mode(target)
    if stat.S_ISCHR(mode):
        return os.stat(target).st_rdev != os.stat(os.devnull).st_rdev
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _mode(target: int | str) -> int:
    """The mode of what is there; 0 if nothing is."""
    try:
        return os.stat(target).st_mode
    except (OSError, ValueError):
        return 0


class LiveLine:
    """Stands in for ``sys.stderr`` while it is shown; a message clears it, the next look is below.

    Args:
        stream: What ``sys.stderr`` was.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()  # the pool's thread passes on what workers print
        self._shown = 0  # so many lines
        self._is_at_line_start = True

    def draw(self, *lines: str) -> None:
        """Show the line and those below it, unless something else stands there."""
        with self._lock:
            if self._is_at_line_start:
                up = b"\x1b[%dA" % (self._shown - 1) if self._shown > 1 else b""
                rest = b"\x1b[J" if self._shown > len(lines) else b""
                self._shown = len(lines)
                # Each over the one that stands there: to clear them all first would flicker.
                _write(up + b"\n".join(CLEAR_LINE + one.encode() for one in lines) + rest)

    def clear(self) -> None:
        """Take them away."""
        with self._lock:
            if clearing := self.let_go():
                _write(clearing)

    def let_go(self) -> bytes:
        """What clears them, for whoever writes past this: a signal handler."""
        count, self._shown = self._shown, 0
        if count > 1:
            return b"\r\x1b[%dA\x1b[J" % (count - 1)
        return CLEAR_LINE if count else b""

    def write(self, text: str) -> int:
        """Write a message."""
        with self.making_way(text.encode(errors="replace")):
            count = self._stream.write(text)
            self._stream.flush()
        return count

    @contextmanager
    def making_way(self, data: bytes) -> Iterator[None]:
        """Let this be written where the line is."""
        with self._lock:
            self.clear()
            yield
            if data:
                self._is_at_line_start = data.endswith(b"\n")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _write(data: bytes) -> None:
    with suppress(OSError):  # the terminal has gone, which is no reason to end
        os.write(STDERR, data)


class Display:
    """Shows a run's figures; the caller says when to look at them.

    Args:
        line: Where.
        run: The run.
        ahead: Its scan, if that is drawn ahead.
    """

    def __init__(self, line: LiveLine, run: Run, ahead: ScanAhead | None) -> None:
        self._line = line
        self._run = run
        self._ahead = ahead
        self._next = 0.0

    def refresh(self) -> None:
        """Show the figures of this moment, no more often than an eye can follow."""
        now = monotonic()
        if now < self._next:
            return
        self._next = now + REFRESH_S
        if _is_in_foreground():
            look = look_at(self._run, self._ahead)
            size = _size()
            width, most = size.columns - 1, min(MOST_ROWS, size.lines - 2)
            self._line.draw(fitted(look, width), *rows_of(look.long, most, width))

    def clear(self) -> None:
        """Take it away: results are about to be written."""
        self._line.clear()


def look_at(run: Run, ahead: ScanAhead | None) -> Look:
    """The figures of this moment."""
    statistics = run.engine.statistics()
    tally = run.tally
    total = None
    if run.has_scan_ended:
        total = run.found_count
    elif ahead is not None and ahead.has_ended:
        total = ahead.file_count
    if total is not None:
        total += tally.found - tally.new  # what was there before
    return Look(
        ended=tally.found,
        failed=tally.failed,
        total=total,
        new=tally.new,
        new_bytes=tally.size_bytes,
        seconds=run.seconds,
        workers=statistics.workers,
        waiting=statistics.waiting,
        long=_long(statistics.at_work),
    )


def _long(at_work: Sequence[AtWork]) -> tuple[Long, ...]:
    """What each worker is at, where that takes long; of a call with many files, the first."""
    long: dict[int, Long] = {}
    for one in sorted(at_work, key=lambda one: (one.worker, -one.seconds)):
        if one.seconds > LONG_S and one.worker not in long:
            path = one.item if isinstance(one.item, str) else one.item[0]
            long[one.worker] = Long(one.worker, one.seconds, printable(path))
        elif one.seconds > LONG_S:
            first = long[one.worker]
            long[one.worker] = first._replace(others=first.others + 1)
    return tuple(long.values())


class PlainLines:
    """Tells a run's figures every few seconds in lines that stay, and what each worker is at.

    Args:
        run: The run.
        every_s: How often.
    """

    def __init__(self, run: Run, every_s: float) -> None:
        self._run = run
        self._every_s = every_s
        self._next = monotonic() + every_s

    def refresh(self) -> None:
        """Tell them, if it is time."""
        now = monotonic()
        if now < self._next:
            return
        self._next = now + self._every_s
        look = look_at(self._run, None)
        for line in (_joined(_fields(look)), *rows_of(look.long, MOST_ROWS, _LONGEST_LINE)):
            say(line)


def _size() -> os.terminal_size:
    """Of the terminal; one that does not know its size has the usual one."""
    try:
        columns, lines = os.get_terminal_size(STDERR)
    except OSError:
        columns = lines = 0
    return os.terminal_size((columns or _USUAL_WIDTH, lines or _USUAL_HEIGHT))


def _is_in_foreground() -> bool:
    """Whether the terminal is ours at this moment, and not the shell's that sent us behind."""
    try:
        return os.tcgetpgrp(STDERR) == os.getpgrp()
    except OSError:
        return True  # no job control here


@contextmanager
def open_display(run: Run, ahead: ScanAhead | None, output: Output) -> Iterator[Display]:
    """Show a run on stderr until the block ends; what workers print appears above it.

    Args:
        run: The run.
        ahead: Its scan, if that is drawn ahead.
        output: Where results go: above it, if that is a terminal.
    """
    stderr = sys.stderr
    line = LiveLine(stderr)
    sys.stderr = cast("TextIO", line)
    if output.width:
        output.making_way = line.making_way
    try:
        yield Display(line, run, ahead)
    finally:
        sys.stderr = stderr
        line.clear()
