"""``open`` as the builtin one.

What is returned is built as ``io.open`` builds it: a raw file below the standard buffered and text
layers, so ``isinstance`` holds, and garbage collection closes it and gives the permit back.
Arguments that are not plainly right go to the builtin, which says what is wrong in its own words.
"""

from __future__ import annotations

import io
import sys
from io import BufferedRandom, BufferedReader, BufferedWriter, TextIOWrapper
from operator import index
from os import fspath

from fsworkers.graceful.budget import descriptor_table
from fsworkers.graceful.budget.budget import BUDGET
from fsworkers.graceful.opening.error_passthrough import run_with_permits
from fsworkers.graceful.opening.raw_file import CountedFileIO
from fsworkers.graceful.opening.retry import EXHAUSTED, give_back, run_with_reserved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from fsworkers.graceful.budget.permits import HeldPermit, Permit

    # The raw mode, whether text, and the buffered layer.
    Plan: TypeAlias = tuple[str, bool, type[Any]]

_builtin_open = io.open
_take_now = BUDGET.take_now
_noted = descriptor_table.noted
"""A new file's number that is still in there was closed behind our back."""

_WARN_DEFAULT_ENCODING = sys.flags.warn_default_encoding
_READER_BYTES = 16_384
_CHUNK_BYTES = 32_768
"""Of a buffer and a text layer that are only read, so that they ask less often than the builtin's,
which have the block size and 8 KiB: that pays for what each use of a subclass costs more."""

_DEFAULT = -1
_UNBUFFERED = 0
"""Of ``buffering``, by identity: small numbers are the same everywhere."""

_NEWLINES = (None, "", "\n", "\r", "\r\n")


def _plans() -> dict[str, Plan]:
    """Every mode that ``open`` knows."""
    plans: dict[str, Plan] = {}
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
_RAW_PLANS = {mode: plan for mode, plan in _PLANS.items() if not plan[1]}
"""The modes that can go without a buffer."""


