"""Pickling by value: functions and classes that can't be imported.

By cloudpickle, and with the name of their file, which it leaves out: a traceback is to show it.
Each pickle has globals of its own; what a worker's initializer made of its is seen by them all.
"""

from __future__ import annotations

import io
from collections import ChainMap
from functools import partial
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, ClassVar

import cloudpickle

if TYPE_CHECKING:
    from collections.abc import Callable

_LEFT_OUT = "<dynamic-code>"
"""What stands for the file where cloudpickle (3.1.2 and later) does not say it."""


def pickle_by_value(value: Any) -> bytes:
    """Pickle ``value``.

    Raises:
        Exception: Whatever the value's own pickling raises.
    """
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=5).dump(value)
    return buffer.getvalue()


_INITIALIZED: dict[Any, dict[str, Any]] = {}
"""Globals of this worker's initializer, once it has run, by the name of their module."""


def keep_globals(initializer: Callable[..., object]) -> None:
    """Have functions that arrive from now on see the globals of an initializer that has run."""
    while isinstance(initializer, partial):
        initializer = initializer.func
    is_plain = hasattr(initializer, "__globals__")
    function: Any = initializer if is_plain else getattr(type(initializer), "__call__", None)  # noqa: B004
    if (own := getattr(function, "__globals__", None)) is not None:
        _INITIALIZED[own.get("__name__")] = own


def _set_state(function: FunctionType, state: tuple[Callable[[Any, Any], object], Any]) -> None:
    set_state, its_state = state
    set_state(function, its_state)
    own = function.__globals__
    own.update(_INITIALIZED.get(own.get("__name__"), {}))


def _reduce_code(code: CodeType) -> tuple[Any, ...]:
    make, arguments = cloudpickle.CloudPickler.dispatch_table[CodeType](code)
    return make, tuple(code.co_filename if each == _LEFT_OUT else each for each in arguments)


class _Pickler(cloudpickle.CloudPickler):  # type: ignore[misc]  # it has no types
    dispatch_table: ClassVar[Any] = ChainMap(
        {CodeType: _reduce_code}, cloudpickle.CloudPickler.dispatch_table
    )

    def reducer_override(self, value: Any) -> Any:
        reduced = super().reducer_override(value)
        if type(value) is FunctionType and isinstance(reduced, tuple) and len(reduced) == 6:
            *others, set_state = reduced
            others[2] = set_state, others[2]
            return *others, _set_state
        return reduced
