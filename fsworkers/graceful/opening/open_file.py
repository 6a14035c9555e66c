"""``open`` as the builtin one.

What is returned is built as ``io.open`` builds it: a raw file below the standard buffered and text
layers, so ``isinstance`` holds, and garbage collection closes it and gives the permit back.
Arguments that are not plainly right go to the builtin, which says what is wrong in its own words.
"""

from __future__ import annotations

import io
import sys
from functools import partial
from io import BufferedRandom, BufferedReader, BufferedWriter, TextIOWrapper
from itertools import permutations, product
from operator import index, is_
from os import fspath

from fsworkers.graceful.budget import descriptor_table
from fsworkers.graceful.budget.budget import BUDGET
from fsworkers.graceful.opening.raw_file import CountedFileIO
from fsworkers.graceful.opening.retry import (
    give_back,
    is_refusal,
    run_with_permits,
    run_with_reserved,
)

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
    """Every mode that ``open`` knows, its letters in every order."""
    plans: dict[str, Plan] = {}
    for action, kind, update in product("rwxa", ("", "b", "t"), ("", "+")):
        buffered: type[Any] = BufferedReader if action == "r" else BufferedWriter
        plan = (action + update, kind != "b", BufferedRandom if update else buffered)
        plans.update(("".join(order), plan) for order in permutations(action + kind + update))
    return plans


_PLANS = _plans()
_RAW_PLANS = {mode: plan for mode, plan in _PLANS.items() if not plan[1]}
"""The modes that can go without a buffer."""


def open(  # noqa: A001 - the drop-in's name is the builtin's; each call more would cost
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
    if (
        mode.__class__ is str
        and (buffering is _DEFAULT or buffering is _UNBUFFERED)
        and encoding is errors is newline is None
    ):
        plan = (_PLANS if buffering else _RAW_PLANS).get(mode)
    else:
        plan = _plan(mode, buffering, encoding, errors, newline)
    if plan is None:
        plain = _made_plain(mode, buffering, encoding, errors, newline)
        if plain is not None:
            return open(file, *plain, closefd, opener)
        return _builtin_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    permit = _take_now() if file.__class__ is str and opener is None and closefd else None
    if permit is None:
        raw = _open_slowly(plan, file, closefd, opener)
    else:
        try:
            raw = CountedFileIO(file, plan[0])
        except BaseException as error:
            if not is_refusal(error):
                permit.give_back()
                raise
            raw = _open_slowly(plan, file, closefd, opener, (permit, error))
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
    plan = _plan(mode, buffering, encoding, errors, newline)
    if plan is None:
        plain = _made_plain(mode, buffering, encoding, errors, newline)
        if plain is not None:
            return open_with(lent, file, *plain, closefd, opener)
        opened = _builtin_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
        give_back(lent)
        return opened
    if hasattr(file, "__fspath__"):
        file = fspath(file)
    make = partial(CountedFileIO, file, plan[0], closefd, opener)
    raw = make() if opener is None else run_with_reserved(lent, make)
    _settle(raw, lent)
    if buffering == 0:
        return raw
    return _layers(raw, plan, mode, buffering, encoding, errors, newline)


def _plan(
    mode: str, buffering: int, encoding: str | None, errors: str | None, newline: str | None
) -> Plan | None:
    """What to build; ``None`` for arguments that are not plainly right.

    Names of encodings and of ways to treat errors are only of the right kind: known or not, the
    builtin opens the file, and the text layer judges them.
    """
    if mode.__class__ is not str or not isinstance(buffering, int):
        return None
    plan = (_PLANS if buffering else _RAW_PLANS).get(mode)
    if plan is None or not -(2**31) <= buffering < 2**31:  # a C int, to the builtin
        return None
    if not (encoding is errors is newline is None) and not (
        plan[1] and newline in _NEWLINES and _is_name(encoding) and _is_name(errors)
    ):
        return None
    if buffering == 1 and not plan[1]:
        import warnings  # noqa: PLC0415 - rare

        warnings.warn(
            "line buffering (buffering=1) isn't supported in binary mode, "
            "the default buffer size will be used",
            RuntimeWarning,
            stacklevel=3,
        )
    return plan


def _is_name(value: Any) -> bool:
    return value is None or (value.__class__ is str and value.isascii() and "\0" not in value)


def _made_plain(
    mode: Any, buffering: Any, *text_layer: Any
) -> tuple[str, int, str | None, str | None, str | None] | None:
    """The same as text and an integer, of a ``StrEnum``'s members or numpy's integers.

    ``None``: they are that already.
    """
    number = index(buffering) if _is_number(buffering) else buffering
    plain = _text(mode), number, *map(_text, text_layer)
    return None if all(map(is_, plain, (mode, buffering, *text_layer))) else plain


def _text(value: Any) -> Any:
    # Not ``str(value)``: that is the name of an enum's member.
    return str.__str__(value) if isinstance(value, str) else value


def _is_number(value: Any) -> bool:
    return hasattr(type(value), "__index__")


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
    plan: Plan,
    file: Any,
    closefd: bool,
    opener: Any,
    refused: tuple[Permit, OSError] | None = None,
) -> CountedFileIO:
    """Open what has to wait, was refused, or is no plain path."""
    if _is_number(file):  # it is open: it needs no permit, and closes with the one that it has
        raw = CountedFileIO(file, plan[0], closefd)
        if closefd:
            _settle(raw, [])
        return raw
    if hasattr(file, "__fspath__"):
        file = fspath(file)
    make = partial(CountedFileIO, file, plan[0], closefd, opener)
    raw, lent = run_with_permits(make, file, refused=refused, is_drawn_on=opener is not None)
    _settle(raw, lent)
    return raw


def _settle(raw: CountedFileIO, lent: list[HeldPermit]) -> None:
    """Give a raw file its one permit: what was lent for it, or what is noted beside its number.

    That is where an opener which is graceful itself (tempfile's, when installed) has put it.
    """
    noted = descriptor_table.pop(raw.fileno())
    if noted is not None:
        lent.insert(0, noted)
    if lent:
        raw.permit = lent.pop()
    give_back(lent)
