"""One outcome as the row that JSON Lines and CSV share: its columns, and how a path is written."""

from __future__ import annotations

import base64
import os
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from fsworkers.sinks.plain import lossy, safe_repr

__all__ = ["COLUMNS", "Row", "path_columns"]


class Row(msgspec.Struct, gc=False):
    """The columns, in the order in which they are written.

    Attributes:
        path: The path as text; U+FFFD stands for bytes that are no UTF-8.
        path_b64: Base64 of the path's exact bytes, when ``path`` cannot say them.
        traceback: The remote traceback, when the task raised.
    """

    path: str
    status: str
    value: Any
    error: str | None
    attempts: int
    size: int | None
    duration_s: float
    worker: int | None
    path_b64: str | UnsetType = UNSET
    traceback: str | UnsetType = UNSET


COLUMNS: tuple[str, ...] = Row.__struct_fields__


def path_columns(path: Any) -> tuple[str, str | UnsetType]:
    """Give ``path`` and ``path_b64`` for anything that a job may have been for.

    What is no path at all (``Pool.map`` takes any items) is shown by its ``repr``.
    """
    if type(path) is str and path.isascii():
        return path, UNSET
    if not isinstance(path, (str, bytes, os.PathLike)):
        return safe_repr(path), UNSET
    try:
        exact = os.fsencode(path)
        text = os.fsdecode(path)
    except Exception:  # noqa: BLE001 - a user's __fspath__, or a surrogate that stands for no byte
        return (lossy(path) if isinstance(path, str) else safe_repr(path)), UNSET
    try:
        text.encode()
    except UnicodeEncodeError:
        return lossy(text), base64.b64encode(exact).decode("ascii")
    return text, UNSET
