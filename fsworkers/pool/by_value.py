"""Pickling by value: functions and classes that can't be imported.

By cloudpickle, and with the name of their file, which it leaves out: a traceback is to show it.
"""

from __future__ import annotations

import io
from collections import ChainMap
from types import CodeType
from typing import Any, ClassVar

import cloudpickle

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


def _reduce_code(code: CodeType) -> tuple[Any, ...]:
    make, arguments = cloudpickle.CloudPickler.dispatch_table[CodeType](code)
    return make, tuple(code.co_filename if each == _LEFT_OUT else each for each in arguments)


class _Pickler(cloudpickle.CloudPickler):  # type: ignore[misc]  # it has no types
    dispatch_table: ClassVar[Any] = ChainMap(
        {CodeType: _reduce_code}, cloudpickle.CloudPickler.dispatch_table
    )
