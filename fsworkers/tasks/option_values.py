"""What is written behind ``--option KEY=``, as the function that gets it declares it."""

from __future__ import annotations

import inspect
import os
import sys
from enum import Enum
from functools import partial, reduce
from operator import or_
from pathlib import PurePath
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from fsworkers.errors import BadOption
from fsworkers.names import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SEQUENCES = {list, tuple, set, frozenset}

_WORDS = {
    str: "TEXT",
    int: "INTEGER",
    float: "NUMBER",
    bool: "true|false",
    os.PathLike: "PATH",
    PurePath: "PATH",
}

_AS_WRITTEN = (str, object, os.PathLike, os.PathLike[str])


def converted(
    name: str,
    function: Callable[..., Any],
    signature: inspect.Signature,
    options: Mapping[str, str],
) -> dict[str, Any]:
    """The options as the function's annotations have them; where there is none, as its defaults.

    Numbers, ``bool`` (``true``, ``false``, 1, 0), paths, enumerations and literals are understood;
    what may be a text stays one; lists are written with commas. A default that is a number takes
    numbers.

    Args:
        name: The function's, for messages.
        function: The function.
        signature: Its own, which these options fit.
        options: By keyword, as they were written.

    Raises:
        BadOption: One can't be read as what is declared.
    """
    parameters = signature.parameters.values()
    others = [one for one in parameters if one.kind is inspect.Parameter.VAR_KEYWORD]
    values: dict[str, Any] = {}
    for key, text in options.items():
        parameter = signature.parameters.get(key) or others[0]
        kind = None
        try:
            kind = _declared(function, parameter)
            values[key] = _read(text, kind)
        except Exception as error:
            declared = parameter.annotation if kind is None else shown_type(kind)
            if get_origin(kind) is Annotated:
                declared += f" ({error})"
            message = f"--option {key}={text}: {name} declares {key} as {declared}"
            raise BadOption(printable(message)) from error
    return values


def described(function: Any, parameter: inspect.Parameter) -> tuple[str, str | None, str]:
    """What a parameter takes, its default as it would be written, and what it means."""
    kind = _declared(function, parameter)
    meaning = ""
    if get_origin(kind) is Annotated:
        for one in get_args(kind)[1:]:
            meaning = one if isinstance(one, str) else getattr(one, "description", None) or meaning
    default = parameter.default
    field = getattr(function, "__dataclass_fields__", {}).get(parameter.name)
    if callable(make := getattr(field, "default_factory", None)):
        default = make()
    return shown_type(kind), None if default is parameter.empty else written(default), meaning


def shown_type(kind: Any) -> str:
    """What a type takes, in a word."""
    origin, members = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return shown_type(members[0])
    if origin in {Union, UnionType}:
        return "|".join(shown_type(one) for one in members if one is not type(None))
    if origin is Literal:
        return "|".join(map(written, members))
    if origin in _SEQUENCES:
        return f"{shown_type(members[0])},…" if members else "TEXT,…"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(written(one) for one in kind)
    return _WORDS.get(kind) or getattr(kind, "__name__", str(kind)).upper()


def written(value: Any) -> str:
    """A value as it is written behind ``KEY=``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return written(value.value)
    if isinstance(value, (tuple, list, set, frozenset)):
        return ",".join(map(written, value))
    return os.fsdecode(value) if isinstance(value, (bytes, os.PathLike)) else str(value)


def _declared(function: Any, parameter: inspect.Parameter) -> Any:
    """The type of a parameter.

    Raises:
        Exception: Whatever evaluating an annotation raises that is not there at run time.
    """
    annotation = parameter.annotation
    if annotation is inspect.Parameter.empty:
        return _type_of_default(parameter.default)
    if not isinstance(annotation, str):
        return annotation
    while isinstance(function, partial):
        function = function.func
    scope = vars(sys.modules[function.__module__])
    return eval(annotation, dict(scope))  # noqa: S307  (code of the function that is to be run)


def _type_of_default(default: object) -> Any:
    if isinstance(default, bool):
        return bool
    if isinstance(default, (int, float)):
        return int | float
    return type(default) if isinstance(default, PurePath) else str


def _read(text: str, kind: Any) -> Any:
    """A text as a value of that type.

    Raises:
        Exception: It can't be read so.
    """
    if get_origin(kind) is Annotated and get_args(kind)[0] in _AS_WRITTEN:
        msgspec.convert(text, kind)
        return text
    kind = _or_none(kind)
    plain = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if get_origin(plain) in _SEQUENCES:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return msgspec.convert(parts, kind, strict=False, dec_hook=_path)
    members = get_args(kind) if get_origin(kind) in {Union, UnionType} else (kind,)
    if any(member in _AS_WRITTEN for member in members):
        return text
    if bytes in members:
        return os.fsencode(text)
    return msgspec.convert(text, kind, strict=False, dec_hook=_path)


def _or_none(kind: Any) -> Any:
    """``Annotated[X | None, …]`` as ``Annotated[X, …] | None``: msgspec limits no unions."""
    if get_origin(kind) is not Annotated or get_origin(get_args(kind)[0]) not in {Union, UnionType}:
        return kind
    union, *notes = get_args(kind)
    members = [one for one in get_args(union) if one is not type(None)]
    limited: Any = Annotated[(reduce(or_, members), *notes)]
    return limited if len(members) == len(get_args(union)) else limited | None


def _path(kind: type, text: object) -> PurePath:
    if not issubclass(kind, PurePath):
        raise NotImplementedError
    return kind(str(text))
