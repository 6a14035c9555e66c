"""A user's own function, named as MODULE:FUNCTION."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from contextlib import suppress
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

from fsworkers.errors import TaskNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def load_callable(name: str, options: Mapping[str, str]) -> Callable[[str], Any]:
    """Import a function by ``MODULE:FUNCTION``; modules of the working directory are found too.

    Args:
        name: As ``photos.tasks:make_thumbnail`` or ``module:Class.method``.
        options: Passed to each call as keyword arguments.

    Raises:
        TaskNotFound: The module can't be imported, has no such attribute, or it can't be called
            with one path and these options.
    """
    module_name, separator, attribute = name.partition(":")
    if not (module_name and separator and attribute):
        raise TaskNotFound(name, "write it as MODULE:FUNCTION, for example photos:make_thumbnail")
    with suppress(FileNotFoundError):  # the working directory was deleted: nothing to find there
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        reason = f"module {module_name!r} can't be imported: {type(error).__name__}: {error}"
        raise TaskNotFound(name, reason) from error
    try:
        function = reduce(getattr, attribute.split("."), module)
    except AttributeError as error:
        raise TaskNotFound(name, f"module {module_name!r} has no {attribute!r}") from error
    if not callable(function):
        raise TaskNotFound(name, f"{attribute!r} is not a function")
    _check_signature(name, function, options)
    return partial(function, **options) if options else function


def _check_signature(name: str, function: Callable[..., Any], options: Mapping[str, str]) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # some builtins do not tell; the first call will
    try:
        signature.bind("path", **options)
    except TypeError as error:
        reason = f"it can't be called with a path and the options given: {error}"
        raise TaskNotFound(name, reason) from error
