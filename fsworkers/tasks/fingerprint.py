"""What a task is, in one short text: two runs with the same one did the same to each file.

Of a user's function its compiled code is taken in, with what it encloses and its defaults, but
not what it calls: an edited helper in another function goes unnoticed. Another version of Python
compiles differently, so it makes another fingerprint.
"""

from __future__ import annotations

import hashlib
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, cast

from fsworkers.tasks.registry import BUILT_IN, options_of, task_class

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fsworkers.tasks.command import Command

_DEEPEST = 8
_DIGEST_CHARACTERS = 16
_PLAIN = (str, bytes, int, float, complex, bool, type(None), type(...))


def fingerprint(
    function: Callable[..., Any], *, name: str | None = None, options: Mapping[str, str]
) -> str:
    """The fingerprint of a task.

    Args:
        function: The task function.
        name: That of a task with a name; ``None`` for a user's own function.
        options: What it was given; the defaults of a task with a name are filled in.
    """
    if name is not None:
        kind = task_class(name)
        defaults = {one.name: one.default or "" for one in options_of(kind)}
        code = "" if name in BUILT_IN else f" {_digest(kind)}"
        return f"task {name}{_shown(defaults | dict(options))}{code}"
    if getattr(function, "is_command", False):
        return cast("Command", function).mark
    # What was made of the options: how they were written is part of the mark anyway.
    while (
        isinstance(function, partial)
        and not function.args
        and function.keywords.keys() == options.keys()
    ):
        function = function.func
    module = getattr(function, "__module__", None) or type(function).__module__
    qualname = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"call {module}:{qualname}{_shown(options)} {_digest(function)}"


def _digest(value: Any) -> str:
    digest = hashlib.sha256()
    for piece in _pieces(value, _DEEPEST):
        digest.update(repr(piece).encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()[:_DIGEST_CHARACTERS]


def _shown(options: Mapping[str, str]) -> str:
    return "".join(f" {key}={options[key]!a}" for key in sorted(options))


def _pieces(value: Any, depth: int) -> Iterator[object]:
    """Everything about a value that a run's results may depend on, in a fixed order."""
    if depth == 0:
        yield type(value).__qualname__
    elif isinstance(value, _PLAIN):
        yield value
    elif isinstance(value, (set, frozenset)):
        yield sorted(repr(list(_pieces(each, depth - 1))) for each in value)
    else:
        yield type(value).__qualname__
        for part in _parts(value):
            yield from _pieces(part, depth - 1)


def _parts(value: Any) -> tuple[Any, ...]:
    """What a value is made of, its order in memory left out."""
    if isinstance(value, CodeType):
        # Not its line numbers and file: moving a function does not change it.
        names = (value.co_names, value.co_varnames, value.co_freevars)
        return value.co_code, *names, *value.co_consts
    if isinstance(value, FunctionType):
        cells = (_content(cell) for cell in value.__closure__ or ())
        return value.__code__, value.__defaults__, value.__kwdefaults__, *cells
    if isinstance(value, MethodType):
        return value.__func__, value.__self__
    if isinstance(value, partial):
        return value.func, value.args, value.keywords
    if isinstance(value, (tuple, list, dict)):
        return tuple(sorted(value.items(), key=repr) if isinstance(value, dict) else value)
    if isinstance(value, BuiltinFunctionType):
        return value.__module__, value.__qualname__
    if isinstance(value, type):
        return value.__module__, value.__qualname__, *_functions_of(value)
    return type(value), getattr(value, "__dict__", None)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _functions_of(kind: type) -> list[tuple[str, Any]]:
    return sorted(
        (name, member) for name, member in vars(kind).items() if isinstance(member, FunctionType)
    )