def open(  # noqa: A001, C901 - the drop-in's name is the builtin's; each call more would cost
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
    plan = (_PLANS if buffering else _RAW_PLANS).get(mode) if mode.__class__ is str else None
    if (
        plan is None
        or not (buffering is _DEFAULT or buffering is _UNBUFFERED or _is_c_int(buffering))
        or not (
            encoding is errors is newline is None or _is_text_layer(plan, encoding, errors, newline)
        )
    ):
        plain = _plain_arguments(mode, buffering, encoding, errors, newline)
        if plain is None:
            return _builtin_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
        plan, mode, buffering, encoding, errors, newline = plain
    if buffering == 1 and not plan[1]:
        _warn_of_line_buffering()
    permit = _take_now()
    if permit is None or file.__class__ is not str or opener is not None or not closefd:
        raw = _open_slowly(permit, None, plan, file, closefd, opener)
    else:
        try:
            raw = CountedFileIO(file, plan[0])
        except OSError as error:
            if error.errno not in EXHAUSTED:
                permit.give_back()
                raise
            raw = _open_slowly(permit, error, plan, file, closefd, opener)
        except BaseException:
            permit.give_back()
            raise
        else:
            raw.permit = permit
            if _noted:
                descriptor_table.release(raw.fileno())
    if buffering == 0:
        return raw
    return _layers(raw, plan, mode, buffering, encoding, errors, newline)


def open_with(
    lent: list[HeldPermit],
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    """``open`` with a permit that was taken before, the one in ``lent``.

    The file takes it out of the list, or it goes back at once if there is nothing to hold it for;
    what is left there after an error is the caller's to give back.
    """
    plain = _plain_arguments(mode, buffering, encoding, errors, newline)
    if plain is None:
        opened = _builtin_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
        give_back(lent)
        return opened
    plan, mode, buffering, encoding, errors, newline = plain
    if buffering == 1 and not plan[1]:
        _warn_of_line_buffering()
    if hasattr(file, "__fspath__"):
        file = fspath(file)
    if opener is None:
        raw = CountedFileIO(file, plan[0], closefd)
        raw.permit = lent.pop()
        descriptor_table.release(raw.fileno())
    else:
        raw = run_with_reserved(lent, lambda: CountedFileIO(file, plan[0], closefd, opener))
        _settle(raw, lent)
    if buffering == 0:
        return raw
    return _layers(raw, plan, mode, buffering, encoding, errors, newline)


def _plain_arguments(
    *arguments: Any,
) -> tuple[Plan, str, int, str | None, str | None, str | None] | None:
    """A plan with mode, buffering, encoding, errors and newline as the builtin understands them.

    It takes text and numbers of every kind: members of a ``StrEnum``, numpy's integers.
    ``None``: they are not plainly right.
    """
    mode, buffering, *text_layer = map(_plain, arguments)
    if mode.__class__ is not str or not _is_c_int(buffering):
        return None
    plan = (_PLANS if buffering else _RAW_PLANS).get(mode)
    if plan is None or not (text_layer == [None] * 3 or _is_text_layer(plan, *text_layer)):
        return None
    return plan, mode, buffering, *text_layer


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return str.__str__(value)  # not ``str``: that is the name of an enum's member
    return index(value) if _is_number(value) else value


def _is_c_int(value: Any) -> bool:
    return isinstance(value, int) and -(2**31) <= value < 2**31


def _is_number(value: Any) -> bool:
    return hasattr(type(value), "__index__")


def _warn_of_line_buffering() -> None:
    import warnings  # noqa: PLC0415 - rare

    warnings.warn(
        "line buffering (buffering=1) isn't supported in binary mode, "
        "the default buffer size will be used",
        RuntimeWarning,
        stacklevel=3,
    )


def _is_text_layer(
    plan: Plan,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> bool:
    """Whether these are for a text layer and of the right kinds, so that it can judge them."""
    return (
        plan[1]
        and newline in _NEWLINES
        and (encoding is None or _is_name(encoding))
        and (errors is None or _is_name(errors))
    )


def _is_name(value: Any) -> bool:
    """Whether the builtin takes it for a name, known or not, and so opens the file."""
    return value.__class__ is str and value.isascii() and "\0" not in value


def _layers(
    raw: CountedFileIO,
    plan: Plan,
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
            if plan[2] is BufferedReader and buffering < _READER_BYTES:
                buffering = _READER_BYTES
        result = plan[2](raw, buffering)
        if plan[1]:
            if encoding is None and _WARN_DEFAULT_ENCODING:
                encoding = io.text_encoding(encoding, 3)
            result = TextIOWrapper(result, encoding, errors, newline, is_line_buffered)
            result.mode = mode
            if plan[2] is BufferedReader:
                result._CHUNK_SIZE = _CHUNK_BYTES  # noqa: SLF001 - its name since Python 3.0
    except BaseException:
        result.close()
        raise
    return result


def _open_slowly(
    permit: Permit | None,
    refusal: OSError | None,
    plan: Plan,
    file: Any,
    closefd: bool,
    opener: Any,
) -> CountedFileIO:
    """Open what has to wait, was refused, or is no plain path."""
    if permit is not None and refusal is None:
        permit.give_back()
    if _is_number(file):
        return _adopt(plan, file, closefd)
    if hasattr(file, "__fspath__"):
        file = fspath(file)

    def operation() -> CountedFileIO:
        return CountedFileIO(file, plan[0], closefd, opener)

    refused = None if permit is None or refusal is None else (permit, refusal)
    raw, lent = run_with_permits(operation, file, refused=refused, is_drawn_on=opener is not None)
    if opener is None:
        raw.permit = lent[0]
        descriptor_table.release(raw.fileno())
    else:
        _settle(raw, lent)
    return raw


def _settle(raw: CountedFileIO, lent: list[HeldPermit]) -> None:
    """Give a file that came from an opener its one permit.

    An opener that is graceful itself (tempfile's, when installed) has drawn the permit and noted
    it beside the number; any other has left it with us.
    """
    noted = descriptor_table.pop(raw.fileno())
    if noted is not None:
        lent.append(noted)
    if lent:
        raw.permit = lent.pop()
    give_back(lent)


def _adopt(plan: Plan, number: int, closefd: bool) -> CountedFileIO:
    """A file on an open number: it needs no permit, and closes with the one the number has."""
    raw = CountedFileIO(number, plan[0], closefd)
    if not closefd:
        return raw
    lent = descriptor_table.pop(raw.fileno())
    if lent is not None:
        raw.permit = lent
    return raw
