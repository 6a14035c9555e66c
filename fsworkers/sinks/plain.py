"""User values as JSON: whatever a task returns becomes something that can be written.

``encode`` decides what stands for values that JSON does not have:

==============================================  ==============================================
value                                           in JSON
==============================================  ==============================================
NaN, infinities                                 ``null``
bytes, bytearray, memoryview                    ``{"base64": "…"}``
sets, tuples, deques, ranges                    array
dataclasses, structs, named mappings            object
dates, UUIDs, decimals, enums                   as msgspec writes them
paths                                           text
scalars and arrays of NumPy and its kin         what their ``item()`` or ``tolist()`` gives
text with bytes that are no UTF-8               the same with U+FFFD for each such byte
dictionary keys other than text and numbers     their ``repr``
anything else, cycles, nesting without end      ``{"repr": "…"}``
==============================================  ==============================================

So what is no text does not pass for one.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec

__all__ = [
    "encode",
    "encode_list",
    "encoder",
    "list_with_marks",
    "lossy",
    "safe_repr",
    "terminal_safe",
    "with_marks",
]

_SURROGATE = "[\ud800-\udfff]"
_DEEPEST = 100


_SIMPLE = frozenset({str, int, float, bool, type(None)})
_BYTES = (bytes, bytearray, memoryview)


def lossy(text: str) -> str:
    """Make text encodable: U+FFFD stands for each byte that was no UTF-8."""
    return re.sub(_SURROGATE, "\ufffd", text)


def safe_repr(value: object) -> str:
    """Give the ``repr`` of a value whose class may be broken, as encodable text."""
    try:
        return lossy(repr(value))
    except Exception:  # noqa: BLE001 - a user's __repr__ may raise anything
        return f"<{type(value).__name__} that has no repr>"


def _stand_in(value: Any) -> Any:
    """Give something that msgspec knows for one value that it does not."""
    # Subclasses of these may convert themselves to something odd: ask the base class.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (deque, range)):
        return list(value)
    if hasattr(value, "dtype"):
        return value.tolist() if getattr(value, "shape", ()) else value.item()
    return _marked_repr(value)


def _marked_repr(value: object) -> dict[str, str]:
    return {"repr": safe_repr(value)}


encoder = msgspec.json.Encoder(enc_hook=_stand_in)


def encode(value: Any) -> bytes:
    """Encode any value as one line of JSON; never raises for what the value is."""
    try:
        return encoder.encode(with_marks(value))
    except Exception:  # noqa: BLE001 - whatever is wrong with the value, its file has an outcome
        return _encode_replaced(value)


def encode_list(values: Sequence[Any]) -> bytes:
    """Encode values as one JSON array: all at once, or one by one where that cannot be done."""
    try:
        return encoder.encode(list_with_marks(values))
    except Exception:  # noqa: BLE001 - as in encode
        return b"[" + b",".join(map(encode, values)) + b"]"


def _encode_replaced(value: Any) -> bytes:
    try:
        return encoder.encode(_plain(value, _DEEPEST))
    except Exception:  # noqa: BLE001 - as in encode
        return encoder.encode(_marked_repr(value))


def list_with_marks(values: Sequence[Any]) -> Sequence[Any]:
    """The values, and for bytes, which msgspec would write as text, what marks them as such.

    Raises:
        RecursionError: One nests without end.
    """
    kinds = set(map(type, values))
    if kinds == {dict}:  # what most tasks return; one by one that takes four times as long
        within = chain(chain.from_iterable(values), chain.from_iterable(map(dict.values, values)))
        kinds = set(map(type, within))
    return values if kinds <= _SIMPLE else list(map(with_marks, values))


def with_marks(value: Any) -> Any:
    """The same for one value.

    Raises:
        RecursionError: It nests without end.
    """
    return _plain(value, _DEEPEST) if _holds_bytes(value, _DEEPEST) else value


def _holds_bytes(value: Any, depth: int) -> bool:
    if type(value) in _SIMPLE:
        return False
    if isinstance(value, _BYTES):
        return True
    if depth == 0:
        raise RecursionError
    parts: Iterable[Any]
    if isinstance(value, Mapping):
        if bytes in set(map(type, value)):
            return True
        parts = value.values()
    elif isinstance(value, (list, tuple, set, frozenset, deque)):
        parts = value
    else:
        parts = (_fields(value) or {}).values()
    if set(map(type, parts)) <= _SIMPLE:
        return False
    return any(_holds_bytes(each, depth - 1) for each in parts)


def _fields(value: Any) -> dict[str, Any] | None:
    """The fields of a struct or dataclass, ``None`` for anything else."""
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    names = getattr(type(value), "__dataclass_fields__", None)
    return None if names is None else {name: getattr(value, name, None) for name in names}


def _plain(value: Any, depth: int) -> Any:
    """Copy a value with all that cannot be encoded replaced, at any level.

    Raises:
        RecursionError: The value nests deeper than ``depth``, or contains itself.
    """
    if depth == 0:
        raise RecursionError
    if isinstance(value, str):
        return lossy(str.__str__(value))
    if isinstance(value, _BYTES):
        return {"base64": b64encode(value).decode("ascii")}
    if isinstance(value, Mapping):
        return {_key(key): _plain(each, depth - 1) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        return [_plain(each, depth - 1) for each in value]
    try:
        if not _holds_bytes(value, depth):
            encoder.encode(value)
            return value
    except Exception:  # noqa: BLE001, S110 - asked only whether it can be encoded
        pass
    return _plain_object(value, depth)


def _plain_object(value: Any, depth: int) -> Any:
    if isinstance(value, os.PathLike):
        return lossy(os.fsdecode(value))
    fields = _fields(value)
    return _marked_repr(value) if fields is None else _plain(fields, depth - 1)


def _key(key: object) -> str:
    return lossy(key) if isinstance(key, str) else safe_repr(key)


_UNSAFE = rb"\x7f|\xc2[\x80-\x9f]"


def terminal_safe(lines: bytes) -> bytes:
    """Escape the control characters that JSON allows as they are: DEL and C1.

    Some terminals act on U+009B as on ESC ``[``. All of ``lines`` must be JSON: there such
    characters occur in strings alone, where the escape means the same.
    """
    if b"\x7f" not in lines and b"\xc2" not in lines:
        return lines
    return re.sub(_UNSAFE, lambda found: b"\\u00%02x" % found[0][-1], lines)
