"""A user's own function, named as MODULE:FUNCTION or file.py:FUNCTION."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from contextlib import suppress
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, cast

from fsworkers.errors import TaskNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType


def load_callable(
    name: str, options: Mapping[str, str], argument_count: int = 1
) -> Callable[[str], Any]:
    """Import a function by ``MODULE:FUNCTION``; modules of the working directory are found too.

    Args:
        name: As ``photos.tasks:make_thumbnail``, ``module:Class.method`` or ``./mix.py:function``,
            where the file's directory is put first on ``sys.path``, as for a script.
        argument_count: How many arguments come before the options: the path, and an output's.
        options: Passed to each call as keyword arguments, converted to what it declares.

    Raises:
        TaskNotFound: The module can't be imported, has no such attribute, or it can't be called
            with one path and these options.
        BadOption: An option is not what the function declares.
    """
    function = imported(name)
    signature = _signature_for(name, function, options, argument_count)
    if signature is None or not options:
        return partial(function, **options) if options else function
    from fsworkers.tasks.option_values import converted  # noqa: PLC0415  (only with options)

    return partial(function, **converted(name, function, signature, options))


def imported(name: str) -> Callable[..., Any]:
    """The function that ``load_callable`` is to make a task of.

    Raises:
        TaskNotFound: There is none.
    """
    place, separator, attribute = name.rpartition(":")
    if not (place and separator and attribute):
        raise TaskNotFound(name, "write it as MODULE:FUNCTION, for example photos:make_thumbnail")
    if place.endswith(".py"):
        module = _import_file(name, place)
    else:
        with suppress(FileNotFoundError):  # the working directory was deleted: nothing is there
            _search_first(os.getcwd())
        module = _import(name, place)
    try:
        function = reduce(getattr, attribute.split("."), module)
    except AttributeError as error:
        raise TaskNotFound(name, f"{place!r} has no {attribute!r}") from error
    if not callable(function):
        raise TaskNotFound(name, f"{attribute!r} is not a function")
    return cast("Callable[..., Any]", function)


def _search_first(directory: str) -> None:
    if directory not in sys.path:
        sys.path.insert(0, directory)


def _import(name: str, module_name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        reason = f"module {module_name!r} can't be imported: {type(error).__name__}: {error}"
        raise TaskNotFound(name, reason) from error


def _import_file(name: str, path: str) -> ModuleType:
    """Import a file as the module that workers will find by its name."""
    if not os.path.isfile(path):
        raise TaskNotFound(name, f"there is no file {path!r}")
    directory, file = os.path.split(os.path.realpath(path))
    _search_first(directory)
    module = _import(name, file.removesuffix(".py"))
    found = getattr(module, "__file__", None)
    if found is None or not os.path.samefile(found, path):
        reason = f"there is another module of that name ({found or 'built in'}); rename the file"
        raise TaskNotFound(name, reason)
    return module


def _signature_for(
    name: str, function: Callable[..., Any], options: Mapping[str, str], argument_count: int
) -> inspect.Signature | None:
    """The function's signature, which a path and the options fit; ``None`` if it tells none."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None  # some builtins do not tell; the first call will
    try:
        signature.bind(*["path"] * argument_count, **options)
    except TypeError as error:
        given = "a path" if argument_count == 1 else "a path, an output"
        reason = f"it can't be called with {given} and the options given: {error}"
        raise TaskNotFound(name, reason) from error
    return signature
