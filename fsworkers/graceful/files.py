"""``open`` as the builtin one, and the raw file that gives its permit back when it is closed.

What is returned is built as ``io.open`` builds it: a raw file below the standard buffered and text
layers, so ``isinstance`` holds, and garbage collection closes it and gives the permit back.
Arguments that are not plainly right go to the builtin, which says what is wrong in its own words.
"""

from __future__ import annotations

import io
import sys
from errno import EMFILE, ENFILE
from io import BufferedRandom, BufferedReader, BufferedWriter, FileIO, TextIOWrapper

from fsworkers.graceful.budget import BUDGET, Permit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EXHAUSTED = frozenset({EMFILE, ENFILE})

_builtin_open = io.open
_close = FileIO.close
_take = BUDGET.take
_WARN_DEFAULT_ENCODING = sys.flags.warn_default_encoding
_NEWLINES = frozenset({None, "", "\n", "\r", "\r\n"})


class CountedFileIO(FileIO):
    """A raw file that holds a permit while it is open."""

    __slots__ = ("permit",)

    permit: Permit

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


def _plans() -> dict[str, tuple[str, bool, type[Any]]]:
    """Every mode that ``open`` knows: the raw mode, whether text, and the buffered layer."""
    plans = {}
    for action in "rwxa":
        for kind in ("", "b", "t"):
            for update in ("", "+"):
                buffered: type[Any] = BufferedReader if action == "r" else BufferedWriter
                plan = (action + update, kind != "b", BufferedRandom if update else buffered)
                for order in _orders(action + kind + update):
                    plans[order] = plan
    return plans


def _orders(letters: str) -> list[str]:
    if len(letters) < 2:
        return [letters]
    return [
        letter + rest
        for index, letter in enumerate(letters)
        for rest in _orders(letters[:index] + letters[index + 1 :])
    ]


_PLANS = _plans()


def open(  # noqa: A001 - the drop-in's name is the builtin's
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    """Open a file as the builtin ``open`` does, waiting until a descriptor is free.

    Every argument, error and returned type is the builtin's.

    Raises:
        BudgetTimeout: ``configure(wait_s=…)`` was set and passed first.
        DescriptorDeadlock: Everyone who holds descriptors waits for more.
    """
    plan = _PLANS.get(mode) if mode.__class__ is str else None
    if (
        plan is None
        or (buffering == 0 if plan[1] else buffering == 1)
        or not (encoding is errors is newline is None or _is_text_layer(plan, newline))
    ):
        return _builtin_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    if file.__class__ is not str or opener is not None or not closefd:
        raw = _open_unusual(file, plan[0], closefd, opener)
    else:
        permit = _take(file)
        try:
            raw = CountedFileIO(file, plan[0])
        except BaseException:
            permit.give_back()
            raise
        raw.permit = permit
    if buffering == 0:
        return raw
    return _layers(raw, plan, mode, buffering, encoding, errors, newline)


def open_with(
    permit: Permit,
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    """``open`` with a permit that was taken before; it goes back at once if it is not needed."""
    plan = _PLANS.get(mode) if mode.__class__ is str else None
    if (
        plan is None
        or (buffering == 0 if plan[1] else buffering == 1)
        or not (encoding is errors is newline is None or _is_text_layer(plan, newline))
        or isinstance(file, int)
    ):
        permit.give_back()
        return _builtin_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    try:
        raw = CountedFileIO(file, plan[0], closefd, opener)
    except BaseException:
        permit.give_back()
        raise
    raw.permit = permit
    if buffering == 0:
        return raw
    return _layers(raw, plan, mode, buffering, encoding, errors, newline)


def _is_text_layer(plan: tuple[str, bool, type[Any]], newline: str | None) -> bool:
    return plan[1] and newline in _NEWLINES


def _layers(
    raw: FileIO,
    plan: tuple[str, bool, type[Any]],
    mode: str,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> Any:
    """Put the standard buffered and text layers on a raw file; on an error it is closed."""
    result: Any = raw
    try:
        is_line_buffered = False
        if buffering == 1 or (buffering < 0 and raw.isatty()):
            buffering = -1
            is_line_buffered = plan[1]
        if buffering < 0:
            buffering = raw._blksize  # type: ignore[attr-defined]  # noqa: SLF001 - as io.open does
        result = plan[2](raw, buffering)
        if plan[1]:
            if encoding is None and _WARN_DEFAULT_ENCODING:
                encoding = io.text_encoding(encoding, 3)
            result = TextIOWrapper(result, encoding, errors, newline, is_line_buffered)
            result.mode = mode
    except BaseException:
        result.close()
        raise
    return result


def _open_unusual(file: Any, raw_mode: str, closefd: bool, opener: Any) -> FileIO:
    if isinstance(file, int):
        return FileIO(file, raw_mode, closefd, opener)
    permit = _take(file)
    try:
        raw = CountedFileIO(file, raw_mode, closefd, opener)
    except BaseException:
        permit.give_back()
        raise
    raw.permit = permit
    return raw
